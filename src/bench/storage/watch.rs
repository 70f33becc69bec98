//! Watches what is done to chunks while rows come in, on this process's clock.

use std::time::Duration;

use sqlx::{PgConnection, Row};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use crate::bench::{BenchError, RowTimes, load::Measured};

/// Short beside what is watched, and cheap beside ingestion.
const EVERY: Duration = Duration::from_millis(200);

/// What there was to see at a moment.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    sealed: u64,
    /// How long ago the rollups' job last looked for what has changed; `None` before its first look.
    looked_s: Option<f64>,
    /// The oldest time that it knows to have changed and has not made yet.
    pending_us: Option<i64>,
}

/// A task that watches until it is [ended](Self::end).
#[derive(Debug)]
pub(super) struct Watch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<Seen>, sqlx::Error>>,
    row_times: RowTimes,
    first_row: u64,
}

/// How far behind the acknowledged rows things were, in seconds.
#[derive(Debug, Default)]
pub(super) struct Lags {
    /// For each chunk, from its last row to its being sealed; in order.
    pub(super) seal: Vec<f64>,
    /// At each look, the age of the oldest row that the narrowest bars did not have.
    pub(super) rollup: Vec<f64>,
}

impl Watch {
    pub(super) fn begin(mut connection: PgConnection, row_times: RowTimes, first_row: u64) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                seen.push(look(&mut connection).await?);
                if tokio::time::timeout(EVERY, &mut stopped).await.is_ok() {
                    // Whoever ends it has seen everything done, perhaps since the last look.
                    seen.push(look(&mut connection).await?);
                    return Ok(seen);
                }
            }
        });
        Self { stop, task, row_times, first_row }
    }

    /// Ends it, and compares what it has seen with what was acknowledged.
    pub(super) async fn end(self, measured: &Measured, chunk_rows: u64) -> Result<Lags, BenchError> {
        let Self { stop, task, row_times, first_row } = self;
        if stop.send(()).is_err() {
            tracing::debug!("watching has ended early, by an error that is told next");
        }
        let seen = task.await??;
        let since = |at: Instant, rows: u64| {
            let acknowledged = measured.acknowledged(rows)?;
            Some(at.saturating_duration_since(acknowledged).as_secs_f64())
        };
        let mut lags = Lags::default();
        for chunk in 1..=measured.rows / chunk_rows {
            let sealed = seen.iter().find(|seen| seen.sealed >= chunk);
            lags.seal.extend(sealed.and_then(|seen| since(seen.at, chunk * chunk_rows)));
        }
        let ended = measured.begun + measured.elapsed;
        for seen in seen.iter().filter(|seen| (measured.begun..=ended).contains(&seen.at)) {
            // Before the first row there was nothing to look for.
            let since_first_s = (seen.at - measured.begun).as_secs_f64();
            let looked_s = seen.looked_s.unwrap_or(f64::INFINITY).min(since_first_s);
            let pending = seen.pending_us.map(|us| row_times.row_at(us).saturating_sub(first_row) + 1);
            let pending_s = pending.and_then(|rows| since(seen.at, rows)).unwrap_or(0.0);
            lags.rollup.push(looked_s.max(pending_s));
        }
        Ok(lags)
    }
}

async fn look(connection: &mut PgConnection) -> Result<Seen, sqlx::Error> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM chunkwise.chunk_event WHERE event = 'sealed') AS sealed,
                (SELECT extract(epoch FROM clock_timestamp() - max(looked_at))::float8
                 FROM chunkwise.change_reader WHERE reader = 'rollup') AS looked_s,
                (SELECT (extract(epoch FROM min(lo)) * 1000000)::int8 FROM chunkwise.rollup_pending
                 WHERE level = '1m' AND isfinite(lo)) AS pending_us",
    )
    .fetch_one(connection)
    .await?;
    Ok(Seen {
        at: Instant::now(),
        sealed: row.try_get::<i64, _>("sealed")?.unsigned_abs(),
        looked_s: row.try_get("looked_s")?,
        pending_us: row.try_get("pending_us")?,
    })
}
