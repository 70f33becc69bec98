//! How far two figures lie apart although nothing has changed. Pure.

use std::collections::BTreeMap;

use statrs::distribution::{Binomial, DiscreteCDF};

use crate::bench::statistics::median;

/// Two runs are never the same to less than that.
const LEAST_FLOOR: f64 = 0.05;

/// Of so many controls the usual one can be told from one that is so many times as far out.
const MANY_CONTROLS: usize = 5;
const FAR_OUT: f64 = 4.0;

/// From so many samples on it can be told whether neighbours resemble each other.
const SERIAL_SAMPLES: usize = 8;

/// What the names of controls end with: what chunkwise has no part in.
const CONTROLS: [&str; 8] = [
    "ceiling_rate",
    "naive_rate",
    "plain_rate",
    "hypertable_rate",
    "two_copies",
    "read_pass",
    "seal_control_seconds",
    "_plain",
];

/// The ends of the interval that the median is in with 95 % probability: of raw samples whatever their distribution is (order
/// statistics), and from the least to the greatest where there are fewer than six.
///
/// Samples that follow each other often resemble each other, as a disturbance lasts for several. So many are worth fewer, and
/// the interval is wider by as much.
pub(super) fn interval(samples: &[f64]) -> (f64, f64) {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    if count == 0 {
        return (f64::NAN, f64::NAN);
    }
    let outside = outside(count as u64).min((count - 1) / 2);
    let (low, high) = (sorted[outside], sorted[count - 1 - outside]);
    let (middle, alike) = (median(samples), serial(samples));
    let wider = ((1.0 + alike) / (1.0 - alike)).sqrt();
    // No wider than what was seen.
    let (least, most) = (sorted[0], sorted[count - 1]);
    ((middle - (middle - low) * wider).max(least), (middle + (high - middle) * wider).min(most))
}

/// How many of the least samples lie below the interval: so many coins show heads with less than 2.5 % probability.
fn outside(count: u64) -> usize {
    let Ok(coins) = Binomial::new(0.5, count) else { return 0 };
    let heads = (0..count).take_while(|heads| coins.cdf(*heads) <= 0.025).count();
    heads.saturating_sub(1)
}

/// How much samples resemble the one before, from 0 to 0.95: the correlation of neighbours' ranks, which outliers do not bend.
fn serial(samples: &[f64]) -> f64 {
    let count = samples.len();
    if count < SERIAL_SAMPLES {
        return 0.0;
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| samples[*a].total_cmp(&samples[*b]));
    let mut ranks = vec![0.0; count];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank as f64 - (count - 1) as f64 / 2.0;
    }
    let all: f64 = ranks.iter().map(|rank| rank * rank).sum();
    let neighbours: f64 = ranks.windows(2).map(|pair| pair[0] * pair[1]).sum();
    (neighbours / all).clamp(0.0, 0.95)
}

/// How much figures have to change, by benchmark.
#[derive(Debug)]
pub(super) struct Floors {
    /// As natural logarithms of ratios.
    by_part: BTreeMap<String, f64>,
    /// Where a benchmark has no controls: what is asked for of all.
    of_all: f64,
}

impl Floors {
    /// From all figures that both reports have: their names and both values.
    pub(super) fn of<'f>(figures: impl Iterator<Item = (&'f str, f64, f64)>) -> Self {
        let mut changes: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, a, b) in figures.filter(|(name, ..)| is_control(name)) {
            let change = (b / a).ln().abs();
            if change.is_finite() {
                changes.entry(part(name).to_owned()).or_default().push(change);
            }
        }
        let by_part: BTreeMap<String, f64> =
            changes.iter().map(|(part, changes)| (part.clone(), floor(changes))).collect();
        let all: Vec<f64> = changes.into_values().flatten().collect();
        Self { by_part, of_all: floor(&all) }
    }

    /// Whether a figure has changed by more than the machine may have.
    pub(super) fn is_passed(&self, name: &str, unit: &str, a: f64, b: f64) -> bool {
        let change = (b / a).ln().abs();
        let floor = match unit {
            "ratio" => LEAST_FLOOR,
            _ => self.by_part.get(part(name)).copied().unwrap_or(self.of_all),
        };
        // What goes through 0 has no ratio, and is not of a kind that is measured.
        !is_control(name) && change.is_finite() && change > floor
    }

    /// For people.
    pub(super) fn percent(&self) -> BTreeMap<String, f64> {
        let percent = |floor: f64| (floor.exp() - 1.0) * 100.0;
        if self.by_part.is_empty() {
            return BTreeMap::from([(String::new(), percent(self.of_all))]);
        }
        self.by_part.iter().map(|(part, floor)| (part.clone(), percent(*floor))).collect()
    }
}

