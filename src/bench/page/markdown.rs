//! A report as tables of Markdown, with its charts beside it. Pure.

use super::{chart::short, charts, glance};
use crate::bench::{Better, Report};

/// Counted, and the same in every run: of no interest to whoever reads.
const COUNTED: &str = "chunks";

impl Report {
    /// The report as Markdown: where it was measured, what was better and by how much, the [charts](Self::charts), which are
    /// files in the same folder, and a table of figures a benchmark.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Figures\n");
        for line in self.environment.to_string().lines() {
            add(&mut text, format_args!("\n{}\n", cell(line)));
        }
        if self.environment.build == "debug" {
            text.push_str("\nA debug build: these figures say nothing about a release.\n");
        }
        for (name, why) in &self.missing {
            add(&mut text, format_args!("\nNo figures of {}: {}\n", cell(name), cell(why)));
        }
        let sentences = glance::sentences(self);
        if !sentences.is_empty() {
            text.push_str("\n## At a glance\n\n| | | |\n|---|---:|---|\n");
        }
        for glance::Sentence { is_good, figure, text: words } in sentences {
            let mark = if is_good { "yes" } else { "no" };
            add(&mut text, format_args!("| {mark} | {} | {} |\n", cell(&figure), cell(&words)));
        }
        let charts: Vec<_> = charts::all(self).into_iter().filter(|chart| chart.file("").is_some()).collect();
        if !charts.is_empty() {
            text.push_str("\n## Charts\n");
        }
        for chart in charts {
            let title = cell(&chart.title);
            add(&mut text, format_args!("\n{title}\n\n![{title}]({}.svg)\n", chart.name));
        }
        self.add_tables(&mut text);
        if let Some(published) = self.published {
            let [least, most] = published.seconds;
            let (what, software) = (cell(published.what), cell(published.software));
            add(
                &mut text,
                format_args!("\nPublished, not measured here: {what} took {least} to {most} s ({software}).\n"),
            );
        }
        text
    }

    fn add_tables(&self, text: &mut String) {
        let mut before = None;
        for metric in self.metrics.iter().filter(|metric| metric.unit != COUNTED) {
            let (part, name) = metric.name.split_once('.').unwrap_or(("figures", &metric.name));
            if before != Some(part) {
                add(text, format_args!("\n## {}\n\n", cell(part)));
                text.push_str("| figure | value | unit | better | least to greatest of the samples |\n");
                text.push_str("|---|---:|---|---|---|\n");
            }
            before = Some(part);
            let better = match metric.better {
                Better::Higher => "more",
                Better::Lower => "less",
            };
            let least = metric.samples.iter().copied().fold(f64::MAX, f64::min);
            let most = metric.samples.iter().copied().fold(f64::MIN, f64::max);
            let spread = match metric.samples.len() {
                0 | 1 => String::new(),
                count => format!("{} to {} of {count}", short(least), short(most)),
            };
            let (name, unit, value) = (cell(name), cell(metric.unit), short(metric.value));
            add(text, format_args!("| {name} | {value} | {unit} | {better} | {spread} |\n"));
        }
    }
}

fn add(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.push_str(&part.to_string());
}

/// Text of a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Environment;

    #[test]
    fn a_report_is_a_table_a_benchmark_and_names_its_charts() {
        let environment = Environment { cpu: "a | <fast> one".to_owned(), ..Environment::default() };
        let mut report = Report::new(environment);
        report.add_samples("steadiness.plain_rate", 2.0, "rows/s", Better::Higher, vec![1.0, 2.0, 3.0]);
        report.add("steadiness.q_chunks_touched", 2.0, "chunks", Better::Lower);
        report.add("storage.drop_seconds", 0.25, "s", Better::Lower);
        report.missing.insert("queries".to_owned(), "stopped".to_owned());
        let text = report.markdown();
        assert!(text.contains("a \\| &lt;fast> one"), "{text}");
        assert!(text.contains("\n| plain_rate | 2 | rows/s | more | 1 to 3 of 3 |\n"), "{text}");
        assert!(text.contains("## storage\n") && text.contains("| drop_seconds | 0.25 | s | less |  |"), "{text}");
        assert!(text.contains("No figures of queries: stopped") && !text.contains("touched"), "{text}");
        let charts = report.charts();
        assert_eq!(charts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["rates.svg"]);
        assert!(text.contains("](rates.svg)"), "{text}");
    }
}
