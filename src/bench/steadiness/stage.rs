//! The tables, the service, and one turn of a way.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{Executor, PgConnection};

use super::{
    SteadinessBenchOptions,
    state::{self, Turn},
    way::Way,
};
use crate::{
    bench::{
        BenchError, RowTimes, START_US, Transport,
        lines::{CopyRows, Lines, MEASUREMENT},
        load,
        scratch::ScratchDatabase,
        service::{Role, Service},
        sink::{CopySink, Ledger, ServiceSink},
    },
    db::{self, Edition},
    hypertable::{self, time_literal},
    life::{LifeOptions, SealOutcome, Sealer, look},
};

/// From row to row: ten thousand million rows end before the present.
const STEP_US: i64 = 5_000;
/// Rows a request and rows a transaction, over so many connections: the same for all ways.
const REQUEST_ROWS: usize = 10_000;
const CONNECTIONS: usize = 4;
/// The service seals nothing by itself: this benchmark does, in chunkwise's turns alone.
const NEVER: Duration = Duration::from_secs(10 * 365 * 86_400);

#[derive(Debug)]
pub(super) struct Stage<'b> {
    scratch: &'b ScratchDatabase,
    options: &'b SteadinessBenchOptions,
    pub(super) connection: PgConnection,
    edition: Edition,
    row_times: RowTimes,
    service: Service,
    lines: Arc<Lines>,
    copy_rows: Arc<CopyRows>,
}

/// Makes measurement, series, tables and the state, all of them without rows.
pub(super) async fn set_up(
    scratch: &ScratchDatabase,
    program: &Path,
    options: &SteadinessBenchOptions,
) -> Result<(), BenchError> {
    let mut connection = scratch.connect().await?;
    let interval_us = interval_us(options.chunk_rows);
    let service = serve(scratch, program, interval_us).await?;
    // Earlier than all rows: none of these requests comes again.
    let before = RowTimes { first_us: START_US - interval_us, step_us: 1 };
    let lines = Lines::line_protocol(options.series, distinct(options))?.at(before);
    let rows = lines.len() as u64;
    let lines = Arc::new(lines);
    let sinks = ServiceSink::several(&service, Transport::Http, CONNECTIONS, &lines).await?;
    load::closed(sinks, 0, rows, REQUEST_ROWS).await?;
    service.stop().await;
    connection.execute("TRUNCATE public_store.ticks").await?;
    for way in [Way::Plain, Way::Hypertable] {
        way.create(&mut connection, interval_us).await?;
    }
    state::create(&mut connection, options).await
}

impl<'b> Stage<'b> {
    /// Starts the service on tables that are there.
    pub(super) async fn open(
        scratch: &'b ScratchDatabase,
        program: &Path,
        options: &'b SteadinessBenchOptions,
        mut connection: PgConnection,
    ) -> Result<Self, BenchError> {
        let edition = db::check_server(&mut connection).await?.edition;
        let interval_us = interval_us(options.chunk_rows);
        let first_us = START_US + (interval_us - START_US.rem_euclid(interval_us));
        let row_times = RowTimes { first_us, step_us: STEP_US };
        let lines = Arc::new(Lines::line_protocol(options.series, distinct(options))?.at(row_times));
        let copy_rows = Arc::new(CopyRows::make(options.series, distinct(options))?.at(row_times));
        let service = serve(scratch, program, interval_us).await?;
        Ok(Self { scratch, options, connection, edition, row_times, service, lines, copy_rows })
    }

    /// Removes what a step that was interrupted has written of a way.
    pub(super) async fn remove_from(&mut self, way: Way, step: u64) -> Result<(), BenchError> {
        let from = time_literal(self.row_times.of(step * self.options.step_rows));
        let delete = format!("DELETE FROM {} WHERE \"time\" >= {from}", way.table());
        let removed = self.connection.execute(delete.as_str()).await?.rows_affected();
        if way == Way::Chunkwise && removed > 0 {
            // The same requests are going to come again.
            self.connection.execute("DELETE FROM chunkwise.ledger").await?;
        }
        Ok(())
    }

