//! Which figures are drawn, and how.

use super::chart::{Axis, Chart, Line, Scale, Stroke};
use crate::bench::{Metric, Report};

const COUNTED: Axis = Axis { label: "rows of each way, millions", scale: Scale::Linear };
const RECORDS: Axis = Axis { label: "records", scale: Scale::Linear };
const MILLISECONDS: Axis = Axis { label: "milliseconds", scale: Scale::Logarithmic };
const SHARE: Axis = Axis { label: "% of them", scale: Scale::Linear };

/// Those that there are figures for; others draw nothing.
pub(super) fn all(report: &Report) -> Vec<Chart> {
    let mut charts = vec![rates(report)];
    for (question, title) in [
        ("q1", "Q1: maximum and mean of a few series, by minute"),
        ("q2", "Q2: least, greatest and mean of all series, by hour"),
        ("q3", "Q3: last value, open, high, low and a rolling mean of each series, the twenty farthest first"),
    ] {
        charts.push(question_times(report, question, title));
    }
    charts.extend([seconds(report), latencies(report), floor(report, "series"), floor(report, "buckets")]);
    charts
}

/// Rows a second against rows, for the three ways.
fn rates(report: &Report) -> Chart {
    let step_rows = report.metric("steadiness.step_rows").map_or(1e6, |metric| metric.value);
    let lines = ["plain", "hypertable", "chunkwise"].into_iter().enumerate().filter_map(|(colour, way)| {
        let rates = &report.metric(&format!("steadiness.{way}_rate"))?.samples;
        let points =
            rates.iter().enumerate().map(|(step, rate)| ((step + 1) as f64 * step_rows / 1e6, *rate)).collect();
        Some(Line { label: label(way), colour, stroke: Stroke::Solid, points })
    });
    Chart {
        name: "rates",
        title: "Rows a second as the data grow".to_owned(),
        x: COUNTED,
        y: Axis { label: "rows/s", scale: Scale::Linear },
        lines: lines.collect(),
    }
}

fn label(way: &str) -> String {
    match way {
        "plain" => "PostgreSQL's table",
        "hypertable" => "hypertable, same index",
        way => way,
    }
    .to_owned()
}

/// Milliseconds against records, by each path, at rest and while rows come in.
fn question_times(report: &Report, question: &'static str, title: &str) -> Chart {
    let mut lines = Vec::new();
    let paths =
        [("plain", "plain table, SQL"), ("sql", "rows, SQL"), ("window", "rows, windows"), ("rollup", "bars, SQL")];
    for (colour, (path, label)) in paths.into_iter().enumerate() {
        for (prefix, stroke, more) in [("", Stroke::Solid, ""), ("live_", Stroke::Dashed, ", live")] {
            let points = of_numbers(report, &format!("queries.{prefix}{question}_"), &format!("_{path}"));
            lines.push(Line { label: format!("{label}{more}"), colour, stroke, points });
        }
    }
    Chart { name: question, title: title.to_owned(), x: RECORDS, y: MILLISECONDS, lines }
}

/// Figures whose names have a number between prefix and suffix, by that number.
fn of_numbers(report: &Report, prefix: &str, suffix: &str) -> Vec<(f64, f64)> {
    let number = |metric: &Metric| metric.name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse::<u64>().ok();
    let found = report.metrics.iter().filter_map(|metric| Some((number(metric)? as f64, metric.value)));
    let mut points: Vec<(f64, f64)> = found.collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// How even the seconds are, for the three ways.
fn seconds(report: &Report) -> Chart {
    let lines = ["plain", "hypertable", "chunkwise"].into_iter().enumerate().filter_map(|(colour, way)| {
        let points = distribution(&report.metric(&format!("steadiness.{way}_second_p50"))?.samples);
        Some(Line { label: label(way), colour, stroke: Stroke::Solid, points })
    });
    Chart {
        name: "seconds",
        title: "Rows of a second: how many seconds had at most so many".to_owned(),
        x: Axis { label: "rows/s", scale: Scale::Linear },
        y: SHARE,
        lines: lines.collect(),
    }
}

/// How long one against all takes, of all questions.
fn latencies(report: &Report) -> Chart {
    let mut lines = Vec::new();
    for (colour, (name, label)) in
        [("any_ranges", "1 to 5 ranges"), ("three_ranges", "three ranges")].into_iter().enumerate()
    {
        for (prefix, stroke, more) in [("", Stroke::Solid, ""), ("live_", Stroke::Dashed, ", live")] {
            let metric = report.metric(&format!("correlation.{prefix}{name}_top_50_p50"));
            let points = metric.map_or_else(Vec::new, |metric| distribution(&metric.samples));
            lines.push(Line { label: format!("{label}{more}"), colour, stroke, points });
        }
    }
    Chart {
        name: "latencies",
        title: "One series against all others over REST: how many answers took at most so long".to_owned(),
        x: MILLISECONDS,
        y: SHARE,
        lines,
    }
}

/// Computing alone beside a plain read of the same values.
fn floor(report: &Report, what: &'static str) -> Chart {
    let of = |suffix: &str| of_numbers(report, &format!("computing.{what}_"), suffix);
    let line = |label: &str, colour, points| Line { label: label.to_owned(), colour, stroke: Stroke::Solid, points };
    Chart {
        name: what,
        title: format!("One series against all others, computing alone, by {what}"),
        x: Axis { label: what, scale: Scale::Logarithmic },
        y: MILLISECONDS,
        lines: vec![line("correlation", 2, of("")), line("plain read: the floor", 0, of("_read_pass"))],
    }
}

/// The share of samples up to each one.
fn distribution(samples: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    sorted.into_iter().enumerate().map(|(at, sample)| (sample, (at + 1) as f64 / count * 100.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Better, Environment};

    #[test]
    fn numbers_in_names_are_places_on_the_axis() {
        let mut report = Report::new(Environment::default());
        for name in ["q1_200_sql", "q1_100_sql", "q1_100_sql_chunks_touched", "q1_x_sql", "live_q1_100_sql"] {
            report.add(format!("queries.{name}"), name.len() as f64, "ms", Better::Lower);
        }
        assert_eq!(of_numbers(&report, "queries.q1_", "_sql"), [(100.0, 10.0), (200.0, 10.0)]);
        assert_eq!(distribution(&[3.0, 1.0]), [(1.0, 50.0), (3.0, 100.0)]);
    }
}
