//! From a selector to the series that it matches.

use futures_util::TryStreamExt;
use sqlx::{PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};

use crate::{
    hypertable::{Measurement, quote_ident},
    question::Selector,
};

/// A series and its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedSeries {
    /// Its id, never used twice in a database.
    pub series_id: i64,
    /// The values of the measurement's tags, in their order; `None` where the series lacks the tag.
    pub tags: Vec<Option<String>>,
}

/// Which tags there are, and the series that a selector matches: ascending by id, unless somebody has put them in rank order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectedSeries {
    /// The measurement's tags, in order of arrival.
    pub tag_names: Vec<String>,
    /// One a row.
    pub series: Vec<TaggedSeries>,
    /// Equal versions mean equal series in equal order (`Chunkwise-Series-Version`).
    pub version: String,
}

impl SelectedSeries {
    /// The values and ids of a selector that none of these series has, as `symbol=AAPLE` or `series_id=7`: probably misspelt.
    #[must_use]
    pub fn unmatched(&self, selector: &Selector) -> Vec<String> {
        let ids = selector.series_ids.iter().flatten();
        let ids = ids.filter(|id| self.series.iter().all(|series| series.series_id != **id));
        let ids = ids.map(|id| format!("series_id={id}"));
        let values = selector.tags.iter().flat_map(|(tag, values)| values.iter().map(move |value| (tag, value)));
        let values = values.filter(|(tag, value)| {
            let column = self.tag_names.iter().position(|name| name == *tag);
            let has = |series: &TaggedSeries| column.and_then(|at| series.tags.get(at)?.as_ref()) == Some(*value);
            !self.series.iter().any(has)
        });
        values.map(|(tag, value)| format!("{tag}={value}")).chain(ids).collect()
    }

    /// These rows, in this order.
    #[must_use]
    pub fn in_order(&self, measurement: &Measurement, rows: &[usize]) -> Self {
        let series: Vec<TaggedSeries> = rows.iter().filter_map(|row| self.series.get(*row).cloned()).collect();
        let version = version(measurement, series.iter().map(|series| series.series_id));
        Self { tag_names: self.tag_names.clone(), series, version }
    }
}

/// Why series cannot be selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// No series of the measurement has this tag.
    #[error("there is no tag `{tag}`: the measurement's tags are {known:?}")]
    UnknownTag {
        /// The name in the selector.
        tag: String,
        /// The tags that there are.
        known: Vec<String>,
    },
    /// The database's.
    #[error("the series cannot be read")]
    Database(#[from] sqlx::Error),
}

/// Whether series that sleep are among those that match: retired ones, which have had no data for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asleep {
    /// They are left out, as of all questions.
    LeftOut,
    /// They are series like any other.
    Included,
}

/// Reads the series of a measurement that a selector matches, in one query; sleeping ones are left out.
///
/// # Errors
/// [`SelectError::UnknownTag`], or the database's.
pub async fn select(
    connection: &mut PgConnection,
    measurement: &Measurement,
    selector: &Selector,
) -> Result<SelectedSeries, SelectError> {
    select_among(connection, measurement, selector, Asleep::LeftOut).await
}

/// Reads the series of a measurement that a selector matches, in one query.
///
/// # Errors
/// [`SelectError::UnknownTag`], or the database's.
pub async fn select_among(
    connection: &mut PgConnection,
    measurement: &Measurement,
    selector: &Selector,
    asleep: Asleep,
) -> Result<SelectedSeries, SelectError> {
    let mut query = QueryBuilder::new(select_columns(measurement));
    if asleep == Asleep::LeftOut {
        query.push(awake(measurement));
    }
    push_selector(&mut query, measurement, selector)?;
    query.push(" ORDER BY series_id");

    let mut series = Vec::new();
    let mut rows = query.build().fetch(connection);
    while let Some(row) = rows.try_next().await? {
        series.push(decode(&row, measurement)?);
    }
    let version = version(measurement, series.iter().map(|series| series.series_id));
    Ok(SelectedSeries { tag_names: tag_names(measurement), series, version })
}

/// `SELECT series_id, <tags> FROM <series table> WHERE true`, to which conditions are appended.
#[must_use]
pub fn select_columns(measurement: &Measurement) -> String {
    // Text, whatever somebody has made of the column by hand.
    let tags: String = measurement.tags.iter().map(|tag| format!(", {}::text", quote_ident(&tag.column))).collect();
    format!("SELECT series_id{tags} FROM {} WHERE true", measurement.series_table())
}

/// The condition that a series does not sleep, to be appended.
#[must_use]
pub fn awake(measurement: &Measurement) -> String {
    format!(
        " AND series_id NOT IN (SELECT series_id FROM chunkwise.retired_series WHERE measurement_id = {})",
        measurement.id
    )
}

/// Appends the conditions of a selector; its values are bound.
pub(super) fn push_selector(
    query: &mut QueryBuilder<'_, Postgres>,
    measurement: &Measurement,
    selector: &Selector,
) -> Result<(), SelectError> {
    if let Some(ids) = &selector.series_ids {
        query.push(" AND series_id = ANY (").push_bind(ids.clone()).push(")");
    }
    for (name, values) in &selector.tags {
        let tag = measurement
            .tag(name)
            .ok_or_else(|| SelectError::UnknownTag { tag: name.clone(), known: tag_names(measurement) })?;
        // PostgreSQL's text cannot hold NUL, so that no series has such a value, and binding it would be an error.
        let values: Vec<String> = values.iter().filter(|value| !value.contains('\0')).cloned().collect();
        query.push(format!(" AND {} = ANY (", quote_ident(&tag.column))).push_bind(values).push(")");
    }
    Ok(())
}

/// A row of [`select_columns`].
pub(super) fn decode(row: &PgRow, measurement: &Measurement) -> Result<TaggedSeries, sqlx::Error> {
    let tags = (1..=measurement.tags.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>()?;
    Ok(TaggedSeries { series_id: row.try_get(0)?, tags })
}

pub(super) fn tag_names(measurement: &Measurement) -> Vec<String> {
    measurement.tags.iter().map(|tag| tag.name.clone()).collect()
}

/// A text that is equal for equal series in equal order: `Chunkwise-Series-Version`.
///
/// A series' tags never change while the measurement's epoch lasts, so the ids say everything.
pub fn version(measurement: &Measurement, ids: impl Iterator<Item = i64>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&measurement.id.to_le_bytes());
    hasher.update(&measurement.epoch.to_le_bytes());
    for id in ids {
        hasher.update(&id.to_le_bytes());
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_series_has_is_named_as_it_was_asked_for() {
        let series =
            |series_id, symbol: Option<&str>| TaggedSeries { series_id, tags: vec![symbol.map(str::to_owned)] };
        let rows = SelectedSeries {
            tag_names: vec!["symbol".to_owned()],
            series: vec![series(1, Some("AAPL")), series(2, None)],
            version: String::new(),
        };
        let unmatched = |pairs: &[&str]| rows.unmatched(&Selector::from_pairs(pairs).unwrap());
        assert_eq!(unmatched(&[]), [""; 0]);
        assert_eq!(unmatched(&["symbol=AAPL", "series_id=1"]), [""; 0]);
        assert_eq!(unmatched(&["symbol=AAPL", "symbol=AAPLE", "series_id=7"]), ["symbol=AAPLE", "series_id=7"]);
    }
}
