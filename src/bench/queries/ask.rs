//! Asks one question by one path, and looks at how it is going to be answered.

use std::{future::ready, time::Instant};

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    question::{Path, Question, Range},
    stage::Stage,
};
use crate::bench::BenchError;

/// Arrays, one for each aggregate.
const WINDOW: &str = "/api/v1/window?format=npz";

/// An answer, whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) ms: f64,
    /// Rows of the answer, or its bytes where it is an array.
    pub(super) size: f64,
}

/// What the server meant to do, and what came of it.
#[derive(Debug)]
pub(super) struct Look {
    /// Chunks of rows that it opens, and those that it does not.
    pub(super) touched: usize,
    pub(super) excluded: usize,
    /// The plan with its rows; an array's receipts, one a window.
    pub(super) plan: Value,
}

/// When the server makes the plan of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planning {
    /// Each time that it is asked: what somebody types once.
    EachTime,
    /// The first time, as clients do by default for what they ask again and again: what a screen shows.
    Once,
}

/// Asks, and takes the answer as it comes.
pub(super) async fn ask(
    stage: &mut Stage<'_>,
    analyst: &mut PgConnection,
    question: Question,
    path: Path,
    range: Range,
    planning: Planning,
) -> Result<Asked, BenchError> {
    let begun = Instant::now();
    let size = if path == Path::Window {
        stage.client.ask(WINDOW, &question.window(range, &stage.few)).await?.bytes
    } else {
        let sql = question.sql(path, range, &stage.few);
        let rows = sqlx::query(&sql).persistent(planning == Planning::Once).fetch(analyst);
        rows.try_fold(0, |count, _| ready(Ok(count + 1))).await?
    };
    Ok(Asked { ms: begun.elapsed().as_secs_f64() * 1e3, size: size as f64 })
}

/// Asks once without a clock.
pub(super) async fn look(
    stage: &mut Stage<'_>,
    analyst: &mut PgConnection,
    question: Question,
    path: Path,
    range: Range,
) -> Result<Look, BenchError> {
    if path == Path::Window {
        let receipt = stage.client.ask(WINDOW, &question.window(range, &stage.few)).await?.receipt;
        let chunks = |what: &str| usize::try_from(receipt["chunks"][what].as_u64().unwrap_or(0)).unwrap_or(0);
        let (total, excluded) = (chunks("total"), chunks("pruned"));
        return Ok(Look { touched: total.saturating_sub(excluded), excluded, plan: receipt });
    }
    // The control's plan is of interest, and not worth its time once more.
    let analyze = if path == Path::Plain { "" } else { "ANALYZE, TIMING OFF, " };
    let sql = format!("EXPLAIN ({analyze}FORMAT json) {}", question.sql(path, range, &stage.few));
    let plan: Value = sqlx::query_scalar(&sql).persistent(false).fetch_one(analyst).await?;
    let names = if path == Path::Plain { Vec::new() } else { stage.chunk_names().await? };
    let mut opened = Vec::new();
    relations(&plan, &mut opened);
    let touched = names.iter().filter(|name| opened.contains(&name.as_str())).count();
    Ok(Look { touched, excluded: names.len() - touched, plan })
}

/// The tables that a plan scans; parts that were never executed count too, as they were opened.
fn relations<'p>(node: &'p Value, found: &mut Vec<&'p str>) {
    match node {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("Relation Name") {
                found.push(name);
            }
            fields.values().for_each(|value| relations(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| relations(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_at_any_depth_of_a_plan() {
        let plan = serde_json::json!([{"Plan": {"Node Type": "Append", "Plans": [
            {"Relation Name": "_hyper_1_2_chunk"}, {"Plans": [{"Relation Name": "_hyper_1_3_chunk"}]}]}}]);
        let mut found = Vec::new();
        relations(&plan, &mut found);
        assert_eq!(found, ["_hyper_1_2_chunk", "_hyper_1_3_chunk"]);
    }
}
