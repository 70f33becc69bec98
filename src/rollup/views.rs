//! The views upon rollups. Pure: text out.
//!
//! ```text
//! __bars_5m                                  to its watermark ----------.
//! __bars_1m    from there                    to its own -.              +-> __live_5m; joined with series: _bars_5m
//! rows         from there on, as bars of one row --------+-> grouped ---'
//! ```

use super::{
    BarField, LatestField, Level, Shape, Shown, shown,
    sql::{Column, LATEST, PARTS, WEIGHTED, bar_columns, names, present},
};
use crate::hypertable::{ColumnType, quote_ident, quote_literal};

/// The value of a bar's field as a number.
fn value(field: &BarField, of: &str) -> String {
    let column = format!("{of}{}", quote_ident(&field.column));
    match field.kind {
        // 0 and -0 are one.
        ColumnType::Float8 => format!("({column} + 0::float8)"),
        ColumnType::Bool => format!("{column}::int4::int8"),
        _ => column,
    }
}

/// What a level does not hold yet, as bars that need only be grouped: those of narrower levels, each from where the wider ones
/// end, and bars of one row each from there on.
///
/// In one plain UNION ALL with nothing grouped below it, so that a question's bounds of time reach every table as they are
/// and the server leaves out chunks before it opens one.
fn parts(shape: &Shape, level: Level) -> String {
    let names = names(&bar_columns(shape));
    let mut wider = vec![level];
    let mut parts = Vec::new();
    while let Some(below) = wider.last().and_then(|last| shape.below(*last)) {
        let (from, to) = (watermark_of(shape, &wider), watermark(shape, below.name()));
        let bars = shape.bars(below);
        parts.push(format!(
            "SELECT \"time\", series_id{names} FROM {bars} WHERE \"time\" >= {from} AND \"time\" < {to}"
        ));
        wider.push(below);
    }
    let some: Vec<String> = shape.fields.iter().map(|field| present(&field.column, field.kind, "")).collect();
    parts.push(format!(
        "SELECT \"time\", series_id, {} FROM {} WHERE \"time\" >= {} AND ({})",
        select_list(&of_one_row(shape)),
        shape.measurement.storage(),
        watermark_of(shape, &wider),
        some.join(" OR ")
    ));
    parts.join(" UNION ALL ")
}

/// The columns of a level's table, of a single row.
fn of_one_row(shape: &Shape) -> Vec<Column> {
    let mut columns = Vec::new();
    for field in &shape.fields {
        let present = present(&field.column, field.kind, "");
        let value = value(field, "");
        let one = |of: String| format!("CASE WHEN {present} THEN {of} END");
        let expressions = PARTS.map(|part| match part {
            "sum" => one(format!("{value}::float8")),
            "count" => one("1::int8".to_owned()),
            _ => one(value.clone()),
        });
        columns.extend(PARTS.map(|part| field.part(part)).into_iter().zip(expressions));
    }
    if let Some(weighting) = shape.weighting() {
        let (price, size) = (&shape.fields[weighting.value], &shape.fields[weighting.weight]);
        let [price_there, size_there] = [price, size].map(|field| present(&field.column, field.kind, ""));
        let [price, size] = [price, size].map(|field| format!("{}::float8", value(field, "")));
        let expressions = [format!("{price} * {size}"), size]
            .map(|expression| format!("CASE WHEN {price_there} AND {size_there} THEN {expression} END"));
        columns.extend(WEIGHTED.map(str::to_owned).into_iter().zip(expressions));
    }
    columns
}

/// The columns of a level's table, of the bars `b` in one bucket. Of equal times, which only rows have, the greater value
/// counts.
fn grouped(shape: &Shape, level: Level, series_id: &str) -> Vec<Column> {
    let bucket = format!("time_bucket('{}'::interval, b.\"time\")", level.name());
    let mut columns = vec![("time".to_owned(), bucket), ("series_id".to_owned(), series_id.to_owned())];
    for field in &shape.fields {
        let [first, last, min, max, sum, count] = PARTS.map(|part| format!("b.{}", quote_ident(&field.part(part))));
        let filter = format!("FILTER (WHERE {count} > 0)");
        let expressions = [
            format!("(array_agg({first} ORDER BY b.\"time\", {first} DESC) {filter})[1]"),
            format!("(array_agg({last} ORDER BY b.\"time\" DESC, {last} DESC) {filter})[1]"),
            format!("min({min})"),
            format!("max({max})"),
            format!("sum({sum})"),
            format!("sum({count})::int8"),
        ];
        columns.extend(PARTS.map(|part| field.part(part)).into_iter().zip(expressions));
    }
    if shape.weighting().is_some() {
        columns.extend(WEIGHTED.map(|name| (name.to_owned(), format!("sum(b.{})", quote_ident(name)))));
    }
    columns
}

