//! Each question over each number of records by each path, at rest and while rows come in.

use sqlx::PgConnection;

use super::{
    PLAIN,
    ask::{Planning, ask, look},
    question::{Path, Question},
    stage::Stage,
};
use crate::bench::{BenchError, Better, Plan, Report, load::Live, statistics::median};

/// Requests a second of what comes in meanwhile: they come evenly, and none is large.
const LIVE_REQUESTS: u32 = 20;

/// A question over so many records, and the times of each path, round by round.
#[derive(Debug)]
struct Cell {
    question: Question,
    records: u64,
    times: [Vec<f64>; Path::ALL.len()],
}

/// What is asked without a clock before the rounds that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WarmUp {
    /// The plans, which go into the report.
    Plans,
    /// The question itself.
    Question,
}

pub(super) async fn measure(
    stage: &mut Stage<'_>,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    tell("they are copied to a plain table");
    stage.copy_to_plain(stage.range_of_all()).await?;
    for &records in &stage.options.records {
        let range = stage.range_of(records);
        for table in ["ticks", PLAIN] {
            let found = stage.count(table, range).await?;
            if found != records {
                return Err(BenchError::Miscounted { sent: records, found });
            }
        }
    }
    let mut analyst = stage.connect().await?;
    tell("three questions by four paths, at rest");
    let idle = all(stage, &mut analyst, WarmUp::Plans, tell, report).await?;
    let rate = f64::from(stage.options.live_rows_per_second);
    let mut live = Vec::new();
    if rate > 0.0 {
        tell(&format!("the same while {rate} rows a second come in"));
        let request_rows = (stage.options.live_rows_per_second / LIVE_REQUESTS).clamp(1, 5_000);
        let requests = rate / f64::from(request_rows);
        let load = Live::begin(stage.live_sinks().await?, request_rows as usize, requests);
        live = all(stage, &mut analyst, WarmUp::Question, tell, report).await?;
        let kept = load.end().await?;
        report.add("live_rate_kept", kept.share, "ratio", Better::Higher);
        report.add("live_rate", kept.rows_per_second, "rows/s", Better::Higher);
        for (quantile, label) in [(0.5, "p50"), (0.99, "p99"), (1.0, "max")] {
            report.add(format!("live_ack_{label}"), kept.measured.latency_ms(quantile), "ms", Better::Lower);
        }
    }
    tell_all(&idle, &live, report);
    Ok(())
}

async fn all(
    stage: &mut Stage<'_>,
    analyst: &mut PgConnection,
    warm_up: WarmUp,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<Vec<Cell>, BenchError> {
    let sql_rounds = match warm_up {
        WarmUp::Plans => stage.options.sql_rounds,
        WarmUp::Question => stage.options.sql_rounds.div_ceil(2),
    };
    let mut cells = Vec::new();
    for &records in &stage.options.records {
        tell(&format!("{records} records"));
        let range = stage.range_of(records);
        for question in Question::ALL {
            if warm_up == WarmUp::Plans {
                for path in Path::ALL {
                    let look = look(stage, analyst, question, path, range).await?;
                    let name = name(question, records, path);
                    if path != Path::Plain {
                        for (what, chunks) in [("touched", look.touched), ("excluded", look.excluded)] {
                            report.add(format!("{name}_chunks_{what}"), chunks as f64, "chunks", Better::Lower);
                        }
                    }
                    report.plans.push(Plan { name, plan: look.plan });
                }
            }
            let mut times: [Vec<f64>; Path::ALL.len()] = Default::default();
            let mut sizes = [0.0; Path::ALL.len()];
            // The plans were a warm-up too.
            for round in usize::from(warm_up == WarmUp::Plans)..=stage.options.rounds {
                for (at, path) in Path::ALL.into_iter().enumerate() {
                    if path.is_slow() && !(1..=sql_rounds).contains(&round) {
                        continue;
                    }
                    let asked = ask(stage, analyst, question, path, range, Planning::Once).await?;
                    sizes[at] = asked.size;
                    if round > 0 {
                        times[at].push(asked.ms);
                    }
                }
            }
            let [sql, _, _, plain] = sizes;
            if sql.to_bits() != plain.to_bits() {
                return Err(BenchError::Disagreement { question: question.name(), sql, plain });
            }
            if warm_up == WarmUp::Plans {
                let name = format!("{}_{records}_rows", question.name());
                report.add(name, sql, "rows", Better::Higher);
            }
            cells.push(Cell { question, records, times });
        }
    }
    Ok(cells)
}

fn name(question: Question, records: u64, path: Path) -> String {
    format!("{}_{records}_{}", question.name(), path.name())
}

/// The targets first: over all cells the least and the most.
fn tell_all(idle: &[Cell], live: &[Cell], report: &mut Report) {
    let ratios = |above: &[f64], below: &[f64]| above.iter().zip(below).map(|(a, b)| a / b).collect::<Vec<_>>();
    let (mut rollup, mut plain, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |name: String, samples: Vec<f64>, unit, better| {
        let value = median(&samples);
        report.add_samples(name, value, unit, better, samples);
        value
    };
    for cell in idle {
        let name = format!("{}_{}", cell.question.name(), cell.records);
        let [sql, window, bars, table] = &cell.times;
        rollup.push(add(format!("{name}_sql_to_rollup"), ratios(sql, bars), "ratio", Better::Higher));
        plain.push(add(format!("{name}_plain_to_window"), ratios(table, window), "ratio", Better::Higher));
    }
    for (cell, at_rest) in live.iter().zip(idle) {
        let name = format!("live_{}_{}_window_growth", cell.question.name(), cell.records);
        growth.push(add(name, ratios(&cell.times[1], &at_rest.times[1]), "ratio", Better::Lower));
    }
    for (prefix, cells) in [("", idle), ("live_", live)] {
        for cell in cells {
            for (path, times) in Path::ALL.into_iter().zip(&cell.times) {
                let name = format!("{prefix}{}", name(cell.question, cell.records, path));
                add(name, times.clone(), "ms", Better::Lower);
            }
        }
        let slowest = cells.iter().map(|cell| median(&cell.times[1])).fold(f64::NAN, f64::max);
        add(format!("{prefix}window_slowest"), vec![slowest], "ms", Better::Lower);
    }
    let mut extreme = |name: &str, samples: Vec<f64>, pick: fn(f64, f64) -> f64, better| {
        let value = samples.iter().copied().fold(f64::NAN, pick);
        report.add_samples(name, value, "ratio", better, samples);
    };
    extreme("sql_to_rollup_least", rollup, f64::min, Better::Higher);
    extreme("plain_to_window_least", plain, f64::min, Better::Higher);
    extreme("live_window_growth_most", growth, f64::max, Better::Lower);
}
