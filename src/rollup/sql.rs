//! The statements that make rollups and read them. Pure: text out.

use super::{BarField, LatestField, Level, Shape};
use crate::hypertable::{ColumnType, changes::Stretch, quote_ident, quote_literal, time_literal};

/// The parts of a field's bar, in the order of its columns.
pub(super) const PARTS: [&str; 6] = ["first", "last", "min", "max", "sum", "count"];
/// The sums that a weighted mean is made of; no field's column is named so.
pub(super) const WEIGHTED: [&str; 2] = ["__product", "__weight"];

/// A column of a table or view: its name, unquoted, and its type or expression.
pub(super) type Column = (String, String);

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

/// Whether a column of the storage has a value: NaN and the infinities are missing, as everywhere.
fn present(column: &str, kind: ColumnType, of: &str) -> String {
    let column = format!("{of}{}", quote_ident(column));
    match kind {
        ColumnType::Float8 => format!("({column} > '-infinity' AND {column} < 'infinity')"),
        _ => format!("{column} IS NOT NULL"),
    }
}

pub(super) fn within(stretch: Stretch) -> String {
    format!("\"time\" >= {} AND \"time\" < {}", time_literal(stretch.from_us), time_literal(stretch.to_us))
}

/// The columns of a level's table behind `time` and `series_id`, with their types.
pub(super) fn bar_columns(shape: &Shape) -> Vec<Column> {
    let of_field = |field: &BarField| {
        let kind = if field.kind == ColumnType::Float8 { "float8" } else { "int8" };
        let names = PARTS.map(|part| field.part(part));
        names.into_iter().zip([kind, kind, kind, kind, "float8", "int8"]).map(|(name, kind)| (name, kind.to_owned()))
    };
    let mut columns: Vec<Column> = shape.fields.iter().flat_map(of_field).collect();
    if shape.weighting().is_some() {
        columns.extend(WEIGHTED.map(|name| (name.to_owned(), "float8".to_owned())));
    }
    columns
}

/// The columns of the table of last values behind `series_id`, with their types.
pub(super) fn latest_columns(shape: &Shape) -> Vec<Column> {
    let of_field = |field: &LatestField| {
        [(field.column.clone(), field.kind.sql().to_owned()), (field.at(), "timestamptz".to_owned())]
    };
    shape.latest.iter().flat_map(of_field).collect()
}

/// `time, series_id` and the fields' numbers, of rows that have one.
pub(super) fn select_rows(shape: &Shape, stretch: Stretch) -> String {
    let values: String = shape.fields.iter().map(|field| format!(", {}", cast(field))).collect();
    let some: Vec<String> =
        shape.fields.iter().map(|field| format!("{} IS NOT NULL", quote_ident(&field.column))).collect();
    // With many fields the condition costs more than the rows that it spares.
    let some = if some.len() > 4 { String::new() } else { format!(" AND ({})", some.join(" OR ")) };
    let storage = shape.measurement.storage();
    format!("SELECT \"time\", series_id{values} FROM {storage} WHERE {}{some}", within(stretch))
}

/// A number as its bars hold it, whatever the column has been made by hand meanwhile.
fn cast(field: &BarField) -> String {
    let column = quote_ident(&field.column);
    match field.kind {
        ColumnType::Float8 => format!("{column}::float8"),
        ColumnType::Bool => format!("{column}::bool::int4::int8"),
        _ => format!("{column}::int8"),
    }
}

/// A level's bars as its table or its live view, `from`, has them.
pub(super) fn select_bars(shape: &Shape, from: &str, stretch: Stretch) -> String {
    let columns = names(&bar_columns(shape));
    format!("SELECT \"time\", series_id{columns} FROM {from} WHERE {}", within(stretch))
}

/// ` AND series_id = ...`, or nothing for all.
pub(super) fn of_series(ids: Option<&[i64]>) -> String {
    ids.map_or(String::new(), |ids| {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        format!(" AND series_id = ANY ('{{{}}}'::int8[])", ids.join(","))
    })
}

