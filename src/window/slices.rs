//! Reads the slices of a plan, over one connection or several, into one accumulator.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use tokio::task::{JoinError, JoinSet};

use super::{Plan, Slice, Snapshot, Source, row_index::RowIndex, session::Exported};
use crate::{
    copy::{DecodeError, Decoder},
    frame::Accumulator,
    question::Aggregate,
};

/// With more series than this the server sends all rows, and those of other series are dropped here: a long list costs
/// more for each row than the row itself.
pub(super) const MAX_LISTED_SERIES: usize = 1_000;

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database's.
    #[error("the rows cannot be read")]
    Database(#[from] sqlx::Error),
    /// The server sent something else than what was asked for.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A task panicked, or the runtime is shutting down.
    #[error("a task that reads rows has ended early")]
    Task(#[from] JoinError),
}

/// Whose rows are read.
#[derive(Debug)]
pub struct Rows {
    ids: Vec<i64>,
    index: RowIndex,
    filter: Filter,
}

/// Where the rows of other series are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    /// There are none: every series of the measurement is asked for.
    Nowhere,
    /// In the server.
    Server,
    /// Here; on the way they show which buckets are observed.
    Here,
}

impl Rows {
    /// The series `ids`, ascending, of a measurement; `all` if it has no others.
    #[must_use]
    pub fn new(ids: Vec<i64>, all: bool) -> Self {
        let filter = match ids.len() {
            _ if all => Filter::Nowhere,
            0..=MAX_LISTED_SERIES => Filter::Server,
            _ => Filter::Here,
        };
        Self { index: RowIndex::new(&ids), ids, filter }
    }

    /// The series, ascending but for a last one that was added.
    #[must_use]
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether what is read tells which buckets any series of the measurement has.
    #[must_use]
    pub fn show_observed(&self) -> bool {
        self.filter != Filter::Server
    }

    /// The series, if there are so few that the server is told them.
    #[must_use]
    pub fn listed(&self) -> Option<&[i64]> {
        (self.filter == Filter::Server).then_some(&self.ids)
    }

    /// Whether so few series are read that one connection does.
    #[must_use]
    pub fn are_few(&self) -> bool {
        self.filter == Filter::Server
    }
}

/// What was read.
#[derive(Debug)]
pub struct Reading {
    /// The values by series and column, one for each aggregate asked for.
    pub accumulators: Vec<Accumulator>,
    /// For each column whether a series that was not asked for has a value in it, as far as that was seen.
    pub seen_of_others: Vec<bool>,
    /// Rows that came from the database.
    pub rows_read: u64,
    /// Bytes of them.
    pub bytes_read: u64,
}

impl Reading {
    fn new(rows: usize, columns: usize, aggregates: &[Aggregate]) -> Self {
        Self {
            accumulators: aggregates.iter().map(|aggregate| Accumulator::new(rows, columns, *aggregate)).collect(),
            seen_of_others: vec![false; columns],
            rows_read: 0,
            bytes_read: 0,
        }
    }

    /// For each column whether a series has a value in it that was asked for.
    #[must_use]
    pub fn observed(&self) -> Vec<bool> {
        // What one aggregate has a value of, the others have too.
        self.accumulators.first().map_or_else(|| vec![false; self.seen_of_others.len()], Accumulator::observed)
    }

    fn merge(&mut self, part: &Self, first_column: usize) {
        for (whole, part) in self.accumulators.iter_mut().zip(&part.accumulators) {
            whole.merge(part, first_column);
        }
        for (whole, part) in self.seen_of_others.iter_mut().skip(first_column).zip(&part.seen_of_others) {
            *whole |= part;
        }
        self.rows_read += part.rows_read;
        self.bytes_read += part.bytes_read;
    }
}

/// What all connections of a reading share.
struct Job {
    plan: Arc<Plan>,
    source: Source,
    rows: Arc<Rows>,
    aggregates: Arc<[Aggregate]>,
    next: AtomicUsize,
    whole: Mutex<Reading>,
}