/// The greatest change of a control; of many controls not of one that is far out, as a pass of microseconds may be. More where
/// there are few: one of three would have been beyond two others as likely, and one says little of what it does not do.
fn floor(changes: &[f64]) -> f64 {
    let most = changes.iter().copied().fold(0.0, f64::max);
    let usual = if changes.len() < MANY_CONTROLS { most } else { most.min(FAR_OUT * median(changes)) };
    usual.max(LEAST_FLOOR) * (1.0 + 2.0 / changes.len().max(1) as f64)
}

fn is_control(name: &str) -> bool {
    // `service_to_ceiling` and the like are ratios to one.
    !name.contains("_to_") && CONTROLS.iter().any(|control| name.ends_with(control))
}

/// The benchmark that a figure is of, where a report has several.
fn part(name: &str) -> &str {
    name.split_once('.').map_or("", |(part, _)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_of_many_samples_do_not_widen_the_interval() {
        // Of 20 samples the 6th and the 15th: the textbook's interval of a median. Neighbours are far apart.
        let samples: Vec<f64> = (0..20).map(|at| f64::from(at * 7 % 20 + 1)).collect();
        assert_eq!(interval(&samples), (6.0, 15.0));
        assert_eq!(interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), (1.0, 6.0));
        assert_eq!(interval(&[3.0, 1.0]), (1.0, 3.0));
        assert_eq!(interval(&[7.0]), (7.0, 7.0));
    }

    #[test]
    fn samples_that_resemble_their_neighbours_are_worth_fewer() {
        let rising: Vec<f64> = (1..=20).map(f64::from).collect();
        assert!(serial(&rising) > 0.8);
        let (low, high) = interval(&rising);
        assert!(low < 2.0 && high > 19.0, "{low} {high}");
        assert_eq!(serial(&[1.0, 2.0, 3.0]), 0.0);
    }

    #[test]
    fn the_floor_is_what_the_controls_did_and_more_where_they_are_few() {
        let figures = [("a.ceiling_rate", 100.0, 90.0), ("a.service_rate", 100.0, 50.0), ("b.rate", 1.0, 2.0)];
        let floors = Floors::of(figures.into_iter());
        let percent = floors.percent()["a"];
        assert!((percent - ((1.0_f64 / 0.9).powi(3) - 1.0) * 100.0).abs() < 1e-9, "{percent}");
        assert!(floors.is_passed("a.service_rate", "lines/s", 100.0, 50.0));
        assert!(!floors.is_passed("a.service_rate", "lines/s", 100.0, 80.0));
        assert!(
            !floors.is_passed("b.rate", "rows/s", 100.0, 80.0),
            "another benchmark's controls are better than none"
        );
        assert!(floors.is_passed("a.service_to_ceiling", "ratio", 1.0, 1.1));
        assert!(!floors.is_passed("a.ceiling_rate", "rows/s", 1.0, 100.0), "a control is none of chunkwise's");
        assert!(!floors.is_passed("a.npy_beyond", "ms", 1.0, -1.0));
        assert_eq!(Floors::of([].into_iter()).percent().keys().collect::<Vec<_>>(), [""]);
        assert!(
            (floor(&[0.01, 0.02, 0.03, 0.02, 0.01, 0.6]) - 0.08 * (1.0 + 2.0 / 6.0)).abs() < 1e-12,
            "one is far out"
        );
        assert!((floor(&[0.001]) - 0.15).abs() < 1e-12 && (floor(&[0.2, 0.1]) - 0.4).abs() < 1e-12);
    }
}