/// `, "a", "b"`
pub(super) fn names(columns: &[Column]) -> String {
    columns.iter().map(|(name, _)| format!(", {}", quote_ident(name))).collect()
}

/// `time, series_id` and all fields.
pub(super) fn select_latest_rows(shape: &Shape, stretch: Stretch, ids: Option<&[i64]>) -> String {
    let values: String =
        shape.latest.iter().map(|field| format!(", {}::{}", quote_ident(&field.column), field.kind.sql())).collect();
    let storage = shape.measurement.storage();
    format!("SELECT \"time\", series_id{values} FROM {storage} WHERE {}{}", within(stretch), of_series(ids))
}

/// The bars from `watermark` on, of the storage's rows: what a level that is made of rows does not hold yet.
fn fresh_of_rows(shape: &Shape, level: Level, watermark: &str) -> (Vec<Column>, String) {
    let mut columns = vec![bucket(level), ("series_id".to_owned(), "series_id".to_owned())];
    for field in &shape.fields {
        let (value, present) = (value(field, ""), present(&field.column, field.kind, ""));
        let filter = format!("FILTER (WHERE {present})");
        let expressions = [
            format!("(array_agg({value} ORDER BY \"time\", {value} DESC) {filter})[1]"),
            format!("(array_agg({value} ORDER BY \"time\" DESC, {value} DESC) {filter})[1]"),
            format!("min({value}) {filter}"),
            format!("max({value}) {filter}"),
            format!("sum({value}::float8) {filter}"),
            format!("nullif(count(*) {filter}, 0)"),
        ];
        columns.extend(PARTS.map(|part| field.part(part)).into_iter().zip(expressions));
    }
    if let Some(weighting) = shape.weighting() {
        let (price, size) = (&shape.fields[weighting.value], &shape.fields[weighting.weight]);
        let [price_there, size_there] = [price, size].map(|field| present(&field.column, field.kind, ""));
        let filter = format!("FILTER (WHERE {price_there} AND {size_there})");
        let [price, size] = [price, size].map(|field| format!("{}::float8", value(field, "")));
        let [product, weight] = WEIGHTED.map(str::to_owned);
        columns.push((product, format!("sum({price} * {size}) {filter}")));
        columns.push((weight, format!("sum({size}) {filter}")));
    }
    let some: Vec<String> = shape.fields.iter().map(|field| present(&field.column, field.kind, "")).collect();
    let from = format!(
        "FROM {} WHERE \"time\" >= {watermark} AND ({}) GROUP BY 1, 2",
        shape.measurement.storage(),
        some.join(" OR ")
    );
    (columns, from)
}

/// The same of a level that is made of a narrower one's bars.
fn fresh_of_bars(shape: &Shape, level: Level, below: Level, watermark: &str) -> (Vec<Column>, String) {
    let mut columns = vec![bucket(level), ("series_id".to_owned(), "series_id".to_owned())];
    for field in &shape.fields {
        let [first, last, min, max, sum, count] = PARTS.map(|part| quote_ident(&field.part(part)));
        let filter = format!("FILTER (WHERE {count} > 0)");
        let expressions = [
            format!("(array_agg({first} ORDER BY \"time\") {filter})[1]"),
            format!("(array_agg({last} ORDER BY \"time\" DESC) {filter})[1]"),
            format!("min({min})"),
            format!("max({max})"),
            format!("sum({sum})"),
            format!("sum({count})::int8"),
        ];
        columns.extend(PARTS.map(|part| field.part(part)).into_iter().zip(expressions));
    }
    if shape.weighting().is_some() {
        columns.extend(WEIGHTED.map(|name| (name.to_owned(), format!("sum({})", quote_ident(name)))));
    }
    (columns, format!("FROM {} WHERE \"time\" >= {watermark} GROUP BY 1, 2", shape.live(below)))
}

fn bucket(level: Level) -> Column {
    ("time".to_owned(), format!("time_bucket('{}'::interval, \"time\")", level.name()))
}

