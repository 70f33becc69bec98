//! How the time grows with series and with buckets, beside how the control's does.

use std::slice::from_ref;

use super::{
    ComputeBenchOptions,
    made::{Making, read_values},
};
use crate::bench::{
    BenchError, Better, Report,
    process::memory,
    read_pass::Reading,
    statistics::{log_log, median},
};

/// Runs before those that count.
const WARM_UP: usize = 2;
/// The fewest buckets; there are twice as many from point to point.
const FEWEST_BUCKETS: usize = 250;
/// So many series over 8,000 buckets take 1.7 GB.
const MOST_SERIES_OF_MANY_BUCKETS: usize = 50_000;

pub(super) fn measure(
    options: &ComputeBenchOptions,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let buckets = options.buckets as usize;
    let of_series: Vec<(usize, Making)> = series_points(options.most_series as usize)
        .into_iter()
        .map(|series| (series, Making::complete(series, buckets)))
        .take_while(|(_, making)| making.fits())
        .collect();
    points("series", &of_series, options.rounds, tell, report)?;

    let most_buckets = options.most_buckets as usize;
    let mut series = (options.series as usize).min(MOST_SERIES_OF_MANY_BUCKETS);
    while series > 1 && !Making::complete(series, most_buckets).fits() {
        series /= 2;
    }
    let of_buckets: Vec<(usize, Making)> =
        bucket_points(most_buckets).into_iter().map(|buckets| (buckets, Making::complete(series, buckets))).collect();
    report.add("series_of_buckets", series as f64, "series", Better::Higher);
    points("buckets", &of_buckets, options.rounds, tell, report)
}

/// Measures point by point, and draws lines through them.
fn points(
    what: &str,
    points: &[(usize, Making)],
    rounds: usize,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let (mut times, mut passes) = (Vec::new(), Vec::new());
    for (many, making) in points {
        tell(&format!("{} series over {} buckets", making.series, making.buckets));
        let made = making.make()?;
        let panels = made.views();
        let whole = 0..making.buckets;
        let (mut time, mut pass) = (Vec::new(), Vec::new());
        for round in 0..WARM_UP + rounds {
            let (read, took) = (read_values(&panels, Reading::Plain), made.correlate(&panels, from_ref(&whole)));
            if round >= WARM_UP {
                pass.push(read);
                time.push(took);
            }
        }
        times.push((*many as f64, median(&time)));
        passes.push((*many as f64, median(&pass)));
        report.add_samples(format!("{what}_{many}"), median(&time), "ms", Better::Lower, time);
        report.add_samples(format!("{what}_{many}_read_pass"), median(&pass), "ms", Better::Lower, pass);
        let resident = memory(std::process::id()).map_or(f64::NAN, |(now, _)| now as f64);
        report.add(format!("{what}_{many}_memory"), resident, "B", Better::Lower);
    }
    report.add_log_log_slope(what, log_log(&times));
    report.add_log_log_slope(&format!("{what}_read_pass"), log_log(&passes));
    Ok(())
}

/// 1, 2 and 5 times powers of ten, from 1,000 on, or where that would be few points from a twentieth on, and the most.
fn series_points(most: usize) -> Vec<usize> {
    let fewest = if most >= 10_000 { 1_000 } else { most / 20 };
    let powers = std::iter::successors(Some(1_usize), |power| power.checked_mul(10)).take_while(|power| *power <= most);
    let round = powers.flat_map(|power| [power, 2 * power, 5 * power]);
    let mut points: Vec<usize> = round.filter(|point| (fewest..most).contains(point)).collect();
    points.push(most);
    points
}

fn bucket_points(most: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(FEWEST_BUCKETS), |buckets| buckets.checked_mul(2));
    doubled.take_while(|buckets| *buckets <= most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_round_numbers_and_the_most() {
        let expected = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000];
        assert_eq!(series_points(200_000), expected);
        assert_eq!(series_points(12_345), [1_000, 2_000, 5_000, 10_000, 12_345]);
        assert_eq!(series_points(60), [5, 10, 20, 50, 60]);
        assert_eq!(series_points(2), [1, 2]);
        assert_eq!(bucket_points(8_000), [250, 500, 1_000, 2_000, 4_000, 8_000]);
    }
}
