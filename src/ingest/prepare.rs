//! Lines -> batches: measurements and series are looked up, and made where they are new.

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;

use super::{
    Refused, RowFault,
    row::{Clock, Row, fit, type_of},
    service::{Core, IngestError},
};
use crate::{
    batch::{Batch, BatchColumn},
    hypertable::{DEFAULT_INTERVAL_US, GrowthError, Measurement, Rate, Wanted, interval_for, row_bytes},
    protocol::Line,
    series::{self, NewSeries, SeriesKey},
};

/// Rows of one measurement, sorted for COPY.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) measurement: Arc<Measurement>,
    pub(super) batch: Batch,
    /// The number of each row's line in its request, in the order in which rows arrived in the batch.
    pub(super) lines: Vec<u32>,
}

/// A request's rows.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) parts: Vec<Part>,
    pub(super) refused: Vec<Refused>,
    pub(super) rows: usize,
}

/// A server that does not answer must not hold a request for ever.
const MAKE_SERIES: Duration = Duration::from_secs(15);

/// History that is longer than this in one request is taken for a load, and its own rate chooses the chunk interval.
const HISTORY_US: i64 = 28 * 86_400_000_000;

impl Core {
    /// Makes batches of lines. Lines that do not fit are refused, each with its reason.
    pub(super) async fn prepare(
        &self,
        namespace: &str,
        lines: &mut [Line<'_>],
        body: &[u8],
        interval_us: Option<i64>,
    ) -> Result<Prepared, IngestError> {
        for line in &mut *lines {
            line.sort_tags();
        }
        let clock = Clock { now_us: chrono::Utc::now().timestamp_micros(), ahead_us: self.options.ahead_us };
        let mut prepared = Prepared::default();
        for group in by_measurement(lines) {
            self.prepare_group(namespace, &group, body, interval_us, clock, &mut prepared).await?;
        }
        prepared.refused.sort_by_key(|refused| refused.line);
        Ok(prepared)
    }

    async fn prepare_group(
        &self,
        namespace: &str,
        lines: &[&Line<'_>],
        body: &[u8],
        interval_us: Option<i64>,
        clock: Clock,
        prepared: &mut Prepared,
    ) -> Result<(), IngestError> {
        let Some(first) = lines.first() else { return Ok(()) };
        let known = self.growth.catalog().get(namespace, &first.measurement);
        let mut wanted = wanted(known.as_deref(), lines);
        let measurement = match known {
            Some(known) if wanted.tags.is_empty() && wanted.fields.is_empty() => known,
            _ => {
                wanted.interval_us = interval_us.unwrap_or_else(|| interval_of(lines));
                match self.growth.ensure(namespace, &first.measurement, &wanted).await {
                    Ok(measurement) => measurement,
                    Err(GrowthError::Database(error)) => return Err(IngestError::database(error)),
                    Err(GrowthError::ForeignNamespace(name)) => {
                        return Err(IngestError::Namespace(GrowthError::ForeignNamespace(name).to_string()));
                    }
                    Err(error) => {
                        let fault = RowFault::Measurement(error.to_string());
                        prepared.refused.extend(lines.iter().map(|line| refuse(line, body, &fault, &line.measurement)));
                        return Ok(());
                    }
                }
            }
        };

        let limits = self.growth.limits();
        let mut rows = Vec::with_capacity(lines.len());
        for line in lines {
            match fit(line, &measurement, limits, clock) {
                Ok(row) => rows.push((row, *line)),
                Err((fault, about)) => prepared.refused.push(refuse(line, body, &fault, about)),
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let ids = self.series_ids(&measurement, &rows).await?;
        let (batch, lines, unfit) = to_batch(&measurement, &rows, &ids);
        let unfit = unfit.into_iter().map(|(row, fault)| refuse(rows[row].1, body, &fault, ""));
        prepared.refused.extend(unfit);
        prepared.rows += batch.len();
        prepared.parts.push(Part { measurement, batch, lines });
        Ok(())
    }

    async fn series_ids(
        &self,
        measurement: &Measurement,
        rows: &[(Row<'_>, &Line<'_>)],
    ) -> Result<Vec<i64>, IngestError> {
        let keys: Vec<SeriesKey> = rows.iter().map(|(row, _)| row.key).collect();
        let known = self.ids.get(measurement, &keys);
        let mut new: HashMap<SeriesKey, usize> = HashMap::new();
        let mut made = Vec::new();
        for ((row, line), id) in rows.iter().zip(&known) {
            if id.is_none() && !new.contains_key(&row.key) {
                new.insert(row.key, made.len());
                made.push(NewSeries { key: row.key, tags: tag_values(measurement, line) });
            }
        }
        if made.is_empty() {
            return Ok(known.into_iter().flatten().collect());
        }
        let created = tokio::time::timeout(MAKE_SERIES, self.make_series(measurement, made)).await;
        created.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(IngestError::database)?;
        let ids: Vec<i64> = self.ids.get(measurement, &keys).into_iter().flatten().collect();
        if ids.len() == rows.len() { Ok(ids) } else { Err(IngestError::Stale) }
    }
}

impl Core {
    async fn make_series(&self, measurement: &Measurement, made: Vec<NewSeries>) -> Result<(), sqlx::Error> {
        // The semaphore is never closed.
        let _turn = self.making_series.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        // Whoever had the turn before may have made them.
        let keys: Vec<SeriesKey> = made.iter().map(|series| series.key).collect();
        let known = self.ids.get(measurement, &keys);
        let made: Vec<_> =
            made.into_iter().zip(known).filter_map(|(series, id)| id.is_none().then_some(series)).collect();
        if !made.is_empty() {
            let mut connection = self.database.connect(crate::db::Role::Writer).await?;
            let created = series::create(&mut connection, measurement, made).await?;
            self.ids.put(measurement, created);
        }
        Ok(())
    }
}

fn by_measurement<'s, 'b>(lines: &'s [Line<'b>]) -> Vec<Vec<&'s Line<'b>>> {
    let mut groups: Vec<Vec<&Line<'_>>> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for line in lines {
        let group = *index.entry(&line.measurement).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(line);
    }
    groups
}

/// Tags and fields that the measurement does not have yet; a field's type is its first value's.
fn wanted(known: Option<&Measurement>, lines: &[&Line<'_>]) -> Wanted {
    let mut wanted = Wanted::default();
    let mut seen: hashbrown::HashSet<&str> = hashbrown::HashSet::new();
    let unknown = |name: &str| known.is_none_or(|measurement| measurement.member(name).is_none());
    for line in lines {
        for (name, _) in &line.tags {
            if unknown(name) && seen.insert(name) {
                wanted.tags.push(name.to_string());
            }
        }
        for (name, value) in &line.fields {
            if unknown(name) && seen.insert(name) {
                wanted.fields.push((name.to_string(), type_of(value)));
            }
        }
    }
    wanted
}

fn interval_of(lines: &[&Line<'_>]) -> i64 {
    let times = || lines.iter().filter_map(|line| line.time_us);
    let span_us = match (times().min(), times().max()) {
        (Some(first), Some(last)) => last.saturating_sub(first),
        _ => 0,
    };
    let fields = lines.first().map_or(0, |line| line.fields.len());
    match Rate::over(lines.len() as u64, span_us, row_bytes(fields, 0.0)) {
        Some(rate) if span_us > HISTORY_US => interval_for(rate),
        _ => DEFAULT_INTERVAL_US,
    }
}

fn tag_values(measurement: &Measurement, line: &Line<'_>) -> Vec<Option<String>> {
    let value_of = |tag: &str| line.tags.iter().find(|(name, _)| name == tag).map(|(_, value)| value.to_string());
    measurement.tags.iter().map(|tag| value_of(&tag.name)).collect()
}

/// The rows that a COPY takes with their lines' numbers, and those that it would fail on.
fn to_batch(
    measurement: &Measurement,
    rows: &[(Row<'_>, &Line<'_>)],
    ids: &[i64],
) -> (Batch, Vec<u32>, Vec<(usize, RowFault)>) {
    let mut used = vec![false; measurement.fields.len()];
    for (row, _) in rows {
        for (field, _) in &row.values {
            used[*field] = true;
        }
    }
    let mut columns = Vec::new();
    let place: Vec<usize> = measurement
        .fields
        .iter()
        .zip(used)
        .map(|(field, used)| {
            if used {
                columns.push(BatchColumn { name: field.column.clone(), kind: field.kind });
            }
            columns.len().saturating_sub(1)
        })
        .collect();
    let mut batch = Batch::new(columns);
    let mut values = Vec::new();
    let mut lines = Vec::with_capacity(rows.len());
    let mut unfit = Vec::new();
    for (index, ((row, line), id)) in rows.iter().zip(ids).enumerate() {
        values.clear();
        values.extend(row.values.iter().map(|(field, value)| (place[*field], *value)));
        match batch.push_row(row.time_us, *id, &values) {
            Ok(()) => lines.push(line.number),
            Err(error) => unfit.push((index, RowFault::Row(error))),
        }
    }
    batch.sort();
    (batch, lines, unfit)
}

/// The column of a refused line: where the text that is at fault stands, if it was borrowed from the body.
fn refuse(line: &Line<'_>, body: &[u8], fault: &RowFault, about: &str) -> Refused {
    let original = body.get(line.bytes.clone()).unwrap_or_default();
    let start = (original.as_ptr() as usize, (about.as_ptr() as usize).checked_sub(original.as_ptr() as usize));
    let column = match start.1 {
        Some(offset) if !about.is_empty() && offset < original.len() => offset + 1,
        _ if matches!(fault, RowFault::TooFarAhead { .. }) => time_column(original),
        _ => 1,
    };
    Refused::unfit(line.number, u32::try_from(column).unwrap_or(u32::MAX), fault, original)
}

/// The time is what follows the last space of a line that has one.
fn time_column(original: &[u8]) -> usize {
    let trimmed = original.trim_ascii_end();
    memchr::memrchr(b' ', trimmed).map_or(1, |space| space + 2)
}
