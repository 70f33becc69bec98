//! The same questions over the same rows while the store grows around them.

use super::{
    ask::{Planning, ask, look},
    question::{Path, Question},
    stage::Stage,
};
use crate::bench::{BenchError, Better, Plan, Report, statistics::median};

/// How many times larger than what is asked for.
const TIMES: [u32; 3] = [1, 10, MOST_TIMES];
pub(super) const MOST_TIMES: u32 = 100;
/// Without the plain table, which does not grow.
const PATHS: [Path; 3] = [Path::Sql, Path::Window, Path::Rollup];

pub(super) async fn measure(
    stage: &mut Stage<'_>,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let range = stage.pruning_range();
    let mut analyst = stage.connect().await?;
    let mut at_first = Vec::new();
    for times in TIMES {
        tell(&format!("{} rows are written, sealed and rolled up", stage.options.pruning_rows(times)));
        stage.grow(times).await?;
        tell(&format!("questions about {} of them", stage.options.pruning_rows(1)));
        let mut of_questions = Vec::new();
        for question in [Question::Q1, Question::Q2] {
            for path in PATHS {
                let name = format!("store_{times}x_{}_{}", question.name(), path.name());
                let look = look(stage, &mut analyst, question, path, range).await?;
                for (what, chunks) in [("touched", look.touched), ("excluded", look.excluded)] {
                    report.add(format!("{name}_chunks_{what}"), chunks as f64, "chunks", Better::Lower);
                }
                report.plans.push(Plan { name: name.clone(), plan: look.plan });
                let mut ms = Vec::new();
                for _ in 0..stage.options.rounds.max(3) {
                    // In a larger store there is more to plan.
                    let asked = ask(stage, &mut analyst, question, path, range, Planning::EachTime).await?;
                    ms.push(asked.ms);
                }
                of_questions.push((question, path, median(&ms)));
                report.add_samples(name, median(&ms), "ms", Better::Lower, ms);
            }
        }
        if at_first.is_empty() {
            at_first = of_questions;
            continue;
        }
        for ((question, path, ms), (_, _, before)) in of_questions.iter().zip(&at_first) {
            let name = format!("store_{times}x_to_1x_{}_{}", question.name(), path.name());
            report.add(name, ms / before, "ratio", Better::Lower);
        }
    }
    Ok(())
}
