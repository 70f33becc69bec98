//! One series against all others.

use std::time::Duration;

use serde_json::Value;

use super::{asking::Asking, growth, table::Stage};
use crate::bench::{
    BenchError, Better, Report,
    client::{Answer, Client},
    load,
    read_pass::{Reading, read_pass},
    service::{Role, Service},
    statistics::median,
};

pub(super) const PATH: &str = "/api/v1/correlate";
/// Questions before those that count.
const WARM_UP: usize = 5;
/// Lines a request of live ingestion, small enough to come evenly.
const LIVE_REQUEST_ROWS: usize = 5_000;
const LIVE_CONNECTIONS: usize = 4;
/// The control is repeated so often.
const PASSES: usize = 15;

pub(super) async fn measure(
    stage: &Stage<'_>,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    tell("memory is read: the control");
    let passes = read_passes(stage.cells());
    report.add_samples("read_pass", median(&passes), "ms", Better::Lower, passes.clone());

    tell("the first question, without blocks");
    let service = stage.serve(Role::Everything).await?;
    let mut client = Client::connect(&service).await?;
    let mut asking = Asking::new(stage);
    // Chunk by chunk: all at once may take longer than a question may.
    let (mut ms, mut rows, mut read_s) = (0.0, 0.0, 0.0);
    for question in asking.chunk_by_chunk() {
        let cold = client.ask(PATH, &Asking::top(question)).await?;
        ms += cold.ms();
        rows += cold.cost("/rows_read");
        read_s += cold.cost("/ms/read") / 1e3;
    }
    report.add("first_questions_without_blocks", ms, "ms", Better::Lower);
    report.add("first_questions_read", rows / read_s, "rows/s", Better::Higher);
    // Blocks go to their files a moment after the answer.
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(client);
    service.stop().await;

    tell("the first question, with blocks on disk");
    let service = stage.serve(Role::Everything).await?;
    let mut client = Client::connect(&service).await?;
    let cold = client.ask(PATH, &Asking::top(asking.whole())).await?;
    report.add("first_question_with_blocks", cold.ms(), "ms", Better::Lower);
    report.add("first_question_with_blocks_rows_read", cold.cost("/rows_read"), "rows", Better::Lower);

    let questions = stage.options.questions;
    tell(&format!("{questions} questions of each kind"));
    let any = many(&mut client, questions, || Asking::top(asking.any_ranges())).await?;
    report.add_latencies("any_ranges_top_50", &times(&any));
    let three = many(&mut client, questions, || Asking::top(asking.three_ranges())).await?;
    report.add_latencies("three_ranges_top_50", &times(&three));
    let short = many(&mut client, questions, || Asking::top(asking.short_range())).await?;
    report.add_latencies("250_buckets_top_50", &times(&short));
    let whole = many(&mut client, questions, || Asking::top(asking.whole())).await?;
    report.add_latencies("all_buckets_top_50", &times(&whole));
    let compute: Vec<f64> = whole.iter().map(|answer| answer.cost("/ms/compute")).collect();
    report.add("compute_to_read_pass", median(&compute) / median(&passes), "ratio", Better::Lower);
    report.add_samples("compute", median(&compute), "ms", Better::Lower, compute);

    tell("all results");
    let few = questions.min(50);
    let npy = of_format(&mut client, "npy", few, || asking.whole()).await?;
    report.add_latencies("all_results_npy", &times(&npy));
    let json = of_format(&mut client, "json", few, || asking.whole()).await?;
    report.add_latencies("all_results_json", &times(&json));
    let more = median(&times(&npy)) - median(&times(&whole));
    report.add("npy_beyond_top_50", more, "ms", Better::Lower);
    report.add(
        "all_results_json_bytes",
        json.first().map_or(f64::NAN, |answer| answer.bytes as f64),
        "B",
        Better::Lower,
    );

    if stage.options.live_rows_per_second > 0 {
        let rate = stage.options.live_rows_per_second;
        tell(&format!("the same while {rate} rows a second come in"));
        live(stage, &service, &mut client, &mut asking, report).await?;
    }
    let most = service.memory().map_or(f64::NAN, |(_, most)| most as f64);
    report.add("service_memory_max", most, "B", Better::Lower);
    if stage.options.further_chunks > 0 {
        growth::measure(stage, &service, &mut client, &mut asking, tell, report).await?;
    }
    drop(client);
    service.stop().await;
    report.sort_ratios_first();
    Ok(())
}

pub(super) async fn many(
    client: &mut Client,
    questions: usize,
    mut question: impl FnMut() -> Value,
) -> Result<Vec<Answer>, BenchError> {
    let mut answers = Vec::with_capacity(questions);
    for asked in 0..WARM_UP + questions {
        let answer = client.ask(PATH, &question()).await?;
        if asked >= WARM_UP {
            answers.push(answer);
        }
    }
    Ok(answers)
}

async fn of_format(
    client: &mut Client,
    format: &str,
    questions: usize,
    mut question: impl FnMut() -> Value,
) -> Result<Vec<Answer>, BenchError> {
    let mut answers = Vec::with_capacity(questions);
    for _ in 0..questions {
        answers.push(client.ask(&format!("{PATH}?format={format}"), &question()).await?);
    }
    Ok(answers)
}

pub(super) fn times(answers: &[Answer]) -> Vec<f64> {
    answers.iter().map(Answer::ms).collect()
}

/// The questions of the idle run, while rows come in at a set rate, behind the buckets that are asked for.
async fn live(
    stage: &Stage<'_>,
    service: &Service,
    client: &mut Client,
    asking: &mut Asking<'_>,
    report: &mut Report,
) -> Result<(), BenchError> {
    let sinks = stage.sinks(service, LIVE_CONNECTIONS).await?;
    let rate = f64::from(stage.options.live_rows_per_second);
    // More than are sent before the questions are through: the rest is given up.
    let rows = u64::from(stage.options.live_rows_per_second) * 600;
    let load = tokio::spawn(load::open(sinks, 0, rows, LIVE_REQUEST_ROWS, rate / LIVE_REQUEST_ROWS as f64));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let any = many(client, stage.options.questions, || Asking::top(asking.any_ranges())).await?;
    report.add_latencies("live_any_ranges_top_50", &times(&any));
    let three = many(client, stage.options.questions, || Asking::top(asking.three_ranges())).await?;
    report.add_latencies("live_three_ranges_top_50", &times(&three));
    if load.is_finished() {
        // It ends early only by an error.
        load.await??;
    } else {
        load.abort();
    }
    Ok(())
}

/// How long it takes all cores to read as many float32s as a question over everything computes with, in milliseconds.
fn read_passes(cells: usize) -> Vec<f64> {
    let memory = vec![1.0_f32; cells];
    (0..PASSES).map(|_| read_pass(&[&memory], Reading::Plain)).collect()
}