/// A level's watermark: a constant to the planner, see the migration that makes the function.
fn watermark(shape: &Shape, level: &str) -> String {
    format!("chunkwise.watermark({}, {})", shape.measurement.id, quote_literal(level))
}

/// Where the last of some levels ends. That is the narrowest, but for a moment after another one came in between.
fn watermark_of(shape: &Shape, levels: &[Level]) -> String {
    let ends: Vec<String> = levels.iter().map(|level| watermark(shape, level.name())).collect();
    format!("greatest({})", ends.join(", "))
}

/// The view of a level's bars with those that are computed on the fly. `existing` are the columns that it has already, with
/// their types: their order stays, new ones follow.
pub(super) fn replace_live(shape: &Shape, level: Level, existing: &[Column]) -> String {
    let fresh = in_order(existing, grouped(shape, level, "b.series_id"));
    let kept: Vec<Column> = fresh
        .iter()
        .map(|(name, expression)| {
            let gone = expression.starts_with("NULL::");
            (name.clone(), if gone { expression.clone() } else { quote_ident(name) })
        })
        .collect();
    format!(
        "CREATE OR REPLACE VIEW {} AS SELECT {} FROM {} WHERE \"time\" < {} UNION ALL SELECT {} FROM ({}) b GROUP BY 1, 2",
        shape.live(level),
        select_list(&kept),
        shape.bars(level),
        watermark(shape, level.name()),
        select_list(&fresh),
        parts(shape, level),
    )
}

/// The analysts' view of a level's bars. Made and computed bars are joined with their series apart: so the server goes from
/// a tag to its series, and by the index to the bars that are made. What is computed is joined before it is grouped, so that
/// nothing is grouped of series that were not asked for.
pub(super) fn replace_bars_view(shape: &Shape, level: Level, existing: &[Column]) -> String {
    let shown = in_order(existing, shown_bars(shape));
    let (bars, series, watermark) =
        (shape.bars(level), shape.measurement.series_table(), watermark(shape, level.name()));
    let mut fresh = grouped(shape, level, "s.series_id");
    // By the series' key each has one value of every tag.
    fresh.extend(
        shape.measurement.tags.iter().map(|tag| (tag.column.clone(), format!("s.{}", quote_ident(&tag.column)))),
    );
    let of_fresh: Vec<Column> = shown
        .iter()
        .map(|(name, expression)| {
            let tag = expression.strip_prefix("s.").map(|tag| format!("b.{tag}"));
            (name.clone(), tag.unwrap_or_else(|| expression.clone()))
        })
        .collect();
    format!(
        "CREATE OR REPLACE VIEW {} AS
         SELECT {} FROM {bars} b JOIN {series} s ON s.series_id = b.series_id WHERE b.\"time\" < {watermark}
         UNION ALL
         SELECT {} FROM (SELECT {} FROM ({}) b JOIN {series} s ON s.series_id = b.series_id GROUP BY 1, 2) b",
        shape.bars_view(level),
        select_list(&shown),
        select_list(&of_fresh),
        select_list(&fresh),
        parts(shape, level),
    )
}

/// What the analysts' views of bars show, with the expressions over a level's bars `b` and the series `s`.
pub(super) fn shown_bars(shape: &Shape) -> Vec<Column> {
    let mut columns = vec![("time".to_owned(), "b.\"time\"".to_owned())];
    for (_, arrival) in shape.arrivals(&shape.fields, BarField::position) {
        match arrival {
            Ok(tag) => {
                let column = &shape.measurement.tags[tag].column;
                columns.push((column.clone(), format!("s.{}", quote_ident(column))));
            }
            Err(field) => columns.extend(shown_field(shape, field)),
        }
    }
    without_repeats(columns)
}

fn shown_field(shape: &Shape, at: usize) -> Vec<Column> {
    let part = |part: &str| format!("b.{}", quote_ident(&shape.fields[at].part(part)));
    let expression = |shown: Shown| match shown {
        Shown::First => part("first"),
        Shown::Max => part("max"),
        Shown::Min => part("min"),
        Shown::Last => part("last"),
        Shown::Count => format!("coalesce({}, 0)", part("count")),
        Shown::Sum => part("sum"),
        Shown::Mean => format!("{} / {}", part("sum"), part("count")),
        Shown::Vwap => {
            let [product, weight] = WEIGHTED.map(quote_ident);
            format!("b.{product} / nullif(b.{weight}, 0)")
        }
    };
    shown(shape, at).into_iter().map(|(name, shown)| (name, expression(shown))).collect()
}

