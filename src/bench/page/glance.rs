//! What was better, and by how much: a sentence a figure, from the figures alone.

use crate::bench::{Better, Report};

/// A figure in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) is_good: bool,
    /// The figure itself.
    pub(super) figure: String,
    pub(super) text: String,
}

/// A figure, from where on it is good, and what it says.
const FIGURES: [(&str, f64, &str); 17] = [
    ("steadiness.chunkwise_to_plain_at_the_end", 1.0, "times the rows a second of a plain table, where the run ended"),
    (
        "steadiness.chunkwise_to_hypertable_at_the_end",
        1.0,
        "times the rows a second of a hypertable with the same index, there",
    ),
    ("ingest.service_to_naive", 1.0, "times the rows a second of COPY into a table with the usual indexes, over HTTP"),
    ("ingest.service_to_ceiling", 0.5, "of what the database takes of ready-made bytes, over HTTP"),
    (
        "storage.all_costs_to_naive",
        1.0,
        "times the rows a second of the usual way, until everything is sealed and rolled up",
    ),
    ("storage.sealing_to_alone", 0.9, "of the rate alone while chunks are sealed"),
    ("storage.delete_to_drop", 1.0, "times as long as a drop of a chunk takes a DELETE of its rows"),
    (
        "queries.live_window_slowest",
        1_000.0,
        "for the slowest of the windows over exactly so many records while rows came in",
    ),
    ("queries.live_window_growth_most", 1.5, "times their time at rest, at the most"),
    ("queries.plain_to_window_least", 1.0, "times as long in a plain table as by windows, at the least"),
    ("queries.sql_to_rollup_least", 10.0, "times as long from rows as from bars, at the least"),
    ("queries.live_rate_kept", 0.99, "of the set rate was kept meanwhile"),
    ("queries.store_100x_to_1x_q1_sql", 1.5, "times the time of Q1 in SQL in a store a hundred times larger"),
    ("queries.store_100x_to_1x_q1_window", 1.5, "times the time of Q1 by windows in a store a hundred times larger"),
    (
        "correlation.three_ranges_top_50_p90",
        50.0,
        "for nine of ten questions of one series against all over three ranges",
    ),
    ("correlation.live_three_ranges_top_50_p90", 100.0, "for nine of ten of them while rows came in"),
    ("computing.one_range_to_read_pass", 1.5, "times a plain read of the same values, for computing alone"),
];

/// All sentences that there are figures for.
pub(super) fn sentences(report: &Report) -> Vec<Sentence> {
    let mut found: Vec<Sentence> =
        ["plain", "hypertable", "chunkwise"].iter().filter_map(|way| slope(report, way)).collect();
    for (name, limit, text) in FIGURES {
        let Some(metric) = report.metric(name) else { continue };
        let is_good = match metric.better {
            Better::Higher => metric.value >= limit,
            Better::Lower => metric.value <= limit,
        };
        let figure = match metric.unit {
            "ratio" => super::chart::short(metric.value),
            unit => format!("{} {unit}", super::chart::short(metric.value)),
        };
        found.push(Sentence { is_good, figure, text: text.to_owned() });
    }
    found
}

/// Whether a way's rate falls: the interval of its slope lies below 0, above it, or around it.
fn slope(report: &Report, way: &str) -> Option<Sentence> {
    let value = |end: &str| report.metric(&format!("steadiness.{way}_{end}")).map(|metric| metric.value);
    let (low, high, change) = (value("slope_low")?, value("slope_high")?, value("change")?);
    let text = match way {
        "plain" => "a plain table's rows a second from the first to the last million",
        "hypertable" => "a hypertable's, with the same index",
        _ => "chunkwise's",
    };
    let verdict = match (low > 0.0, high < 0.0) {
        (true, _) => "it rises",
        (_, true) => "it falls",
        _ => "steady, as far as can be seen",
    };
    let text = format!("{text}: {verdict} (slope {low:.3} to {high:.3} % a million rows)");
    // That a control falls is no fault of what is measured.
    let is_good = high >= 0.0 || way != "chunkwise";
    Some(Sentence { is_good, figure: format!("{change:+.0} %"), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Environment;

    #[test]
    fn figures_are_good_on_their_own_side_of_a_limit() {
        let mut report = Report::new(Environment::default());
        report.add("queries.live_window_slowest", 812.0, "ms", Better::Lower);
        report.add("queries.sql_to_rollup_least", 9.0, "ratio", Better::Higher);
        for (end, value) in [("slope_low", -0.9), ("slope_high", -0.1), ("change", -25.0)] {
            report.add(format!("steadiness.plain_{end}"), value, "%", Better::Higher);
        }
        let found = sentences(&report);
        let short: Vec<_> = found.iter().map(|sentence| (sentence.is_good, sentence.figure.as_str())).collect();
        assert_eq!(short, [(true, "-25 %"), (true, "812 ms"), (false, "9")]);
        assert!(found[0].text.contains("it falls"));
    }
}
