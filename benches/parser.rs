//! Line protocol: bytes and lines a second, against the parser of InfluxDB 3 (`influxdb-line-protocol`) on the same bodies.
//!
//! `glance` is how the service reads lines whose series it knows: it looks the series up by the bytes of its part, and reads
//! fields and time.
//!
//! The others read every line of a body of 10,000 and look at each field and tag; the control has no times in microseconds, no
//! duplicate check and no limits to see to, and wants its body checked for UTF-8 beforehand, which is part of its time here.

use std::{fmt::Write, hint::black_box};

use chunkwise::protocol::{
    Limits, Line, Lines, Precision,
    opentsdb::{Command, Commands},
    parse,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const LINES: usize = 10_000;

/// Market data: two tags, two numbers.
fn ticks() -> String {
    body(|out, i| {
        let (symbol, price) = (i % 1_000, 100.0 + (i * 7_919 % 10_000) as f64 / 100.0);
        write!(out, "ticks,symbol=SYM{symbol:04},exchange=XNAS price={price:.2},size={}i", i % 500)
    })
}

/// What Telegraf sends of a processor: many tags and fields, long floats.
fn cpu() -> String {
    body(|out, i| {
        let value = 100.0 / (i + 3) as f64;
        write!(
            out,
            "cpu,cpu=cpu{},host=server-{:03}.example.com,region=eu-west-1,rack=r17 usage_user={value},usage_system={},\
             usage_idle={},usage_iowait={value},usage_steal=0,usage_guest=0",
            i % 16,
            i % 200,
            value * 2.0,
            value * 3.0,
        )
    })
}

/// Text with quotes, and names with escapes: the slow paths.
fn escapes() -> String {
    body(|out, i| write!(out, r#"my\ log,path=/var/log/a\,b.log level="warn",message="said \"{i}\" and left",ok=t"#))
}

fn body(line: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
    let mut out = String::new();
    for i in 0..LINES {
        line(&mut out, i).expect("a String takes everything");
        writeln!(out, " {}", 1_700_000_000_000_000_000_u64 + i as u64 * 1_000).expect("a String takes everything");
    }
    out
}

fn ours(body: &[u8]) -> usize {
    let mut lines = parse(body, Precision::Nanoseconds);
    let mut line = Line::default();
    let mut seen = 0;
    while let Some(read) = lines.next_into(&mut line) {
        read.expect("the body is valid");
        let line = black_box(&line);
        seen += line.tags.len() + line.fields.len();
    }
    seen
}

/// As the service reads lines whose series it knows: nearly all.
fn at_a_glance(body: &[u8]) -> usize {
    let mut lines = Lines::new(body, Precision::Nanoseconds, Limits::default());
    let mut seen = 0;
    while let Some(glance) = lines.glance() {
        seen += usize::from(!black_box(glance.series_part()).is_empty());
        let time = glance.read(|name, value| {
            black_box((name, value));
            seen += 1;
            true
        });
        black_box(time.expect("the body is plain"));
        lines.pass(&glance);
    }
    seen
}

fn control(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).expect("the body is text");
    let mut seen = 0;
    for line in influxdb_line_protocol::parse_lines(text) {
        let line = black_box(line.expect("the body is valid"));
        seen += line.series.tag_set.as_ref().map_or(0, |tags| tags.len()) + line.field_set.len();
    }
    seen
}

fn parser(criterion: &mut Criterion) {
    for (name, body) in [("ticks", ticks()), ("cpu", cpu()), ("escapes", escapes())] {
        assert_eq!(ours(body.as_bytes()), control(body.as_bytes()), "both see the same");
        for throughput in [Throughput::Bytes(body.len() as u64), Throughput::Elements(LINES as u64)] {
            let unit = if matches!(throughput, Throughput::Bytes(_)) { "bytes" } else { "lines" };
            let mut group = criterion.benchmark_group(format!("parser/{name}/{unit}"));
            group.throughput(throughput);
            group.bench_with_input(BenchmarkId::from_parameter("chunkwise"), body.as_bytes(), |bencher, body| {
                bencher.iter(|| ours(black_box(body)));
            });
            if name != "escapes" {
                group.bench_with_input(BenchmarkId::from_parameter("glance"), body.as_bytes(), |bencher, body| {
                    bencher.iter(|| at_a_glance(black_box(body)));
                });
            }
            group.bench_with_input(BenchmarkId::from_parameter("control"), body.as_bytes(), |bencher, body| {
                bencher.iter(|| control(black_box(body)));
            });
            group.finish();
        }
    }
}

/// OpenTSDB's telnet lines, the same market data.
fn puts() -> String {
    let mut out = String::new();
    for i in 0..LINES {
        let (symbol, price) = (i % 1_000, 100.0 + (i * 7_919 % 10_000) as f64 / 100.0);
        let time = 1_700_000_000_000 + i;
        writeln!(out, "put ticks.price {time} {price:.2} symbol=SYM{symbol:04} exchange=XNAS")
            .expect("a String takes everything");
    }
    out
}

fn telnet(criterion: &mut Criterion) {
    let body = puts();
    let mut group = criterion.benchmark_group("parser/opentsdb/lines");
    group.throughput(Throughput::Elements(LINES as u64));
    group.bench_with_input(BenchmarkId::from_parameter("chunkwise"), body.as_bytes(), |bencher, body| {
        bencher.iter(|| {
            let mut seen = 0;
            for command in Commands::new(black_box(body)) {
                if let Command::Put(line) = black_box(command.expect("the body is valid")) {
                    seen += line.tags.len() + line.fields.len();
                }
            }
            seen
        });
    });
    group.finish();
}

criterion_group!(benches, parser, telnet);
criterion_main!(benches);