/// Last values with those of the newest rows: what is at or behind the watermark is later than what is in the table. Series
/// that sleep are left out, as everywhere.
pub(super) fn replace_live_latest(shape: &Shape, existing: &[Column]) -> String {
    let mut fresh = vec![("series_id".to_owned(), "series_id".to_owned())];
    let mut columns = vec![("series_id".to_owned(), "s.series_id".to_owned())];
    for field in &shape.latest {
        let (column, at) = (quote_ident(&field.column), quote_ident(&field.at()));
        let filter = format!("FILTER (WHERE {})", present(&field.column, field.kind, ""));
        let order = match field.kind {
            ColumnType::Text => format!("{column} COLLATE \"C\" DESC"),
            _ => format!("{column} DESC"),
        };
        let newest = format!("(array_agg({column} ORDER BY \"time\" DESC, {order}) {filter})[1]");
        fresh.push((field.column.clone(), newest));
        fresh.push((field.at(), format!("max(\"time\") {filter}")));
        let chosen = format!("CASE WHEN n.{at} IS NULL THEN l.{column} ELSE n.{column} END");
        columns.push((field.column.clone(), chosen));
        columns.push((field.at(), format!("coalesce(n.{at}, l.{at})")));
    }
    format!(
        "CREATE OR REPLACE VIEW {} AS SELECT {} FROM {} s
         LEFT JOIN {} l ON l.series_id = s.series_id
         LEFT JOIN (SELECT {} FROM {} WHERE \"time\" >= {} GROUP BY series_id) n ON n.series_id = s.series_id
         WHERE (l.series_id IS NOT NULL OR n.series_id IS NOT NULL) AND s.series_id NOT IN
             (SELECT r.series_id FROM chunkwise.retired_series r WHERE r.measurement_id = {})",
        shape.live_latest(),
        select_list(&in_order(existing, columns)),
        shape.measurement.series_table(),
        shape.latest_table(),
        select_list(&fresh),
        shape.measurement.storage(),
        watermark(shape, LATEST),
        shape.measurement.id,
    )
}

/// The analysts' view of last values.
pub(super) fn replace_latest_view(shape: &Shape, existing: &[Column]) -> String {
    let ats: Vec<String> = shape.latest.iter().map(|field| format!("l.{}", quote_ident(&field.at()))).collect();
    let mut columns = vec![("time".to_owned(), format!("greatest({})", ats.join(", ")))];
    for (_, arrival) in shape.arrivals(&shape.latest, LatestField::position) {
        let (table, column) = match arrival {
            Ok(tag) => ("s", &shape.measurement.tags[tag].column),
            Err(field) => ("l", &shape.latest[field].column),
        };
        columns.push((column.clone(), format!("{table}.{}", quote_ident(column))));
    }
    format!(
        "CREATE OR REPLACE VIEW {} AS SELECT {} FROM {} l JOIN {} s ON s.series_id = l.series_id",
        shape.latest_view(),
        select_list(&in_order(existing, columns)),
        shape.live_latest(),
        shape.measurement.series_table(),
    )
}

/// The columns that a view has already in their order, then new ones: a view that others use can only grow. A column that
/// is no more stays, empty.
fn in_order(existing: &[Column], wanted: Vec<Column>) -> Vec<Column> {
    let expression =
        |name: &str| wanted.iter().find(|(other, _)| other == name).map(|(_, expression)| expression.clone());
    let mut columns: Vec<Column> = existing
        .iter()
        .map(|(name, kind)| (name.clone(), expression(name).unwrap_or_else(|| format!("NULL::{kind}"))))
        .collect();
    columns.extend(wanted.into_iter().filter(|(name, _)| !existing.iter().any(|(other, _)| other == name)));
    columns
}

/// A tag named like one of the answer's own columns gets the prefix `tag_`; a field's column that is there already is left
/// out.
fn without_repeats(columns: Vec<Column>) -> Vec<Column> {
    let own: Vec<String> =
        columns.iter().filter(|(_, expression)| !expression.starts_with("s.")).map(|(name, _)| name.clone()).collect();
    let mut seen: Vec<Column> = Vec::with_capacity(columns.len());
    for (mut name, expression) in columns {
        if expression.starts_with("s.") {
            while own.contains(&name) {
                name.insert_str(0, "tag_");
            }
        }
        if !seen.iter().any(|(other, _)| *other == name) {
            seen.push((name, expression));
        }
    }
    seen
}

fn select_list(columns: &[Column]) -> String {
    let columns: Vec<String> =
        columns.iter().map(|(name, expression)| format!("{expression} AS {}", quote_ident(name))).collect();
    columns.join(", ")
}
