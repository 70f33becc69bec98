//! The statements that make rollups and read them. Pure: text out.

use super::{BarField, LatestField, Shape};
use crate::hypertable::{ColumnType, changes::Stretch, quote_ident, time_literal};

/// The parts of a field's bar, in the order of its columns.
pub(super) const PARTS: [&str; 6] = ["first", "last", "min", "max", "sum", "count"];
/// The sums that a weighted mean is made of; no field's column is named so.
pub(super) const WEIGHTED: [&str; 2] = ["__product", "__weight"];

/// A column of a table or view: its name, unquoted, and its type or expression.
pub(super) type Column = (String, String);

/// Whether a column of the storage has a value: NaN and the infinities are missing, as everywhere.
pub(super) fn present(column: &str, kind: ColumnType, of: &str) -> String {
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

/// The name under which last values have a watermark.
pub(super) const LATEST: &str = "latest";

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
