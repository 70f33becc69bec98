//! Two reports of the same benchmark, figure by figure: what has changed by more than its noise.
//!
//! A figure is better or worse where two things hold, and unclear where one does not:
//!
//! - The intervals of both reports do not touch: the one in which a report's median lies with 95 % probability, by its raw
//!   samples alone (see `noise`). Nothing is said where so few samples would lie apart by chance once in twenty times or more:
//!   two and two do in every third comparison, three and three in every tenth, four and four in one of 35.
//! - It has changed by more than the machine has. What the samples of a run do not know is what else the machine did during
//!   that run; but each run has controls, which chunkwise has no part in: a plain read of memory, COPY of ready-made bytes, a
//!   plain table. How much they differ between the reports is how much is not believed of the other figures. Ratios to a
//!   control of the same rounds have that behind them, and need less.
//!
//! Nothing is said of what is counted (rows, chunks, bytes), and of a figure that is not the middle of its samples, such as the
//! greatest of several medians.

mod noise;

use std::{collections::BTreeMap, fmt};

use super::Better;
use noise::{Floors, interval};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The environment's entries that differ in any two runs.
const ALWAYS_DIFFERENT: [&str; 1] = ["date"];

/// Why two files cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// It is not what `--json` writes.
    #[error("{name} is not a report that `chunkwise bench ... --json FILE` has written")]
    NotAReport {
        /// Which of both.
        name: String,
        /// Where it differs.
        #[source]
        source: serde_json::Error,
    },
    /// They have no figure in common.
    #[error("the reports have no figure in common: compare two of the same benchmark")]
    NothingInCommon,
}

/// What is said of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// The second report's is better, by more than the noise.
    Better,
    /// It is worse, by more than the noise.
    Worse,
    /// The difference is within the noise.
    Unclear,
    /// There are too few samples to tell, or it is no figure to be judged.
    Unknown,
}

/// A figure of both reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What it is counted in.
    pub unit: String,
    /// Which way it should move.
    pub better: Better,
    /// The first report's.
    pub a: Side,
    /// The second report's.
    pub b: Side,
    /// From the first to the second; left out where the first is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_percent: Option<f64>,
    /// What is said of it.
    pub judgement: Judgement,
}

/// A figure of one report.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Side {
    /// The figure.
    pub value: f64,
    /// How often it was measured.
    pub samples: usize,
    /// The noise: the ends of the interval.
    pub low: f64,
    /// The greater one.
    pub high: f64,
}

/// Two reports beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What differs between the environments: the entry, and both values.
    pub environment: BTreeMap<String, [String; 2]>,
    /// How much figures have to change before anything is said, in percent, by benchmark: about as much as its controls did.
    pub floor_percent: BTreeMap<String, f64>,
    /// The figures that both have, in the second one's order.
    pub metrics: Vec<Compared>,
    /// The names of figures that one of them has alone.
    pub alone: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Read {
    environment: serde_json::Map<String, Value>,
    metrics: Vec<ReadMetric>,
}

#[derive(Debug, Deserialize)]
struct ReadMetric {
    name: String,
    value: f64,
    unit: String,
    better: Better,
    samples: Vec<f64>,
}

impl Comparison {
    /// Reads and compares two reports, each with its name.
    ///
    /// # Errors
    /// One of them is no report, or they have nothing in common.
    pub fn read(a: (&str, &[u8]), b: (&str, &[u8])) -> Result<Self, CompareError> {
        let read = |(name, bytes): (&str, &[u8])| -> Result<Read, CompareError> {
            serde_json::from_slice(bytes).map_err(|source| CompareError::NotAReport { name: name.to_owned(), source })
        };
        let (a, b) = (read(a)?, read(b)?);
        let pairs: Vec<(&ReadMetric, &ReadMetric)> = b
            .metrics
            .iter()
            .filter_map(|b| Some((a.metrics.iter().find(|a| (&a.name, &a.unit) == (&b.name, &b.unit))?, b)))
            .collect();
        let floors = Floors::of(pairs.iter().map(|(a, b)| (b.name.as_str(), a.value, b.value)));
        let metrics: Vec<Compared> = pairs.iter().map(|(a, b)| compare(a, b, &floors)).collect();
        if metrics.is_empty() {
            return Err(CompareError::NothingInCommon);
        }
        let both = |name: &str| metrics.iter().any(|compared| compared.name == name);
        let names = a.metrics.iter().chain(&b.metrics).map(|metric| metric.name.clone());
        let mut alone: Vec<String> = names.filter(|name| !both(name)).collect();
        alone.dedup();
        let environment = differences(&a.environment, &b.environment);
        Ok(Self { environment, floor_percent: floors.percent(), metrics, alone })
    }
}

