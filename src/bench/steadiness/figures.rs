//! From turns to figures. Pure.

use std::time::Duration;

use super::{state::Turn, way::Way};
use crate::bench::{Better, Report, statistics::median};

/// With fewer whole seconds the slowest hundredth means nothing.
const FEWEST_SECONDS: usize = 20;

/// Figures of all ways, ratios first.
pub(super) fn report(turns: &[Turn], step_rows: u64, report: &mut Report) {
    let of = |way: Way| turns.iter().filter(move |turn| turn.way == way).collect::<Vec<_>>();
    let rates = |way: Way| of(way).iter().map(|turn| turn.rate()).collect::<Vec<_>>();
    for control in [Way::Plain, Way::Hypertable] {
        let ratios: Vec<f64> =
            rates(Way::Chunkwise).iter().zip(rates(control)).map(|(own, control)| own / control).collect();
        let name = format!("chunkwise_to_{}", control.name());
        report.add_samples(name.as_str(), median(&ratios), "ratio", Better::Higher, ratios.clone());
        let end = ratios[ratios.len() - ratios.len().div_ceil(10)..].to_vec();
        report.add_samples(format!("{name}_at_the_end"), median(&end), "ratio", Better::Higher, end);
    }
    for way in Way::ALL {
        let name = way.name();
        let (turns, rates) = (of(way), rates(way));
        report.add_samples(format!("{name}_rate"), median(&rates), "rows/s", Better::Higher, rates.clone());
        report.add_slope(name, &rates, step_rows);
        let seconds = seconds(&turns);
        if seconds.len() >= FEWEST_SECONDS {
            let mut sorted = seconds.clone();
            sorted.sort_by(f64::total_cmp);
            let slowest = sorted[sorted.len().div_ceil(100) - 1];
            report.add_samples(format!("{name}_second_p50"), median(&seconds), "rows/s", Better::Higher, seconds);
            report.add(format!("{name}_second_p1"), slowest, "rows/s", Better::Higher);
        }
        let stalls: Vec<f64> = turns.iter().map(|turn| stall(turn).as_secs_f64() * 1e3).collect();
        let worst = stalls.iter().copied().fold(0.0, f64::max);
        report.add_samples(format!("{name}_worst_stall"), worst, "ms", Better::Lower, stalls);
    }
    let sealing: Vec<f64> = of(Way::Chunkwise)
        .iter()
        .filter(|turn| turn.sealed_chunks > 0)
        .map(|turn| turn.sealing.as_secs_f64() / turn.sealed_chunks as f64)
        .collect();
    report.add_samples("chunkwise_seal_seconds", median(&sealing), "s/chunk", Better::Lower, sealing);
}

/// Rows that were acknowledged in each whole second of a way's turns, one after the other.
fn seconds(turns: &[&Turn]) -> Vec<f64> {
    let mut counts = Vec::new();
    let mut before = Duration::ZERO;
    for turn in turns {
        let mut acknowledged = 0;
        for &(rows, at) in &turn.progress {
            let second = usize::try_from((before + at).as_secs()).unwrap_or(usize::MAX);
            if counts.len() <= second {
                counts.resize(second + 1, 0.0);
            }
            counts[second] += (rows - acknowledged) as f64;
            acknowledged = rows;
        }
        before += turn.elapsed;
    }
    counts.truncate(usize::try_from(before.as_secs()).unwrap_or(usize::MAX));
    counts
}

/// The longest time without an acknowledgement.
fn stall(turn: &Turn) -> Duration {
    let times = turn.progress.iter().map(|&(_, at)| at);
    let before = std::iter::once(Duration::ZERO).chain(times.clone());
    times.zip(before).map(|(at, before)| at.saturating_sub(before)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Environment;

    /// Ten acknowledgements at an even pace, but for the fifth, which comes with the sixth.
    fn turn(step: u64, way: Way, milliseconds: u64) -> Turn {
        let at = |request: u64| Duration::from_millis(milliseconds * if request == 5 { 6 } else { request } / 10);
        Turn {
            step,
            way,
            rows: 1_000,
            elapsed: Duration::from_millis(milliseconds),
            sealing: Duration::ZERO,
            sealed_chunks: 0,
            progress: (1..=10).map(|request| (request * 100, at(request))).collect(),
        }
    }

    #[test]
    fn what_falls_is_told_from_what_does_not() {
        let turns: Vec<Turn> = (0..20)
            .flat_map(|step| {
                [
                    turn(step, Way::Plain, 1_000 + 100 * step),
                    turn(step, Way::Hypertable, 2_000),
                    turn(step, Way::Chunkwise, if step % 2 == 0 { 990 } else { 1_010 }),
                ]
            })
            .collect();
        let mut found = Report::new(Environment::default());
        report(&turns, 1_000, &mut found);
        let value = |name: &str| found.metric(name).unwrap_or_else(|| panic!("{name}: {found}")).value;
        assert!((value("chunkwise_to_hypertable") - 2.0).abs() < 0.05);
        assert!(value("chunkwise_to_plain_at_the_end") > 2.7 && value("chunkwise_to_plain") < 2.1);
        assert!(value("plain_slope_high") < 0.0);
        assert!(value("chunkwise_slope_low") < 0.0 && value("chunkwise_slope_high") > 0.0);
        assert_eq!(value("hypertable_second_p50"), 500.0);
        assert_eq!(value("hypertable_worst_stall"), 400.0);
        assert!(found.metric("chunkwise_seal_seconds").is_none(), "nothing was sealed");
        assert_eq!(found.metric("plain_rate").unwrap().samples.len(), 20);
    }
}
