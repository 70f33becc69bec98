//! The values of all series, beside what the database gives away to two connections.

use chrono::DateTime;
use futures_util::TryStreamExt;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::{task::JoinSet, time::Instant};

use super::table::{BUCKET, BUCKET_US, FIELD, Stage};
use crate::bench::{BenchError, Better, Report, client::Client, service::Role, statistics::median};

/// So often each way is measured, in turns.
const ROUNDS: usize = 5;
/// So many values are asked for at most: a window holds its values twice for a moment.
const MOST_CELLS: u32 = 25_000_000;

pub(super) async fn measure(
    stage: &Stage<'_>,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let service = stage.serve(Role::Everything).await?;
    let mut client = Client::connect(&service).await?;
    let buckets = (MOST_CELLS / stage.options.series.max(1)).clamp(1, stage.options.buckets);
    let rows = f64::from(stage.options.series) * f64::from(buckets);
    let question = json!({
        "measurement": Stage::measurement(), "field": FIELD, "bucket": BUCKET,
        "from": stage.bucket_ms(0), "to": stage.bucket_ms(buckets),
    });
    let (mut windows, mut reading, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        tell(&format!("round {round} of {ROUNDS}: {buckets} buckets of {} series", stage.options.series));
        let answer = client.ask("/api/v1/window?format=npy", &question).await?;
        let copied = copy_out(stage, buckets).await?;
        // The first round fetches pages and makes connections.
        if round > 0 {
            windows.push(rows / answer.elapsed.as_secs_f64());
            reading.push(rows / ((answer.cost("/ms/read") + answer.cost("/ms/align")) / 1e3));
            copies.push(rows / copied);
        }
    }
    report.add("frame_to_copy", median(&reading) / median(&copies), "ratio", Better::Higher);
    report.add_samples("frame", median(&reading), "rows/s", Better::Higher, reading);
    report.add_samples("window_npy", median(&windows), "rows/s", Better::Higher, windows);
    report.add_samples("two_copies", median(&copies), "rows/s", Better::Higher, copies);

    tell("one series");
    let mut times = Vec::new();
    for series in stage.ids.iter().take(stage.options.questions) {
        let mut one = question.clone();
        one["series"] = json!({"series_id": [series]});
        times.push(client.ask("/api/v1/window", &one).await?.ms());
    }
    report.add_latencies("one_series", &times);
    drop(client);
    service.stop().await;
    Ok(())
}

/// The same rows over two connections, thrown away as they come; in seconds.
async fn copy_out(stage: &Stage<'_>, buckets: u32) -> Result<f64, BenchError> {
    let mut connections = Vec::new();
    for _ in 0..2 {
        connections.push(stage.scratch.connect().await?);
    }
    let half = buckets.div_ceil(2);
    let begun = Instant::now();
    let mut readers = JoinSet::new();
    for (connection, range) in connections.into_iter().zip([(0, half), (half, buckets)]) {
        let at = |bucket: u32| stage.first_us + i64::from(bucket) * BUCKET_US;
        readers.spawn(read(connection, at(range.0), at(range.1)));
    }
    while let Some(read) = readers.join_next().await {
        read??;
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn read(mut connection: PgConnection, from_us: i64, to_us: i64) -> Result<(), BenchError> {
    // As constants, so that the plan has the chunks of the range alone.
    let time = |us: i64| format!("'{}'", DateTime::from_timestamp_micros(us).unwrap_or_default().to_rfc3339());
    let sql = format!(
        "COPY (SELECT \"time\", series_id, {FIELD} FROM public_store.ticks WHERE \"time\" >= {} AND \"time\" < {})
         TO STDOUT (FORMAT binary)",
        time(from_us),
        time(to_us),
    );
    {
        let mut messages = connection.copy_out_raw(&sql).await?;
        while messages.try_next().await?.is_some() {}
    }
    Ok(connection.close().await?)
}
