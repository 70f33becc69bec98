//! Four shapes of one question, each beside its controls.

use std::{ops::Range, slice::from_ref};

use super::{
    ComputeBenchOptions,
    made::{Making, read_values},
};
use crate::bench::{BenchError, Better, Report, read_pass::Reading, statistics::median};

/// Runs before those that count.
const WARM_UP: usize = 2;
/// Buckets of a short chunk.
const SHORT_CHUNK: usize = 5;
/// The controls.
const CONTROLS: [(Reading, &str); 2] = [(Reading::Plain, "read_pass"), (Reading::Widest, "widest_read_pass")];

pub(super) fn measure(
    options: &ComputeBenchOptions,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let (series, buckets) = (options.series as usize, options.buckets as usize);
    let complete = Making::complete(series, buckets);
    let whole = 0..buckets;
    let one = from_ref(&whole);
    let five = five_ranges(buckets);

    tell(&format!("{series} series over {buckets} buckets: one range, and five that overlap"));
    let questions = [("one_range", one), ("five_ranges", &five[..])];
    shape(complete, "", &questions, options.rounds, report)?;
    tell("5 % missing at random");
    let gaps = Making { missing: 0.05, ..complete };
    shape(gaps, "missing_5_percent_", &[("missing_5_percent", one)], options.rounds, report)?;
    tell(&format!("in chunks of {SHORT_CHUNK} buckets"));
    let short = Making { chunk_buckets: SHORT_CHUNK, ..complete };
    shape(short, "chunks_of_5_", &[("chunks_of_5", one)], options.rounds, report)
}

/// Asks questions of the same panels in turn with the controls, whose names begin with `prefix`.
fn shape(
    making: Making,
    prefix: &str,
    questions: &[(&str, &[Range<usize>])],
    rounds: usize,
    report: &mut Report,
) -> Result<(), BenchError> {
    let made = making.make()?;
    let panels = made.views();
    let mut passes = CONTROLS.map(|_| Vec::new());
    let mut times = vec![Vec::new(); questions.len()];
    for round in 0..WARM_UP + rounds {
        let read = CONTROLS.map(|(reading, _)| read_values(&panels, reading));
        let took: Vec<f64> = questions.iter().map(|(_, ranges)| made.correlate(&panels, ranges)).collect();
        if round >= WARM_UP {
            passes.iter_mut().zip(read).for_each(|(passes, pass)| passes.push(pass));
            times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
        }
    }
    for ((name, _), times) in questions.iter().zip(times) {
        for ((_, control), passes) in CONTROLS.iter().zip(&passes) {
            let ratios: Vec<f64> = times.iter().zip(passes).map(|(time, pass)| time / pass).collect();
            report.add_samples(format!("{name}_to_{control}"), median(&ratios), "ratio", Better::Lower, ratios);
        }
        report.add_samples(*name, median(&times), "ms", Better::Lower, times);
    }
    for ((_, control), passes) in CONTROLS.iter().zip(passes) {
        report.add_samples(format!("{prefix}{control}"), median(&passes), "ms", Better::Lower, passes);
    }
    Ok(())
}

/// Five ranges that overlap, and together hold all buckets.
fn five_ranges(buckets: usize) -> Vec<Range<usize>> {
    (0..5).map(|range| buckets * range / 10..buckets - buckets * (4 - range) * 3 / 40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_ranges_overlap_and_hold_everything() {
        assert_eq!(five_ranges(2_000), [0..1_400, 200..1_550, 400..1_700, 600..1_850, 800..2_000]);
        let short = five_ranges(20);
        assert!(short.windows(2).all(|pair| pair[1].start < pair[0].end));
        assert_eq!((short[0].start, short[4].end), (0, 20));
    }
}
