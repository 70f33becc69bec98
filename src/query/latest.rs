//! The last value of each series.

mod answer;
mod kept;

use std::{cmp::Ordering, sync::Arc};

use futures_util::TryStreamExt;
use hashbrown::{HashMap, hash_map::Entry};
use sqlx::{Executor, PgConnection};

use super::{AnswerRows, QueryError, Questions, error::Attempt, finding::find_measurement};
use crate::{
    copy::TupleDecoder,
    hypertable::{
        ColumnType, Field, Measurement,
        changes::{self, Stretch},
        list_chunks, quote_ident, time_literal,
    },
    rollup::{RollupError, State, copied_rows},
    series::{self, SelectedSeries, TaggedSeries},
};

pub use answer::{LatestAnswer, LatestValues};
use answer::{Written, compared};
use kept::Asleep;
pub(super) use kept::KeptAnswers;

/// Rows that have changed and are not in the table of last values yet are looked at if they are not more than this.
const MOST_DIRTY_ROWS: u64 = 1_000_000;

/// Of what has been written since an answer that is kept, so many rows are put into it; with more, all is read anew.
const MOST_NEW_ROWS: u64 = 500_000;

type Found = HashMap<i64, (i64, Vec<u8>)>;

impl Questions {
    /// The last value of a field of each series that has one.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn latest(
        &self,
        namespace: &str,
        measurement: &str,
        field: &str,
    ) -> Result<Arc<LatestAnswer>, QueryError> {
        let answer = self.latest_now(namespace, measurement, field).await?;
        self.asked.note_latest(namespace, measurement, field);
        Ok(answer)
    }

    /// The same for nobody who will ask again.
    pub(super) async fn latest_now(
        &self,
        namespace: &str,
        measurement: &str,
        field: &str,
    ) -> Result<Arc<LatestAnswer>, QueryError> {
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
            let answer = read(&mut *connection, &self.latests, measurement, &field).await;
            (&mut *connection).execute("ROLLBACK").await?;
            answer
        })
        .await
    }
}

/// The answer in the transaction's state: the one that is kept, brought up to date, or one that is read anew.
async fn read(
    connection: &mut PgConnection,
    all_kept: &KeptAnswers,
    measurement: Measurement,
    field: &Field,
) -> Result<Arc<LatestAnswer>, Attempt> {
    let kept = all_kept.get(&measurement, field);
    let look = changes::look(&mut *connection, measurement.id, kept.as_ref().map(|kept| &kept.seen)).await?;
    let asleep: Asleep =
        sqlx::query_as("SELECT count(*), bit_xor(series_id) FROM chunkwise.retired_series WHERE measurement_id = $1")
            .bind(measurement.id)
            .fetch_one(&mut *connection)
            .await?;
    let mut known_rows = None;
    if let Some(kept) = kept.filter(|kept| kept.asleep == asleep) {
        // On another server the same numbers may be other series.
        known_rows = (!look.anew).then(|| Arc::clone(&kept.answer.rows));
        if !(look.anew || look.truncated)
            && look.unknown.is_empty()
            && let Some(answer) = up_to_date(&mut *connection, &measurement, field, &kept.answer, &look.dirty).await?
        {
            all_kept.put(&measurement, field, &answer, look.seen, asleep);
            return Ok(answer);
        }
    }
    let (answer, is_whole) = read_all(&mut *connection, &measurement, field, known_rows).await?;
    let answer = Arc::new(answer);
    if is_whole && nothing_is_unknown(&mut *connection, measurement.id).await? {
        all_kept.put(&measurement, field, &answer, look.seen, asleep);
    }
    Ok(answer)
}

/// An answer with what has changed since; `None` where it is better read anew.
async fn up_to_date(
    connection: &mut PgConnection,
    measurement: &Measurement,
    field: &Field,
    answer: &Arc<LatestAnswer>,
    dirty: &[Stretch],
) -> Result<Option<Arc<LatestAnswer>>, Attempt> {
    if dirty.is_empty() {
        return Ok(Some(Arc::clone(answer)));
    }
    let (mut found, mut rows) = (Found::new(), 0);
    for stretch in dirty {
        let sql = format!("{} LIMIT {}", rows_within(measurement, field, *stretch), MOST_NEW_ROWS - rows + 1);
        rows += take(&mut *connection, &sql, field.kind, &mut found).await?;
        if rows > MOST_NEW_ROWS {
            return Ok(None);
        }
    }
    let known = |id: &i64| answer.rows.series.binary_search_by_key(id, |series| series.series_id).is_ok();
    let new: Vec<i64> = found.keys().copied().filter(|id| !known(id)).collect();
    let new = match new.as_slice() {
        [] => Vec::new(),
        ids => listed(&mut *connection, measurement, Some(ids)).await?,
    };
    Ok(kept::refreshed(measurement, field.kind, answer, dirty, &found, new).map(Arc::new))
}

