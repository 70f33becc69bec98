//! Finds what a question names: its measurement, its field, its series.

use std::sync::Arc;

use sqlx::PgConnection;

use super::{AnswerRows, QueryError, TaggedSeries, error::Attempt, reading::Selection};
use crate::{
    hypertable::{Field, Measurement, load_measurement, load_measurements},
    question::{Invalid, Selector, Shared},
    series,
    window::{Rows, Source},
};

/// The series of a question.
pub(super) struct Chosen {
    /// Those of the answer.
    pub(super) rows: AnswerRows,
    /// The one that the others are compared with, and its row in the frame.
    pub(super) target: Option<(TaggedSeries, usize)>,
    /// All whose rows are read, in the frame's order.
    pub(super) wanted: Rows,
}

/// Finds the measurement.
pub(super) async fn find_measurement(
    connection: &mut PgConnection,
    namespace: &str,
    name: &str,
) -> Result<Measurement, Attempt> {
    // PostgreSQL's text cannot hold NUL, so that nothing has such a name, and binding it would be an error.
    let impossible = namespace.contains('\0') || name.contains('\0');
    if !impossible && let Some(found) = load_measurement(&mut *connection, namespace, name).await? {
        return Ok(found);
    }
    let known = load_measurements(connection, &namespace.replace('\0', "")).await?;
    let known = known.into_iter().map(|measurement| measurement.name).collect();
    Err(QueryError::UnknownMeasurement { name: name.to_owned(), known }.into())
}

/// Finds measurement and field, and the field's column.
pub(super) async fn locate(
    connection: &mut PgConnection,
    shared: &Shared,
) -> Result<(Measurement, Source, String), Attempt> {
    let Shared { namespace, measurement: name, field, .. } = shared;
    let measurement = find_measurement(connection, namespace, name).await?;
    let (source, column) = match measurement.field(field) {
        Some(field) => (numbers(&measurement, field)?, field.column.clone()),
        None => {
            let known = measurement.fields.iter().map(|field| field.name.clone()).collect();
            return Err(QueryError::UnknownField { measurement: name.clone(), name: field.clone(), known }.into());
        }
    };
    Ok((measurement, source, column))
}

fn numbers(measurement: &Measurement, field: &Field) -> Result<Source, Invalid> {
    Source::new(measurement, field).map_err(|error| Invalid::new("field", error.to_string()))
}

/// Finds the series.
pub(super) async fn choose(
    connection: &mut PgConnection,
    measurement: &Measurement,
    selection: Selection<'_>,
) -> Result<Chosen, Attempt> {
    let (path, selector, target) = match selection {
        Selection::Some(selector) => ("series", selector, None),
        Selection::OneAgainst { target, against } => {
            ("against", against, Some(find_target(&mut *connection, measurement, target).await?))
        }
    };
    let selected = series::select(connection, measurement, selector)
        .await
        .map_err(|error| QueryError::of_selector(path, error))?;
    let rows = Arc::new(selected);
    let mut ids: Vec<i64> = rows.series.iter().map(|series| series.series_id).collect();
    let target = target.map(|target| {
        let row = ids.binary_search(&target.series_id).unwrap_or_else(|_| {
            ids.push(target.series_id);
            ids.len() - 1
        });
        (target, row)
    });
    Ok(Chosen { rows, target, wanted: Rows::new(ids, selector.is_all()) })
}

pub(super) async fn find_target(
    connection: &mut PgConnection,
    measurement: &Measurement,
    selector: &Selector,
) -> Result<TaggedSeries, Attempt> {
    let mut found = series::select(connection, measurement, selector)
        .await
        .map_err(|error| QueryError::of_selector("target", error))?;
    let total = found.series.len();
    match (found.series.pop(), total) {
        (Some(found), 1) => Ok(found),
        (None, _) => Err(QueryError::NoSeries {
            measurement: measurement.name.clone(),
            path: "target",
            selector: Box::new(selector.clone()),
        }
        .into()),
        (Some(last), _) => {
            found.series.push(last);
            let named = |TaggedSeries { series_id, tags }| {
                let tags = found.tag_names.iter().zip(tags);
                (series_id, tags.filter_map(|(name, value)| Some((name.clone(), value?))).collect())
            };
            let matches = found.series.into_iter().take(QueryError::MAX_NAMED).map(named).collect();
            Err(QueryError::AmbiguousTarget { total, matches }.into())
        }
    }
}
