//! A report as one page that needs nothing else: no script, no font, no network. Pure.

mod chart;
mod charts;
mod glance;
mod markdown;

use super::{Better, Report};
use chart::short;

/// Colours, and how lines are drawn.
const CHART_STYLE: &str = "\
:root{--ground:#fff;--ink:#1c2128;--soft:#5b6470;--rule:#d9dee4;--good:#116b3c;--bad:#a4282d;
--c0:#b4552d;--c1:#7a5fb0;--c2:#0b6e99;--c3:#5f7d1f;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ground:#14181d;--ink:#e6e9ec;--soft:#9aa4af;--rule:#333b44;--good:#57c38a;
--bad:#f08a8e;--c0:#ef9a6f;--c1:#b9a3e6;--c2:#6cc3ea;--c3:#a9cc5a}}
svg text{fill:var(--soft);font-size:12px}svg .middle{text-anchor:middle}svg .end{text-anchor:end}
.grid{stroke:var(--rule);fill:none}.line{fill:none;stroke-width:2;stroke-linejoin:round}
.dashed{stroke-dasharray:5 4}.dot{stroke-width:6;stroke-linecap:round;stroke-dasharray:none}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}
";

/// Of a chart that is a file: what the page gives it otherwise.
const FILE_STYLE: &str = "svg{font-family:system-ui,sans-serif}.ground{fill:var(--ground)}";

const STYLE: &str = "\
body{margin:0 auto;max-width:60rem;padding:1.5rem;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}p{margin:.4rem 0}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}td.figure{font-weight:600;text-align:right;white-space:nowrap}
.good td.figure{color:var(--good)}.bad td.figure{color:var(--bad)}
figure{margin:1.2rem 0}figcaption{font-weight:600}svg{width:100%;height:auto;display:block}
details{margin:1rem 0}summary{cursor:pointer}.wide{overflow-x:auto}";

impl Report {
    /// The report as a page that any browser shows offline.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>chunkwise, measured</title>\
             <style>{CHART_STYLE}{STYLE}</style></head><body>\n<h1>chunkwise, measured</h1>\n"
        );
        for line in self.environment.to_string().lines() {
            put(&mut page, format_args!("<p class=\"soft\">{}</p>\n", escaped(line)));
        }
        if self.environment.build == "debug" {
            page.push_str(
                "<p class=\"bad\"><strong>A debug build: these figures say nothing about a release.</strong></p>\n",
            );
        }
        for (name, why) in &self.missing {
            let (name, why) = (escaped(name), escaped(why));
            put(&mut page, format_args!("<p class=\"bad\"><strong>No figures of {name}: {why}</strong></p>\n"));
        }
        let sentences = glance::sentences(self);
        if !sentences.is_empty() {
            page.push_str("<h2>At a glance</h2>\n<table>\n");
            for glance::Sentence { is_good, figure, text } in &sentences {
                let (class, mark) = if *is_good { ("good", "✓") } else { ("bad", "✗") };
                let (figure, text) = (escaped(figure), escaped(text));
                put(
                    &mut page,
                    format_args!(
                        "<tr class=\"{class}\"><td>{mark}</td><td class=\"figure\">{figure}</td><td>{text}</td></tr>\n"
                    ),
                );
            }
            page.push_str("</table>\n");
        }
        page.push_str("<h2>Charts</h2>\n");
        for chart in charts::all(self) {
            page.push_str(&chart.figure());
        }
        if let Some(published) = self.published {
            let [least, most] = published.seconds;
            put(
                &mut page,
                format_args!(
                    "<p class=\"soft\">Published, not measured here: {} took {least} to {most} s ({}).</p>\n",
                    escaped(published.what),
                    escaped(published.software)
                ),
            );
        }
        self.write_figures(&mut page);
        page.push_str("</body></html>\n");
        page
    }

    /// Its charts as files of SVG, each with its name.
    #[must_use]
    pub fn charts(&self) -> Vec<(String, String)> {
        let style = format!("{CHART_STYLE}{FILE_STYLE}");
        let file = |chart: chart::Chart| Some((format!("{}.svg", chart.name), chart.file(&style)?));
        charts::all(self).into_iter().filter_map(file).collect()
    }

    fn write_figures(&self, page: &mut String) {
        page.push_str(
            "<h2>All figures</h2>\n<details><summary>with the least and the greatest of their samples</summary>\n\
             <div class=\"wide\"><table><tr><th>figure</th><th class=\"n\">value</th><th>unit</th><th>better</th>\
             <th class=\"n\">least</th><th class=\"n\">greatest</th><th class=\"n\">samples</th></tr>\n",
        );
        for metric in &self.metrics {
            let least = metric.samples.iter().copied().fold(f64::MAX, f64::min);
            let most = metric.samples.iter().copied().fold(f64::MIN, f64::max);
            let better = match metric.better {
                Better::Higher => "more",
                Better::Lower => "less",
            };
            put(
                page,
                format_args!(
                    "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td><td>{better}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                    escaped(&metric.name),
                    short(metric.value),
                    escaped(metric.unit),
                    short(least),
                    short(most),
                    metric.samples.len()
                ),
            );
        }
        page.push_str("</table></div></details>\n");
    }
}

/// Puts a part behind the others.
fn put(page: &mut String, part: std::fmt::Arguments<'_>) {
    page.push_str(&part.to_string());
}

/// As text between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Environment;

    #[test]
    fn a_page_asks_for_nothing_and_escapes_what_it_shows() {
        let environment = Environment { cpu: "<fast>".to_owned(), ..Environment::default() };
        let mut report = Report::new(environment);
        report.add_samples("steadiness.plain_rate", 2.0, "rows/s", Better::Higher, vec![1.0, 2.0, 3.0]);
        report.add("queries.q1_100_sql", 12.0, "ms", Better::Lower);
        let page = report.html();
        assert!(page.contains("&lt;fast&gt;") && !page.contains("<fast>"));
        assert_eq!(page.matches("<svg").count(), 2, "{page}");
        for foreign in ["http:", "https:", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
