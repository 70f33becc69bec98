//! The same questions as the store grows by chunks that they have nothing to do with.
//!
//! The chunks lie before all that is asked for, a row in each, written through the service one after the other. After each
//! step come the first question, about all buckets, and then always the same warm questions about three ranges.

use std::sync::Arc;

use serde_json::Value;

use super::{
    asking::Asking,
    correlation::{PATH, many, times},
    table::{BUCKET_US, CHUNK_BUCKETS, Stage},
};
use crate::bench::{
    BenchError, Better, Report, RowTimes, Transport,
    client::Client,
    lines::Lines,
    load,
    service::Service,
    sink::ServiceSink,
    statistics::{log_log, median},
};

/// Chunks that a request makes: more would hold many locks at once.
const REQUEST_CHUNKS: usize = 20;

pub(super) async fn measure(
    stage: &Stage<'_>,
    service: &Service,
    client: &mut Client,
    asking: &mut Asking<'_>,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let most = stage.options.further_chunks;
    let interval_us = i64::from(CHUNK_BUCKETS) * BUCKET_US;
    let times_of_rows =
        RowTimes { first_us: stage.first_us - (i64::from(most) + 1) * interval_us, step_us: interval_us };
    let lines = Arc::new(Lines::line_protocol(stage.options.series, most as usize)?.at(times_of_rows));
    let whole = Asking::top(asking.whole());
    let questions: Vec<Value> = (0..stage.options.questions).map(|_| Asking::top(asking.three_ranges())).collect();
    let (mut there, mut points) = (0, Vec::new());
    for chunks in steps(most) {
        tell(&format!("{chunks} further chunks"));
        let sinks = ServiceSink::several(service, Transport::Http, 1, &lines).await?;
        load::closed(sinks, u64::from(there), u64::from(chunks - there), REQUEST_CHUNKS).await?;
        there = chunks;

        let name = |figure: &str| format!("further_chunks_{chunks}_{figure}");
        let first = client.ask(PATH, &whole).await?;
        report.add(name("first_question"), first.ms(), "ms", Better::Lower);
        report.add(name("first_question_rows_read"), first.cost("/rows_read"), "rows", Better::Lower);
        let mut next = questions.iter().cycle();
        let answers = many(client, questions.len(), || next.next().cloned().unwrap_or_default()).await?;
        let ms = times(&answers);
        report.add_latencies(&name("three_ranges_top_50"), &ms);
        let now = service.memory().map_or(f64::NAN, |(now, _)| now as f64);
        report.add(name("service_memory"), now, "B", Better::Lower);
        if chunks > 0 {
            points.push((f64::from(chunks), median(&ms)));
        }
    }
    report.add_log_log_slope("further_chunks", log_log(&points));
    Ok(())
}

/// None, a hundredth, a tenth and all of them.
fn steps(most: u32) -> Vec<u32> {
    let mut steps = vec![0, (most / 100).max(1), (most / 10).max(1), most];
    steps.dedup();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_tenfold() {
        assert_eq!(steps(1_000), [0, 10, 100, 1_000]);
        assert_eq!(steps(20), [0, 1, 2, 20]);
        assert_eq!(steps(1), [0, 1]);
    }
}