fn compare(a: &ReadMetric, b: &ReadMetric, floors: &Floors) -> Compared {
    let side = |metric: &ReadMetric| {
        let (low, high) = interval(&metric.samples);
        Side { value: metric.value, samples: metric.samples.len(), low, high }
    };
    let (of_a, of_b) = (side(a), side(b));
    let change = (b.value - a.value) / a.value.abs() * 100.0;
    let judgement = match judge(of_a, of_b, b.better) {
        _ if !is_judged(b) || !of_a.is_middle() || !of_b.is_middle() => Judgement::Unknown,
        Judgement::Better | Judgement::Worse if !floors.is_passed(&b.name, &b.unit, a.value, b.value) => {
            Judgement::Unclear
        }
        judgement => judgement,
    };
    Compared {
        name: b.name.clone(),
        unit: b.unit.clone(),
        better: b.better,
        a: of_a,
        b: of_b,
        change_percent: Some(change).filter(|change| change.is_finite()),
        judgement,
    }
}

/// What is counted is the same in any two runs, or is what was asked for.
fn is_judged(metric: &ReadMetric) -> bool {
    !matches!(metric.unit.as_str(), "rows" | "chunks" | "series" | "bytes" | "B")
}

fn judge(a: Side, b: Side, better: Better) -> Judgement {
    if chance_apart(a.samples, b.samples) > CHANCE {
        return Judgement::Unknown;
    }
    let (rises, falls) = (b.low > a.high, b.high < a.low);
    match better {
        _ if !rises && !falls => Judgement::Unclear,
        Better::Higher if rises => Judgement::Better,
        Better::Lower if falls => Judgement::Better,
        Better::Higher | Better::Lower => Judgement::Worse,
    }
}

/// More is no verdict.
const CHANCE: f64 = 0.05;

/// How likely it is that all samples of one report are above all of the other's, or below, if there is no difference.
fn chance_apart(a: usize, b: usize) -> f64 {
    let orders = (1..=a.min(b)).fold(1.0, |orders, at| orders * (a.max(b) + at) as f64 / at as f64);
    2.0 / orders
}

fn differences(
    a: &serde_json::Map<String, Value>,
    b: &serde_json::Map<String, Value>,
) -> BTreeMap<String, [String; 2]> {
    let mut found = BTreeMap::new();
    for name in a.keys().chain(b.keys()) {
        let (of_a, of_b) = (a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null));
        if of_a == of_b || ALWAYS_DIFFERENT.contains(&name.as_str()) {
            continue;
        }
        match (of_a.as_object(), of_b.as_object()) {
            (Some(a), Some(b)) => found.extend(differences(a, b)),
            _ => drop(found.insert(name.clone(), [of_a, of_b].map(text))),
        }
    }
    found
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// For people: what differs around, then a figure a line with its verdict, then how many of each there are.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, [a, b]) in &self.environment {
            writeln!(f, "differs: {name}: {a} and {b}")?;
        }
        for (part, percent) in &self.floor_percent {
            let part = if part.is_empty() { String::new() } else { format!(" of {part}") };
            writeln!(
                f,
                "figures{part} that change by less than {percent:.1} % are unclear: so much may be the machine"
            )?;
        }
        let width = self.metrics.iter().map(|compared| compared.name.len()).max().unwrap_or(0);
        for Compared { name, unit, a, b, change_percent, judgement, .. } in &self.metrics {
            let change = change_percent.map_or_else(String::new, |change| format!("{change:+.1} %"));
            writeln!(
                f,
                "{name:width$}  {:>14} {:>14} {unit:8} {change:>9}  {:9} (noise {} and {})",
                super::report::shown(a.value),
                super::report::shown(b.value),
                judgement.word(),
                a.noise(),
                b.noise(),
            )?;
        }
        for name in &self.alone {
            writeln!(f, "only in one: {name}")?;
        }
        let count = |wanted| self.metrics.iter().filter(|compared| compared.judgement == wanted).count();
        writeln!(
            f,
            "{} better, {} worse, {} within the noise, {} of which nothing is said",
            count(Judgement::Better),
            count(Judgement::Worse),
            count(Judgement::Unclear),
            count(Judgement::Unknown)
        )
    }
}

impl Judgement {
    fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::Unclear => "unclear",
            Self::Unknown => "unknown",
        }
    }
}

impl Side {
    /// Whether the figure is what the interval is of.
    fn is_middle(&self) -> bool {
        self.samples < 2 || (self.low..=self.high).contains(&self.value)
    }

