//! Answers as tables for people. Pure.

use chunkwise::{
    format::{self, Format, Layout},
    query::{AnswerRows, AsofAnswer, CorrelateAnswer, Receipt, StatColumn, TaggedSeries, WindowAnswer},
    question::{Stat, Timestamp},
};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};

/// A window: `long` has a line for every value, `wide` a column for every series.
pub(crate) fn window(answer: &WindowAnswer, layout: Layout) -> String {
    let table = match layout {
        Layout::Long => window_long(answer),
        Layout::Wide => window_wide(answer),
    };
    with_receipt(&table, answer.as_of_us, &answer.receipt)
}

fn window_long(answer: &WindowAnswer) -> Table {
    let times = times(&answer.frame.times_us);
    let also = answer.also.iter().map(|(aggregate, _)| aggregate.name().to_owned());
    let mut table = table(row_header(&answer.rows).chain(["time".to_owned(), "value".to_owned()]).chain(also));
    for (row, series) in answer.rows.series.iter().enumerate() {
        for (column, time) in times.iter().enumerate() {
            let all = std::iter::once(&answer.frame.values).chain(answer.also.iter().map(|(_, values)| values));
            let values: Vec<f64> = all.map(|values| values[(row, column)]).collect();
            if values.iter().all(|value| value.is_nan()) {
                continue;
            }
            let mut cells = row_cells(&answer.rows, series);
            cells.push(Cell::new(time));
            cells.extend(values.iter().map(number));
            table.add_row(cells);
        }
    }
    table
}

fn window_wide(answer: &WindowAnswer) -> Table {
    let names = answer.rows.series.iter().map(|series| name(&answer.rows, series));
    let mut table = table(std::iter::once("time".to_owned()).chain(names));
    for (time, values) in times(&answer.frame.times_us).iter().zip(answer.frame.values.columns()) {
        table.add_row(std::iter::once(Cell::new(time)).chain(values.iter().map(number)));
    }
    table
}

/// A correlation: a line for every series, in the answer's order; with several ranges, the columns of one after the
/// other.
pub(crate) fn correlate(answer: &CorrelateAnswer) -> String {
    let mut header: Vec<String> = row_header(&answer.rows).collect();
    for range in &answer.ranges {
        let bounds = times(&[range.from.us(), range.to.us()]).join("..");
        let figures = ["r", "n"].into_iter().chain(answer.stats.iter().map(stat_name));
        header.extend(figures.map(|figure| match answer.ranges.len() {
            1 => figure.to_owned(),
            _ => format!("{bounds}\n{figure}"),
        }));
    }
    let mut table = table(header);
    for (column, series) in answer.rows.series.iter().enumerate() {
        let mut cells = row_cells(&answer.rows, series);
        for range in 0..answer.ranges.len() {
            let at = [range, column];
            cells.push(right(coefficient(answer.r[at])));
            cells.push(right(answer.n[at].to_string()));
            cells.extend(answer.stats.iter().map(|stat| right(figure(stat, at))));
        }
        table.add_row(cells);
    }
    let others = answer.rows.series.iter().filter(|series| series.series_id != answer.target.series_id).count();
    let top = if others < answer.compared { format!(", the top {others}") } else { String::new() };
    let target = format!("{} against {} series{top}\n", name(&answer.rows, &answer.target), answer.compared);
    target + &with_receipt(&table, answer.as_of_us, &answer.receipt)
}

/// Joined rows: the columns of the CSV, with its names.
pub(crate) fn asof(answer: &AsofAnswer) -> anyhow::Result<String> {
    let csv = format::asof(answer, Format::Csv)?;
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_slice()).into_records();
    let header = rows.next().transpose()?.unwrap_or_default();
    let mut table = table(header.iter().map(printable));
    let tags = answer.tag_names.len();
    for row in rows {
        let row = row?;
        table.add_row(row.iter().enumerate().map(|(column, cell)| match column {
            column if column <= tags => Cell::new(printable(cell)),
            _ => right(cell.to_owned()),
        }));
    }
    Ok(with_receipt(&table, answer.as_of_us, &answer.receipt))
}

/// Any list of named columns; on a terminal its cells are wrapped to fit.
pub(crate) fn table(header: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn with_receipt(table: &Table, as_of_us: i64, receipt: &Receipt) -> String {
    let Receipt { chunks, rows_read, ms, .. } = receipt;
    let total_ms = ms.queue + ms.plan + ms.read + ms.align + ms.compute + ms.encode;
    format!(
        "{table}\nas of {}; {} of {} chunks read, {} from blocks; {rows_read} rows; {total_ms:.1} ms\n",
        Timestamp::display_us(as_of_us),
        chunks.read,
        chunks.total,
        chunks.cached,
    )
}

fn row_header(rows: &AnswerRows) -> impl Iterator<Item = String> {
    std::iter::once("series_id".to_owned()).chain(rows.tag_names.iter().map(|tag| printable(tag)))
}

fn row_cells(rows: &AnswerRows, series: &TaggedSeries) -> Vec<Cell> {
    let tags = series.tags.iter().take(rows.tag_names.len());
    let tags = tags.map(|value| Cell::new(value.as_deref().map(printable).unwrap_or_default()));
    std::iter::once(right(series.series_id.to_string())).chain(tags).collect()
}

/// The tag's value where there is one tag, else `k=v,k=v`, as the wide layouts of REST name columns.
fn name(rows: &AnswerRows, series: &TaggedSeries) -> String {
    let tags: Vec<_> = rows.tag_names.iter().zip(&series.tags).filter_map(|(k, v)| Some((k, v.as_ref()?))).collect();
    match (rows.tag_names.len(), tags.as_slice()) {
        (_, []) => format!("series {}", series.series_id),
        (1, [(_, value)]) => printable(value),
        (_, tags) => {
            let pairs: Vec<_> =
                tags.iter().map(|(key, value)| format!("{}={}", printable(key), printable(value))).collect();
            pairs.join(",")
        }
    }
}

fn stat_name(stat: &StatColumn) -> &'static str {
    match stat {
        StatColumn::One(Stat::PValue, _) => "p_value",
        StatColumn::One(Stat::QValue, _) => "q_value",
        StatColumn::One(Stat::Ci95, _) | StatColumn::Interval(..) => "ci95",
    }
}

fn figure(stat: &StatColumn, at: [usize; 2]) -> String {
    match stat {
        StatColumn::One(_, values) if values[at].is_nan() => String::new(),
        StatColumn::One(_, values) => format!("{:.1e}", values[at]),
        StatColumn::Interval(low, high) if low[at].is_nan() || high[at].is_nan() => String::new(),
        StatColumn::Interval(low, high) => format!("[{:.3}, {:.3}]", low[at], high[at]),
    }
}

fn coefficient(r: f64) -> String {
    if r.is_nan() { String::new() } else { format!("{r:.4}") }
}

fn number(value: &f64) -> Cell {
    right(if value.is_nan() { String::new() } else { value.to_string() })
}

fn right(text: String) -> Cell {
    Cell::new_owned(text).set_alignment(CellAlignment::Right)
}

/// Times with the precision that all of them need: dates where all are midnights.
fn times(times_us: &[i64]) -> Vec<String> {
    const DAY_US: i64 = 86_400_000_000;
    let are_dates = times_us.iter().all(|us| us % DAY_US == 0);
    let shown = |us: &i64| {
        let text = Timestamp::display_us(*us);
        match text.split_once('T') {
            Some((date, _)) if are_dates => date.to_owned(),
            _ => text,
        }
    };
    times_us.iter().map(shown).collect()
}

/// Names come from outside: a control character must not reach the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests;
