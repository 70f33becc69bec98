//! The statements that read rows. Pure: text out.
//!
//! Bounds of time are constants: TimescaleDB then passes over chunks when it plans, and COPY takes no bound values.

use super::{Piece, Span};
use crate::{
    frame::Starts,
    hypertable::{ColumnType, Field, Measurement, quote_ident, time_literal as literal},
};

/// A field whose values are no numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` holds {kind}, and questions need numbers (float8, int8 or bool)")]
pub struct NotNumeric {
    /// The field.
    pub field: String,
    /// Its type.
    pub kind: ColumnType,
}

/// One field of a measurement's storage, as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    storage: String,
    /// The value as a float8.
    value: String,
    /// Whether there is a value: NaN and the infinities are missing, as everywhere.
    present: String,
    /// Cheaper, and still true of every row that has a value.
    not_null: String,
}

impl Source {
    /// The field `field` of `measurement`.
    ///
    /// # Errors
    /// [`NotNumeric`] for text and times.
    pub fn new(measurement: &Measurement, field: &Field) -> Result<Self, NotNumeric> {
        let not_null = format!("{} IS NOT NULL", quote_ident(&field.column));
        let (value, present) = Self::number(field)?;
        Ok(Self { storage: measurement.storage(), value, present, not_null })
    }

    /// A field's value as a float8, and whether there is one.
    pub(super) fn number(field: &Field) -> Result<(String, String), NotNumeric> {
        let column = quote_ident(&field.column);
        let not_null = format!("{column} IS NOT NULL");
        // Read as what the catalog says, or not at all: somebody may have given the column another type by hand.
        match field.kind {
            // In PostgreSQL's order NaN is above infinity. A cast to the type that there is costs nothing.
            ColumnType::Float8 => {
                let value = format!("{column}::float8");
                let present = format!("{value} > '-infinity' AND {value} < 'infinity'");
                Ok((value, present))
            }
            ColumnType::Int8 => Ok((format!("{column}::float8"), not_null)),
            // NULL stays NULL, for those who read rows that have other fields.
            ColumnType::Bool => {
                Ok((format!("(CASE {column} WHEN true THEN 1 WHEN false THEN 0 END)::float8"), not_null))
            }
            ColumnType::Text | ColumnType::Timestamptz => {
                Err(NotNumeric { field: field.name.clone(), kind: field.kind })
            }
        }
    }

    /// `time, series_id, value` of the rows within `span`: of `ids`, or of all series.
    #[must_use]
    pub fn select_rows(&self, span: Span, ids: Option<&[i64]>) -> String {
        let Self { storage, value, not_null, .. } = self;
        let bounds = within(span);
        let ids = listed(ids);
        format!("SELECT \"time\", series_id, {value} FROM {storage} WHERE {bounds} AND {not_null}{ids}")
    }

    /// The same as a COPY in the binary format.
    pub(super) fn copy_rows(&self, span: Span, ids: Option<&[i64]>) -> String {
        format!("COPY ({}) TO STDOUT (FORMAT binary)", self.select_rows(span, ids))
    }

    /// The greatest time within `span` at which any series has the field, in microseconds since 1970.
    pub(super) fn select_latest(&self, span: Span) -> String {
        let Self { storage, present, .. } = self;
        format!(
            "SELECT (extract(epoch FROM max(\"time\")) * 1000000)::int8 FROM {storage} WHERE {} AND {present}",
            within(span)
        )
    }

    /// The numbers of the buckets of `piece` within `spans` in which any series has the field, as int8, counted from 0.
    ///
    /// `spans` must not be empty, ascend, and lie within the piece.
    pub(super) fn select_observed(&self, piece: &Piece, spans: &[Span]) -> String {
        let Self { storage, present, .. } = self;
        let number = match &piece.starts {
            Starts::Regular { first_us, width_us, .. } => {
                let first = literal(*first_us);
                let bucket = format!("time_bucket('{width_us} microseconds'::interval, \"time\", {first})");
                format!("(extract(epoch FROM {bucket} - {first}) * 1000000 / {width_us})::int8")
            }
            // Buckets whose lengths differ are a day long or more, so they are few.
            Starts::Listed { starts, .. } => {
                let starts: Vec<String> = starts.iter().map(|start| literal(*start)).collect();
                format!("(width_bucket(\"time\", ARRAY[{}]) - 1)::int8", starts.join(","))
            }
        };
        let (from_us, to_us) =
            (spans.first().map_or(0, |span| span.from_us), spans.last().map_or(0, |span| span.to_us));
        let mut condition = within(Span { from_us, to_us });
        if spans.len() > 1 {
            let each: Vec<String> = spans.iter().map(|span| within(*span)).collect();
            condition = format!("{condition} AND ({})", each.join(" OR "));
        }
        format!("SELECT DISTINCT {number} FROM {storage} WHERE {condition} AND {present}")
    }
}

/// The condition that a row is of these series; nothing for all.
pub(super) fn listed(ids: Option<&[i64]>) -> String {
    match ids {
        None => String::new(),
        Some([id]) => format!(" AND series_id = {id}"),
        Some(ids) => {
            let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
            format!(" AND series_id = ANY ('{{{}}}'::int8[])", ids.join(","))
        }
    }
}

pub(super) fn within(span: Span) -> String {
    format!("\"time\" >= {} AND \"time\" < {}", literal(span.from_us), literal(span.to_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_series_are_filtered_by_the_server() {
        let source =
            Source { storage: "s".into(), value: "v".into(), present: "p".into(), not_null: "v IS NOT NULL".into() };
        let span = Span { from_us: 0, to_us: 1 };
        assert!(source.select_rows(span, None).ends_with("AND v IS NOT NULL"));
        assert!(source.select_rows(span, Some(&[7])).ends_with(" AND series_id = 7"));
        assert!(source.select_rows(span, Some(&[7, 9])).ends_with(" AND series_id = ANY ('{7,9}'::int8[])"));
    }
}
