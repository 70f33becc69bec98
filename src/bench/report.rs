//! What a benchmark found.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    Environment,
    statistics::{Trend, trend},
};

/// Which way a figure should move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    /// Its name; the same in every report.
    pub name: String,
    /// The figure; of several samples their median, unless the name says otherwise.
    pub value: f64,
    /// What it is counted in.
    pub unit: &'static str,
    /// Which way it should move.
    pub better: Better,
    /// The single measurements, in order.
    pub samples: Vec<f64>,
}

/// How a question was answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The figure that it belongs to.
    pub name: String,
    /// What the server said that it did, with rows; or what the receipts of an answer say.
    pub plan: serde_json::Value,
}

/// Figures that somebody has published, on another machine: beside the measured ones, and never one of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Published {
    /// What was measured.
    pub what: &'static str,
    /// With what, and when.
    pub software: &'static str,
    /// The fastest and the slowest.
    pub seconds: [f64; 2],
}

/// All figures of a benchmark, and where they were measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Machine, server and settings.
    pub environment: Environment,
    /// The figures, ratios first.
    pub metrics: Vec<Metric>,
    /// How questions were answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Plan>,
    /// What was published of the same kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// Where each benchmark of several was measured: servers' settings may differ.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, Environment>,
    /// Benchmarks of several that there are no figures of, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
}

impl Report {
    pub(super) fn new(environment: Environment) -> Self {
        Self {
            environment,
            metrics: Vec::new(),
            plans: Vec::new(),
            published: None,
            parts: BTreeMap::new(),
            missing: BTreeMap::new(),
        }
    }

    /// Adds a figure that was measured once.
    pub(super) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, better: Better) {
        self.add_samples(name, value, unit, better, vec![value]);
    }

    /// Adds a figure with its samples. What is not a number is left out, as JSON has no word for it.
    pub(super) fn add_samples(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        better: Better,
        samples: Vec<f64>,
    ) {
        if value.is_finite() && samples.iter().all(|sample| sample.is_finite()) {
            self.metrics.push(Metric { name: name.into(), value, unit, better, samples });
        }
    }

    /// Adds the 50th, 90th and 99th percentiles of times in milliseconds; the first has them all as its samples.
    pub(super) fn add_latencies(&mut self, name: &str, ms: &[f64]) {
        let mut sorted = ms.to_vec();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return };
        for percent in [50, 90, 99] {
            // The nearest rank.
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1).min(last);
            let samples = if percent == 50 { ms.to_vec() } else { vec![sorted[rank]] };
            self.add_samples(format!("{name}_p{percent}"), sorted[rank], "ms", Better::Lower, samples);
        }
    }

    /// Adds the slope of a line through logarithms, and its 95 % interval: `NAME_log_log_slope`, about 1 where a figure grows
    /// as what is varied, about 0 where it does not depend on it.
    pub(super) fn add_log_log_slope(&mut self, name: &str, line: Option<Trend>) {
        let Some(Trend { slope, half_width }) = line else { return };
        for (end, value) in [("", slope), ("_low", slope - half_width), ("_high", slope + half_width)] {
            self.add(format!("{name}_log_log_slope{end}"), value, "log/log", Better::Lower);
        }
    }

    /// Adds whether a rate falls from slice to slice of a long run: its slope with its 95 % interval, in percent of the mean
    /// rate a million rows, and what a straight line loses from the first to the last slice of what it has at the first.
    pub(super) fn add_slope(&mut self, name: &str, rates: &[f64], slice_rows: u64) {
        let Some(Trend { slope, half_width }) = trend(rates) else { return };
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        let percent = 100.0 / mean * 1e6 / slice_rows as f64;
        for (end, value) in [("", slope), ("_low", slope - half_width), ("_high", slope + half_width)] {
            self.add(format!("{name}_slope{end}"), value * percent, "%/million rows", Better::Higher);
        }
        let lost = slope * (rates.len() - 1) as f64;
        self.add(format!("{name}_change"), lost / (mean - lost / 2.0) * 100.0, "%", Better::Higher);
    }

    /// Puts ratios before all other figures, which keep their order.
    pub(super) fn sort_ratios_first(&mut self) {
        self.metrics.sort_by_key(|metric| metric.unit != "ratio");
    }

    /// The figure of that name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

/// For people: the environment in two lines, then a figure a line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.environment)?;
        let width = self.metrics.iter().map(|metric| metric.name.len()).max().unwrap_or(0);
        for Metric { name, value, unit, samples, .. } in &self.metrics {
            write!(f, "{name:width$}  {:>14} {unit}", shown(*value))?;
            let (least, most) = samples.iter().fold((f64::MAX, f64::MIN), |(l, m), s| (l.min(*s), m.max(*s)));
            match samples.len() {
                0 | 1 => writeln!(f)?,
                n => writeln!(f, "  ({} to {}, {n} samples)", shown(least), shown(most))?,
            }
        }
        for (name, why) in &self.missing {
            writeln!(f, "no figures of {name}: {why}")?;
        }
        let Some(Published { what, software, seconds: [least, most] }) = self.published else { return Ok(()) };
        writeln!(f, "published, not measured here: {what} took {least} to {most} s ({software})")
    }
}

/// Three or four digits that mean something: `1234567`, `12.35`, `0.0123`.
pub(super) fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_no_null_and_reads_as_documented() {
        let mut report = Report::new(Environment::default());
        report.add("rate", 2.5, "lines/s", Better::Higher);
        report.add("nothing", f64::NAN, "ms", Better::Lower);
        report.add_samples("half", 1.0, "ms", Better::Lower, vec![1.0, f64::INFINITY]);
        let json = serde_json::to_value(&report).unwrap();
        let rate = serde_json::json!({
            "name": "rate", "value": 2.5, "unit": "lines/s", "better": "higher", "samples": [2.5]
        });
        assert_eq!(json["metrics"], serde_json::json!([rate]));
        assert!(!json.to_string().contains("null"));
        assert!(report.to_string().contains("rate            2.50 lines/s"), "{report}");
        report.add_samples("several", 2.0, "ms", Better::Lower, vec![3.0, 1.0, 2.0]);
        assert!(report.to_string().contains("2.00 ms  (1.00 to 3.00, 3 samples)"), "{report}");
    }

    #[test]
    fn what_a_rate_loses_is_told_of_what_it_was_at_first() {
        let mut report = Report::new(Environment::default());
        report.add_slope("rate", &[4.0, 3.0, 2.0, 1.0], 1_000_000);
        let value = |name| report.metric(name).map(|metric| metric.value).unwrap();
        assert!((value("rate_change") + 75.0).abs() < 1e-9, "{}", value("rate_change"));
        assert!((value("rate_slope") + 40.0).abs() < 1e-9, "{}", value("rate_slope"));
    }

    #[test]
    fn latencies_are_percentiles_and_ratios_come_first() {
        let mut report = Report::new(Environment::default());
        report.add_latencies("answer", &[9.0, 1.0, 5.0]);
        report.add("share", 0.5, "ratio", Better::Higher);
        report.sort_ratios_first();
        assert_eq!(report.metrics[0].name, "share");
        let value = |name: &str| report.metric(name).map(|metric| metric.value);
        assert_eq!([value("answer_p50"), value("answer_p90"), value("answer_p99")], [Some(5.0), Some(9.0), Some(9.0)]);
    }
}