/// Reads every slice of the plan in the snapshot's state, once for all aggregates. The snapshot's own connection reads, and
/// `helpers` more that join it; each takes the next slice when it has finished one.
///
/// # Errors
/// See [`ReadError`]; the snapshot's connection may then be in the middle of a COPY and must not be used.
pub async fn read(
    snapshot: &mut Snapshot,
    plan: Arc<Plan>,
    source: Source,
    rows: Arc<Rows>,
    aggregates: Arc<[Aggregate]>,
    helpers: usize,
) -> Result<Reading, ReadError> {
    let (row_count, columns, of) = (rows.len(), plan.columns(), Arc::clone(&aggregates));
    let mut whole = tokio::task::spawn_blocking(move || Reading::new(row_count, columns, &of)).await?;
    let helpers = helpers.min(plan.slices.len().saturating_sub(1));
    if helpers == 0 {
        for slice in &plan.slices {
            let offset = plan.pieces.get(slice.piece).map_or(0, |piece| piece.first_column);
            read_slice(
                snapshot.connection(),
                &plan,
                slice,
                &source,
                &rows,
                Offset { first_bucket: 0, offset },
                &mut whole,
            )
            .await?;
        }
        return Ok(whole);
    }

    let exported = snapshot.export().await?;
    let job = Arc::new(Job { plan, source, rows, aggregates, next: AtomicUsize::new(0), whole: Mutex::new(whole) });
    // Dropped with the question: its tasks end, and so do their sessions.
    let mut tasks = JoinSet::new();
    for _ in 0..helpers {
        tasks.spawn(help(exported.clone(), Arc::clone(&job)));
    }
    let helped = async {
        while let Some(result) = tasks.join_next().await {
            result??;
        }
        Ok(())
    };
    tokio::try_join!(work(snapshot.connection(), &job), helped)?;
    let job = Arc::into_inner(job).ok_or_else(|| sqlx::Error::WorkerCrashed)?;
    Ok(job.whole.into_inner().unwrap_or_else(PoisonError::into_inner))
}

async fn help(exported: Exported, job: Arc<Job>) -> Result<(), ReadError> {
    let mut session = exported.join().await?;
    work(session.connection(), &job).await?;
    Ok(session.close().await?)
}

/// Reads slices until there are none left.
async fn work(connection: &mut PgConnection, job: &Arc<Job>) -> Result<(), ReadError> {
    while let Some(slice) = job.plan.slices.get(job.next.fetch_add(1, Ordering::Relaxed)) {
        let (rows, buckets, aggregates) = (job.rows.len(), slice.buckets.len(), Arc::clone(&job.aggregates));
        let mut part = tokio::task::spawn_blocking(move || Reading::new(rows, buckets, &aggregates)).await?;
        let offset = Offset { first_bucket: slice.buckets.start, offset: 0 };
        read_slice(connection, &job.plan, slice, &job.source, &job.rows, offset, &mut part).await?;

        let first = job.plan.pieces.get(slice.piece).map_or(0, |piece| piece.first_column) + slice.buckets.start;
        let job = Arc::clone(job);
        tokio::task::spawn_blocking(move || {
            job.whole.lock().unwrap_or_else(PoisonError::into_inner).merge(&part, first);
        })
        .await?;
    }
    Ok(())
}

/// Where a piece's buckets are among the columns that are written to.
#[derive(Clone, Copy)]
struct Offset {
    /// The bucket of the piece that column `offset` stands for.
    first_bucket: usize,
    offset: usize,
}

async fn read_slice(
    connection: &mut PgConnection,
    plan: &Plan,
    slice: &Slice,
    source: &Source,
    rows: &Rows,
    Offset { first_bucket, offset }: Offset,
    into: &mut Reading,
) -> Result<(), ReadError> {
    let Some(piece) = plan.pieces.get(slice.piece) else { return Ok(()) };
    if rows.is_empty() && !rows.show_observed() {
        return Ok(());
    }
    let ids = (rows.filter == Filter::Server).then_some(rows.ids.as_slice());
    let mut messages = connection.copy_out_raw(&source.copy_rows(slice.span, ids)).await?;
    let mut decoder = Decoder::new();
    let mut take = |time_us: i64, series_id: i64, value: f64| {
        let Some(bucket) = piece.starts.index_of(time_us) else { return };
        // A slice's rows are within its own buckets.
        let column = bucket - first_bucket + offset;
        match rows.index.get(series_id) {
            Some(row) => {
                for accumulator in &mut into.accumulators {
                    accumulator.add(row, column, time_us, value);
                }
            }
            None => into.seen_of_others[column] |= value.is_finite(),
        }
    };
    while let Some(message) = messages.try_next().await? {
        into.bytes_read += message.len() as u64;
        decoder.push(&message, &mut take)?;
    }
    into.rows_read += decoder.finish()?;
    Ok(())
}