    /// Half the interval, in percent of its middle.
    fn noise(&self) -> String {
        let (half, middle) = ((self.high - self.low) / 2.0, f64::midpoint(self.high, self.low).abs());
        let percent = half / middle * 100.0;
        match self.samples {
            0 | 1 => "?".to_owned(),
            _ if percent.is_finite() => format!("{percent:.1} %"),
            _ => "0 %".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::statistics::median;

    fn report(samples: &[f64], better: &str) -> Vec<u8> {
        let metric =
            json!({"name": "rate", "value": median(samples), "unit": "u", "better": better, "samples": samples});
        let environment = json!({"date": samples.len(), "cores": 2, "settings": {"jit": "off"}});
        serde_json::to_vec(&json!({"environment": environment, "metrics": [metric]})).unwrap()
    }

    fn judged(a: &[f64], b: &[f64], better: &str) -> Judgement {
        let (a, b) = (report(a, better), report(b, better));
        Comparison::read(("a", &a), ("b", &b)).unwrap().metrics[0].judgement
    }

    #[test]
    fn what_is_within_the_noise_is_unclear() {
        let (slow, fast) = ([10.0, 11.0, 12.0, 11.5], [20.0, 21.0, 22.0, 20.5]);
        assert_eq!(judged(&slow, &fast, "higher"), Judgement::Better);
        assert_eq!(judged(&slow, &fast, "lower"), Judgement::Worse);
        assert_eq!(judged(&fast, &slow, "lower"), Judgement::Better);
        assert_eq!(judged(&slow, &[12.0, 13.0, 14.0, 15.0], "higher"), Judgement::Unclear);
        assert_eq!(judged(&slow, &[20.0], "higher"), Judgement::Unknown);
        assert_eq!(judged(&slow[..3], &fast[..3], "higher"), Judgement::Unknown);
        // Of 70 orders of eight samples two have them apart.
        assert!((chance_apart(4, 4) - 2.0 / 70.0).abs() < 1e-12 && chance_apart(0, 9) > 1.0);
    }

    #[test]
    fn what_changes_with_the_controls_is_the_machine() {
        let report = |rate: f64, control: f64| {
            let metric = |name: &str, unit: &str, at: f64| {
                let samples: Vec<f64> = [0.99, 0.995, 1.0, 1.005, 1.01].map(|by| by * at).to_vec();
                json!({"name": name, "value": at, "unit": unit, "better": "higher", "samples": samples})
            };
            let metrics = [
                metric("ingest.service_rate", "lines/s", rate),
                metric("ingest.ceiling_rate", "rows/s", control),
                metric("ingest.naive_rate", "rows/s", control),
                metric("ingest.service_to_ceiling", "ratio", rate / control),
                metric("ingest.sent", "rows", rate),
                metric("other.rate", "rows/s", rate),
            ];
            serde_json::to_vec(&json!({"environment": {}, "metrics": metrics})).unwrap()
        };
        let judged = |b: Vec<u8>| -> Vec<Judgement> {
            let a = report(100.0, 50.0);
            let compared = Comparison::read(("a", &a), ("b", &b)).unwrap();
            compared.metrics.iter().map(|metric| metric.judgement).collect()
        };
        use Judgement::{Better, Unclear, Unknown, Worse};
        // The machine is slower by a fifth, and chunkwise with it.
        assert_eq!(judged(report(80.0, 40.0)), [Unclear, Unclear, Unclear, Unclear, Unknown, Unclear]);
        assert_eq!(judged(report(80.0, 50.0)), [Worse, Unclear, Unclear, Worse, Unknown, Worse]);
        assert_eq!(judged(report(300.0, 45.0)), [Better, Unclear, Unclear, Better, Unknown, Better]);
        assert_eq!(judged(report(102.5, 50.0))[0], Unclear, "two runs are never the same to that");
    }

    #[test]
    fn a_figure_that_is_not_the_middle_of_its_samples_is_not_judged() {
        let greatest = |samples: [f64; 4]| {
            let metric = json!({"name": "most", "value": 99.0, "unit": "ms", "better": "lower", "samples": samples});
            serde_json::to_vec(&json!({"environment": {}, "metrics": [metric]})).unwrap()
        };
        let (a, b) = (greatest([1.0, 2.0, 3.0, 4.0]), greatest([11.0, 12.0, 13.0, 14.0]));
        assert_eq!(Comparison::read(("a", &a), ("b", &b)).unwrap().metrics[0].judgement, Judgement::Unknown);
    }

    #[test]
    fn what_differs_around_is_told_and_the_date_is_not() {
        let a = report(&[1.0, 2.0, 3.0, 4.0], "higher");
        let b = String::from_utf8(a.clone()).unwrap().replace("\"off\"", "\"on\"").into_bytes();
        let found = Comparison::read(("a", &a), ("b", &b)).unwrap();
        assert_eq!(found.environment.get("jit"), Some(&["off".to_owned(), "on".to_owned()]));
        assert_eq!(found.environment.len(), 1);
        assert!(found.to_string().contains("0 better, 0 worse, 1 within the noise"), "{found}");
        assert!(matches!(
            Comparison::read(("a", &a), ("b", b"{}")),
            Err(CompareError::NotAReport { name, .. }) if name == "b"
        ));
    }
}