/// A level's watermark: a subquery that the server runs once for each statement, before it looks at any chunk.
pub(super) fn watermark(shape: &Shape, level: &str) -> String {
    format!(
        "(SELECT watermark FROM chunkwise.rollup_level WHERE measurement_id = {} AND level = {})",
        shape.measurement.id,
        quote_literal(level)
    )
}

/// The name under which last values have a watermark.
pub(super) const LATEST: &str = "latest";

/// The view of a level's bars with those that are computed on the fly. `existing` are the columns that it has already, with
/// their types: their order stays, new ones follow.
pub(super) fn replace_live(shape: &Shape, level: Level, existing: &[Column]) -> String {
    let watermark = watermark(shape, level.name());
    let (fresh, from) = match shape.below(level) {
        None => fresh_of_rows(shape, level, &watermark),
        Some(below) => fresh_of_bars(shape, level, below, &watermark),
    };
    let fresh = in_order(existing, fresh);
    let kept: Vec<Column> = fresh
        .iter()
        .map(|(name, expression)| {
            let gone = expression.starts_with("NULL::");
            (name.clone(), if gone { expression.clone() } else { quote_ident(name) })
        })
        .collect();
    format!(
        "CREATE OR REPLACE VIEW {} AS SELECT {} FROM {} WHERE \"time\" < {watermark} UNION ALL SELECT {} {from}",
        shape.live(level),
        select_list(&kept),
        shape.bars(level),
        select_list(&fresh),
    )
}

/// The analysts' view of a level's bars. Made and computed bars are joined with their series apart: so the server goes from
/// a tag to its series, and by the index to the bars that are made; it cannot do so through what groups rows.
pub(super) fn replace_bars_view(shape: &Shape, level: Level, existing: &[Column]) -> String {
    let columns = select_list(&in_order(existing, shown_bars(shape)));
    let (series, watermark) = (shape.measurement.series_table(), watermark(shape, level.name()));
    let part = |from: String, side: &str| {
        format!(
            "SELECT {columns} FROM {from} b JOIN {series} s ON s.series_id = b.series_id WHERE b.\"time\" {side} {watermark}"
        )
    };
    format!(
        "CREATE OR REPLACE VIEW {} AS {} UNION ALL {}",
        shape.bars_view(level),
        part(shape.bars(level), "<"),
        part(shape.live(level), ">="),
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

/// What a view shows of a field's bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The earliest value.
    First,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// The latest.
    Last,
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The price's mean, weighted by size.
    Vwap,
}

/// The columns of one field in the order in which they are shown, by name.
#[must_use]
pub fn shown(shape: &Shape, at: usize) -> Vec<(String, Shown)> {
    let named = |names: &[(&str, Shown)]| names.iter().map(|(name, shown)| ((*name).to_owned(), *shown)).collect();
    if shape.price == Some(at) {
        let names = [
            ("open", Shown::First),
            ("high", Shown::Max),
            ("low", Shown::Min),
            ("close", Shown::Last),
            ("count", Shown::Count),
        ];
        return named(&names);
    }
    if shape.size == Some(at) {
        return named(&[("volume", Shown::Sum), ("vwap", Shown::Vwap)]);
    }
    let column = &shape.fields[at].column;
    let names = [
        ("mean", Shown::Mean),
        ("min", Shown::Min),
        ("max", Shown::Max),
        ("last", Shown::Last),
        ("count", Shown::Count),
    ];
    names.into_iter().map(|(name, shown)| (format!("{column}_{name}"), shown)).collect()
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

/// Last values with those of the newest rows: what is at or behind the watermark is later than what is in the table.
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
         WHERE l.series_id IS NOT NULL OR n.series_id IS NOT NULL",
        shape.live_latest(),
        select_list(&in_order(existing, columns)),
        shape.measurement.series_table(),
        shape.latest_table(),
        select_list(&fresh),
        shape.measurement.storage(),
        watermark(shape, LATEST),
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
