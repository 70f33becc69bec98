//! The last value of each series.

use futures_util::TryStreamExt;
use hashbrown::HashMap;
use sqlx::{Executor, PgConnection};

use super::{AnswerRows, AnswerSeries, QueryError, Questions, error::Attempt, finding::find_measurement};
use crate::{
    copy::{TupleDecoder, timestamptz_us},
    hypertable::{ColumnType, Field, Measurement, list_chunks, quote_ident, time_literal},
    rollup::{RollupError, State, copied_rows},
    series,
};

/// Rows that have changed and are not in the table of last values yet are looked at if they are not more than this.
const MOST_DIRTY_ROWS: u64 = 1_000_000;

/// Last values of one field.
#[derive(Debug, Clone)]
pub struct LatestAnswer {
    /// The series that have one, ascending by id.
    pub rows: AnswerRows,
    /// When each was observed, microseconds since 1970.
    pub times_us: Vec<i64>,
    /// The values, in the same order.
    pub values: LatestValues,
}

/// Values by type.
#[derive(Debug, Clone, PartialEq)]
pub enum LatestValues {
    /// float8; truth values as 0 and 1.
    Floats(Vec<f64>),
    /// int8.
    Ints(Vec<i64>),
    /// Text.
    Texts(Vec<String>),
    /// Times, microseconds since 1970.
    Times(Vec<i64>),
}

type Found = HashMap<i64, (i64, Vec<u8>)>;

impl Questions {
    /// The last value of a field of each series that has one.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn latest(&self, namespace: &str, measurement: &str, field: &str) -> Result<LatestAnswer, QueryError> {
        let _turn = self.turn().await?;
        self.looked_up(async |connection| {
            let measurement = find_measurement(&mut *connection, namespace, measurement).await?;
            let Some(field) = measurement.field(field).cloned() else {
                let known = measurement.fields.iter().map(|field| field.name.clone()).collect();
                let (measurement, name) = (measurement.name.clone(), field.to_owned());
                return Err(QueryError::UnknownField { measurement, name, known }.into());
            };
            // One state for all that is read.
            (&mut *connection).execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let answer = read(&mut *connection, measurement, &field).await;
            (&mut *connection).execute("ROLLBACK").await?;
            answer
        })
        .await
    }
}

async fn read(connection: &mut PgConnection, measurement: Measurement, field: &Field) -> Result<LatestAnswer, Attempt> {
    let state = State::read(&mut *connection, measurement.clone()).await?;
    let column = quote_ident(&field.column);
    let value = value_of(field.kind, &column);
    let mut found = Found::new();
    let known = state.shape.latest.iter().find(|known| known.column == field.column);
    if let (Some(known), Some(latest_to_us)) = (known, state.latest_to_us) {
        // The view says the same, and takes twice as long for all series.
        let (at, table) = (quote_ident(&known.at()), state.shape.latest_table());
        let sql = format!("SELECT {at}, series_id, {value} FROM {table} WHERE {at} IS NOT NULL");
        take(&mut *connection, &sql, &mut found).await?;
        take(&mut *connection, &rows_within(&measurement, field, latest_to_us, i64::MAX), &mut found).await?;
        for dirty in state.dirty_latest(&mut *connection, MOST_DIRTY_ROWS).await? {
            take(&mut *connection, &rows_within(&measurement, field, dirty.from_us, dirty.to_us), &mut found).await?;
        }
    } else {
        // Chunk by chunk backwards, until every series has one.
        let all: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM {}", measurement.series_table()))
            .fetch_one(&mut *connection)
            .await?;
        let mut chunks = list_chunks(&mut *connection, &measurement).await?;
        chunks.dedup_by_key(|chunk| chunk.from_us);
        for chunk in chunks.iter().rev() {
            if i64::try_from(found.len()).is_ok_and(|found| found >= all) {
                break;
            }
            take(&mut *connection, &rows_within(&measurement, field, chunk.from_us, chunk.to_us), &mut found).await?;
        }
    }
    let AnswerRows { tag_names, series, version } = all_series(&mut *connection, &measurement).await?;
    let mut answer = LatestAnswer {
        rows: AnswerRows { tag_names, series: Vec::with_capacity(found.len()), version },
        times_us: Vec::with_capacity(found.len()),
        values: LatestValues::of(field.kind),
    };
    for series in series {
        if let Some((time_us, value)) = found.remove(&series.series_id)
            && answer.values.push(&value)
        {
            answer.times_us.push(time_us);
            answer.rows.series.push(series);
        }
    }
    Ok(answer)
}