/// Everything, and whether later answers may build upon it. `known_rows` are series of an answer before, if the same sleep
/// now: where they are still those that have a value, they are not read again.
async fn read_all(
    connection: &mut PgConnection,
    measurement: &Measurement,
    field: &Field,
    known_rows: Option<AnswerRows>,
) -> Result<(LatestAnswer, bool), Attempt> {
    let state = State::read(&mut *connection, measurement.clone()).await?;
    let (column, kind) = (quote_ident(&field.column), field.kind);
    let value = value_of(kind, &column);
    let mut found = Found::new();
    let mut is_whole = false;
    let known = state.shape.latest.iter().find(|known| known.column == field.column);
    if let (Some(known), Some(latest_to_us)) = (known, state.latest_to_us) {
        // The view says the same, and takes twice as long for all series.
        let (at, table) = (quote_ident(&known.at()), state.shape.latest_table());
        let sql = format!("SELECT {at}, series_id, {value} FROM {table} WHERE {at} IS NOT NULL");
        take(&mut *connection, &sql, kind, &mut found).await?;
        let dirty = state.dirty_latest(&mut *connection, MOST_DIRTY_ROWS).await?;
        is_whole = dirty.is_some();
        let dirty = dirty.unwrap_or_default();
        let doubtful = taken_out(&mut found, &dirty);
        let newer = Stretch { from_us: latest_to_us, to_us: i64::MAX };
        for stretch in dirty.iter().copied().chain([newer]) {
            take(&mut *connection, &newest_within(measurement, field, stretch, None), kind, &mut found).await?;
        }
        for (stretch, ids) in doubtful {
            look_back(&mut *connection, measurement, field, stretch.from_us, ids, &mut found).await?;
        }
    } else {
        // Chunk by chunk backwards, until every series has one.
        let all: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM {}", measurement.series_table()))
            .fetch_one(&mut *connection)
            .await?;
        let mut chunks = list_chunks(&mut *connection, measurement).await?;
        chunks.dedup_by_key(|chunk| chunk.from_us);
        for chunk in chunks.iter().rev() {
            if i64::try_from(found.len()).is_ok_and(|found| found >= all) {
                break;
            }
            let within = Stretch { from_us: chunk.from_us, to_us: chunk.to_us };
            take(&mut *connection, &newest_within(measurement, field, within, None), kind, &mut found).await?;
        }
    }
    let (mut times_us, mut values) = (Vec::with_capacity(found.len()), LatestValues::of(kind));
    if let Some(rows) = known_rows.filter(|rows| rows.series.len() == found.len()) {
        let all_there = rows.series.iter().all(|series| {
            found.get(&series.series_id).is_some_and(|(time_us, value)| {
                times_us.push(*time_us);
                values.push(value)
            })
        });
        if all_there {
            return Ok((LatestAnswer { rows, times_us, values, written: Written::default() }, is_whole));
        }
        times_us.clear();
        values = LatestValues::of(kind);
    }
    let mut series = listed(&mut *connection, measurement, None).await?;
    series.retain(|series| {
        let Some((time_us, value)) = found.remove(&series.series_id) else { return false };
        let is_one = values.push(&value);
        if is_one {
            times_us.push(time_us);
        }
        is_one
    });
    let version = series::version(measurement, series.iter().map(|series| series.series_id));
    let tag_names = measurement.tags.iter().map(|tag| tag.name.clone()).collect();
    let rows = Arc::new(SelectedSeries { tag_names, series, version });
    Ok((LatestAnswer { rows, times_us, values, written: Written::default() }, is_whole))
}

/// Takes out the values that may have been deleted or changed, and gives their series by stretch.
fn taken_out(found: &mut Found, dirty: &[Stretch]) -> Vec<(Stretch, Vec<i64>)> {
    dirty
        .iter()
        .map(|stretch| {
            let within = found.extract_if(|_, (us, _)| stretch.from_us <= *us && *us < stretch.to_us);
            (*stretch, within.map(|(id, _)| id).collect())
        })
        .collect()
}

/// Looks for what these series had before a time, if they have nothing from then on: chunk by chunk backwards.
async fn look_back(
    connection: &mut PgConnection,
    measurement: &Measurement,
    field: &Field,
    before_us: i64,
    mut ids: Vec<i64>,
    found: &mut Found,
) -> Result<(), Attempt> {
    let lost = |found: &Found, id: &i64, from_us: i64| found.get(id).is_none_or(|(us, _)| *us < from_us);
    ids.retain(|id| lost(found, id, before_us));
    if ids.is_empty() {
        return Ok(());
    }
    let mut chunks = list_chunks(&mut *connection, measurement).await?;
    chunks.dedup_by_key(|chunk| chunk.from_us);
    for chunk in chunks.iter().rev().filter(|chunk| chunk.from_us < before_us) {
        let within = Stretch { from_us: chunk.from_us, to_us: chunk.to_us.min(before_us) };
        take(&mut *connection, &newest_within(measurement, field, within, Some(&ids)), field.kind, found).await?;
        ids.retain(|id| lost(found, id, chunk.from_us));
        if ids.is_empty() {
            break;
        }
    }
    Ok(())
}