    /// Writes a step's rows.
    pub(super) async fn turn(&mut self, way: Way, step: u64) -> Result<Turn, BenchError> {
        let first = step * self.options.step_rows;
        let rows = self.options.step_rows;
        let mut turn = Turn {
            step,
            way,
            rows,
            elapsed: Duration::ZERO,
            sealing: Duration::ZERO,
            sealed_chunks: 0,
            progress: Vec::new(),
        };
        let measured = if way == Way::Chunkwise {
            let sinks = ServiceSink::several(&self.service, Transport::Http, CONNECTIONS, &self.lines).await?;
            let passed_us = self.row_times.of(first);
            let begun = Instant::now();
            let sealer = Sealer { edition: self.edition, database: self.scratch.database.clone() };
            let sealing = seal_passed(&mut self.connection, &sealer, passed_us);
            let (measured, sealed) = tokio::try_join!(load::closed(sinks, first, rows, REQUEST_ROWS), sealing)?;
            turn.elapsed = begun.elapsed();
            (turn.sealing, turn.sealed_chunks) = sealed;
            measured
        } else {
            let mut sinks = Vec::new();
            for _ in 0..CONNECTIONS {
                let connection = self.scratch.connect().await?;
                sinks.push(CopySink::new(connection, way.table(), Ledger::Absent, Arc::clone(&self.copy_rows)));
            }
            let measured = load::closed(sinks, first, rows, REQUEST_ROWS).await?;
            turn.elapsed = measured.elapsed;
            measured
        };
        turn.progress = measured.progress;
        Ok(turn)
    }

    pub(super) async fn end(self) {
        self.service.stop().await;
    }
}

/// Seals the chunks that end before what is written now, as the service's job does; how long it took, and how many.
async fn seal_passed(
    connection: &mut PgConnection,
    sealer: &Sealer,
    passed_us: i64,
) -> Result<(Duration, u64), BenchError> {
    let found = hypertable::load_measurement(connection, "public", MEASUREMENT).await?;
    let id = found.ok_or(sqlx::Error::RowNotFound)?.id;
    let options = LifeOptions { seal_after: Duration::from_secs(1), quiet: Duration::from_secs(1) };
    let (mut elapsed, mut chunks) = (Duration::ZERO, 0);
    for chunk in look(connection, sealer.edition, options, Some(id)).await? {
        if chunk.facts.to_us > passed_us || chunk.facts.sealed_us.is_some() {
            continue;
        }
        match sealer.seal(connection, &chunk).await.map_err(sqlx::Error::from)? {
            SealOutcome::Sealed(took) => (elapsed, chunks) = (elapsed + took, chunks + 1),
            SealOutcome::Elsewhere => return Err(BenchError::Unsettled),
        }
    }
    Ok((elapsed, chunks))
}

async fn serve(scratch: &ScratchDatabase, program: &Path, interval_us: i64) -> Result<Service, BenchError> {
    let settings = [
        ("CHUNKWISE_ROLLUPS", "[]".to_owned()),
        ("CHUNKWISE_CHUNK__QUIET_PERIOD", format!("{}s", NEVER.as_secs())),
        ("CHUNKWISE_CHUNK__SEAL_AFTER", format!("{}s", NEVER.as_secs())),
        ("CHUNKWISE_MEASUREMENT__TICKS__CHUNK_INTERVAL", format!("{}s", interval_us / 1_000_000)),
        ("CHUNKWISE_SPOOL__WHEN_AWAY", "refuse".to_owned()),
    ];
    Service::start(Role::Ingest, program, &scratch.options(), &[Transport::Http], &settings).await
}

/// Different rows, before the first comes again: every series has some.
fn distinct(options: &SteadinessBenchOptions) -> usize {
    (options.series as usize * 2).max(200_000)
}

/// The time of so many rows, whole seconds.
fn interval_us(chunk_rows: u64) -> i64 {
    i64::try_from(chunk_rows).unwrap_or(i64::MAX / STEP_US).saturating_mul(STEP_US).max(1_000_000)
}