/// All series of a measurement by binary COPY, which is several times quicker than rows one by one.
async fn all_series(connection: &mut PgConnection, measurement: &Measurement) -> Result<AnswerRows, Attempt> {
    let sql = format!("COPY ({} ORDER BY series_id) TO STDOUT (FORMAT binary)", series::select_columns(measurement));
    let mut series = Vec::new();
    let mut messages = connection.copy_out_raw(&sql).await?;
    let mut decoder = TupleDecoder::new(measurement.tags.len() + 1);
    while let Some(message) = messages.try_next().await? {
        let mut take = |row: &[Option<&[u8]>]| {
            let [Some(id), tags @ ..] = row else { return };
            let Ok(id) = (*id).try_into() else { return };
            let tags = tags.iter().map(|tag| tag.map(|tag| String::from_utf8_lossy(tag).into_owned()));
            series.push(AnswerSeries { series_id: i64::from_be_bytes(id), tags: tags.collect() });
        };
        decoder.push(&message, &mut take).map_err(RollupError::from)?;
    }
    decoder.finish().map_err(RollupError::from)?;
    let version = series::version(measurement, series.iter().map(|series| series.series_id));
    Ok(AnswerRows { tag_names: measurement.tags.iter().map(|tag| tag.name.clone()).collect(), series, version })
}

fn value_of(kind: ColumnType, column: &str) -> String {
    match kind {
        ColumnType::Bool => format!("{column}::int4::float8"),
        kind => format!("{column}::{kind}"),
    }
}

/// The newest value of each series within a stretch.
fn rows_within(measurement: &Measurement, field: &Field, from_us: i64, to_us: i64) -> String {
    let column = quote_ident(&field.column);
    let present = match field.kind {
        ColumnType::Float8 => format!("{column} > '-infinity' AND {column} < 'infinity'"),
        _ => format!("{column} IS NOT NULL"),
    };
    let order = if field.kind == ColumnType::Text { " COLLATE \"C\"" } else { "" };
    format!(
        "SELECT DISTINCT ON (series_id) \"time\", series_id, {} FROM {} WHERE \"time\" >= {} AND \"time\" < {} AND {present}
         ORDER BY series_id, \"time\" DESC, {column}{order} DESC",
        value_of(field.kind, &column),
        measurement.storage(),
        time_literal(from_us),
        time_literal(to_us),
    )
}

async fn take(connection: &mut PgConnection, sql: &str, found: &mut Found) -> Result<(), Attempt> {
    copied_rows(connection, sql, 3, |time_us, series_id, values| {
        let Some(Some(value)) = values.first() else { return };
        let newer = found.get(&series_id).is_none_or(|(known_us, _)| time_us > *known_us);
        if newer {
            found.insert(series_id, (time_us, value.to_vec()));
        }
    })
    .await?;
    Ok(())
}

impl LatestValues {
    fn of(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Float8 | ColumnType::Bool => Self::Floats(Vec::new()),
            ColumnType::Int8 => Self::Ints(Vec::new()),
            ColumnType::Text => Self::Texts(Vec::new()),
            ColumnType::Timestamptz => Self::Times(Vec::new()),
        }
    }

    /// Takes a value as the database sends it; false if it is none.
    fn push(&mut self, value: &[u8]) -> bool {
        let eight = || value.try_into().ok();
        match self {
            Self::Floats(values) => eight().map(|eight| values.push(f64::from_be_bytes(eight))).is_some(),
            Self::Ints(values) => eight().map(|eight| values.push(i64::from_be_bytes(eight))).is_some(),
            Self::Texts(values) => String::from_utf8(value.to_vec()).map(|text| values.push(text)).is_ok(),
            Self::Times(values) => timestamptz_us(value).map(|us| values.push(us)).is_some(),
        }
    }
}