fn one_of(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("series_id = ANY ('{{{}}}'::int8[])", ids.join(","))
}

/// Whether every row's place is known that somebody has written: what another client inserted a moment ago is looked for.
async fn nothing_is_unknown(connection: &mut PgConnection, measurement_id: i32) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM chunkwise.change WHERE measurement_id = $1 AND lo IS NULL AND NOT truncated)
            AND NOT EXISTS (SELECT FROM chunkwise.rollup_pending WHERE measurement_id = $1 AND xid IS NOT NULL)",
    )
    .bind(measurement_id)
    .fetch_one(connection)
    .await
}

/// The series of a measurement that do not sleep, or those of some ids, by binary COPY, which is several times quicker than
/// rows one by one.
async fn listed(
    connection: &mut PgConnection,
    measurement: &Measurement,
    ids: Option<&[i64]>,
) -> Result<Vec<TaggedSeries>, Attempt> {
    let some = ids.map_or(String::new(), |ids| format!(" AND {}", one_of(ids)));
    let (columns, awake) = (series::select_columns(measurement), series::awake(measurement));
    let sql = format!("COPY ({columns}{awake}{some} ORDER BY series_id) TO STDOUT (FORMAT binary)");
    let mut series = Vec::new();
    let mut messages = connection.copy_out_raw(&sql).await?;
    let mut decoder = TupleDecoder::new(measurement.tags.len() + 1);
    while let Some(message) = messages.try_next().await? {
        let mut take = |row: &[Option<&[u8]>]| {
            let [Some(id), tags @ ..] = row else { return };
            let Ok(id) = (*id).try_into() else { return };
            let tags = tags.iter().map(|tag| tag.map(|tag| String::from_utf8_lossy(tag).into_owned()));
            series.push(TaggedSeries { series_id: i64::from_be_bytes(id), tags: tags.collect() });
        };
        decoder.push(&message, &mut take).map_err(RollupError::from)?;
    }
    decoder.finish().map_err(RollupError::from)?;
    Ok(series)
}

fn value_of(kind: ColumnType, column: &str) -> String {
    match kind {
        ColumnType::Bool => format!("{column}::int4::float8"),
        kind => format!("{column}::{kind}"),
    }
}

/// Time, series and value of the rows within a stretch that have a value.
fn rows_within(measurement: &Measurement, field: &Field, within: Stretch) -> String {
    select("SELECT", measurement, field, within)
}

/// The latest of those of each series, of some series only if they are given.
fn newest_within(measurement: &Measurement, field: &Field, within: Stretch, ids: Option<&[i64]>) -> String {
    let rows = select("SELECT DISTINCT ON (series_id)", measurement, field, within);
    let some = ids.map_or(String::new(), |ids| format!(" AND {}", one_of(ids)));
    let column = quote_ident(&field.column);
    let order = if field.kind == ColumnType::Text { " COLLATE \"C\"" } else { "" };
    format!("{rows}{some} ORDER BY series_id, \"time\" DESC, {column}{order} DESC")
}

fn select(verb: &str, measurement: &Measurement, field: &Field, within: Stretch) -> String {
    let column = quote_ident(&field.column);
    let present = match field.kind {
        ColumnType::Float8 => format!("{column} > '-infinity' AND {column} < 'infinity'"),
        _ => format!("{column} IS NOT NULL"),
    };
    format!(
        "{verb} \"time\", series_id, {} FROM {} WHERE \"time\" >= {} AND \"time\" < {} AND {present}",
        value_of(field.kind, &column),
        measurement.storage(),
        time_literal(within.from_us),
        time_literal(within.to_us),
    )
}

/// Takes in what a statement selects; of equal times the greater value counts. Gives how many rows that were.
async fn take(connection: &mut PgConnection, sql: &str, kind: ColumnType, found: &mut Found) -> Result<u64, Attempt> {
    let rows = copied_rows(connection, sql, 3, |time_us, series_id, values| {
        let Some(Some(value)) = values.first() else { return };
        match found.entry(series_id) {
            Entry::Vacant(entry) => {
                entry.insert((time_us, value.to_vec()));
            }
            Entry::Occupied(mut entry) => {
                let (known_us, known) = entry.get_mut();
                if time_us > *known_us || (time_us == *known_us && compared(kind, known, value) == Ordering::Less) {
                    *known_us = time_us;
                    known.clear();
                    known.extend_from_slice(value);
                }
            }
        }
    })
    .await?;
    Ok(rows)
}
