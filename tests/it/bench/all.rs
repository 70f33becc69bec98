//! `chunkwise bench all`: every benchmark's figures in one report, and the page.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;

use super::Told;
use crate::support::{Process, TestDatabase, command, run, run_within};

const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn bench_all_writes_every_benchmark_s_figures_and_a_page_that_opens_offline() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (json, html) = (folder.path().join("all.json"), folder.path().join("all.html"));
    let url = database.url();
    let charts = folder.path().join("charts");
    std::fs::create_dir(&charts).unwrap();
    let files = ["--json", json.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let files = [&files[..], &["--charts", charts.to_str().unwrap()]].concat();
    let arguments = [&["bench", "all", "--quick", "--database-url", &url][..], &files].concat();
    let said = run_within(&arguments, Duration::from_secs(600)).successful();
    assert!(said.text().contains("steadiness.chunkwise_to_plain"), "{}", said.text());

    let told = Told::read(&json);
    for name in [
        "ingest.service_to_ceiling",
        "steadiness.chunkwise_rate",
        "queries.q1_10982_window",
        "correlation.three_ranges_top_50_p90",
        "computing.one_range_to_read_pass",
        "storage.delete_to_drop",
    ] {
        assert!(told.value(name) > 0.0, "{name}");
        let part = name.split_once('.').unwrap().0;
        assert!(told.report["parts"][part]["cpu"].is_string(), "{part}");
    }
    assert!(told.plans().contains(&"queries.q1_10982_sql"));
    assert_eq!(told.report["environment"]["seed"], 1);

    let page = std::fs::read_to_string(&html).unwrap();
    for wanted in ["At a glance", "Rows a second as the data grow", "Q3:", "plain read: the floor", "TimescaleDB 0.4.2"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(page.matches("<svg").count() >= 6, "{}", page.matches("<svg").count());
    for foreign in ["http:", "https:", "<script", "<link", "@import", "url(", "NaN", "inf "] {
        assert!(!page.contains(foreign), "{foreign}");
    }

    assert!(told.report.get("missing").is_none(), "{}", told.report["missing"]);
    let tables = std::fs::read_to_string(charts.join("figures.md")).unwrap();
    for wanted in ["## At a glance", "## storage", "| drop_seconds |", "](rates.svg)", "](q3.svg)"] {
        assert!(tables.contains(wanted), "{wanted}");
    }
    let drawn = std::fs::read_to_string(charts.join("rates.svg")).unwrap();
    assert!(drawn.starts_with("<svg xmlns=") && drawn.contains("PostgreSQL's table"), "{drawn}");

    // A report is compared with itself: nothing has changed.
    let file = json.to_str().unwrap();
    let compared = run(&["bench", "compare", file, file]).successful();
    assert!(compared.text().contains(" 0 worse,") && !compared.text().contains("differs:"), "{}", compared.text());
}

#[test]
fn a_benchmark_that_fails_is_told_and_costs_its_own_figures_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (json, html) = (folder.path().join("all.json"), folder.path().join("all.html"));
    let files = ["--json", json.to_str().unwrap(), "--html", html.to_str().unwrap()];
    // Nobody listens there.
    let arguments = ["bench", "all", "--quick", "--database-url", "postgres://nobody@127.0.0.1:1/nothing"];
    let said = run(&[&arguments[..], &files].concat());
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("error: the benchmark ingest failed"), "{}", said.stderr);
    let last = said.stderr.lines().last().unwrap();
    assert!(last.contains("without figures: ingest, steadiness, queries, correlation, storage"), "{last}");
    let told = Told::read(&json);
    assert!(told.value("computing.one_range_to_read_pass") > 0.0);
    let missing = told.report["missing"].as_object().unwrap();
    assert!(missing.len() == 5 && missing["storage"].as_str().unwrap().contains("failed"), "{missing:?}");
    assert!(std::fs::read_to_string(&html).unwrap().contains("No figures of storage: "));
}

/// Computing alone, of so many series, with its standard error piped.
fn computing(series: &str, more: &[&str]) -> Process {
    let arguments = ["bench", "correlation", "--from-blocks", "--quick", "--series", series, "--buckets", "200"];
    let arguments = [&arguments[..], more].concat();
    Process::spawn(command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()))
}

#[test]
fn that_nobody_reads_what_it_tells_ends_no_benchmark() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blocks.json");
    let mut process = computing("60", &["--json", file.to_str().unwrap()]);
    // As `2>&1 | head -1` does.
    let mut first = String::new();
    BufReader::with_capacity(1, process.stderr()).read_line(&mut first).unwrap();
    assert_eq!(process.wait(LIMIT).code(), Some(0));
    assert!(Told::read(&file).value("one_range_to_read_pass") > 0.0);
}

#[test]
fn a_benchmark_that_is_stopped_says_by_what() {
    let mut process = computing("50000", &[]);
    let mut said = BufReader::new(process.stderr());
    let mut text = String::new();
    said.read_line(&mut text).unwrap();
    process.signal(Signal::TERM);
    said.read_to_string(&mut text).unwrap();
    assert_eq!(process.wait(LIMIT).code(), Some(1), "{text}");
    assert!(text.contains("error: stopped before there were figures, by SIGTERM"), "{text}");
}
