//! The tables, and services that keep them in different ways.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{Executor, PgConnection};

use super::{StorageBenchOptions, watch::Watch};
use crate::{
    bench::{
        BenchError, RowTimes, START_US, Transport,
        control::{Control, TRANSACTION_ROWS},
        lines::{CopyRows, Lines, MEASUREMENT},
        load::{self, Measured},
        scratch::ScratchDatabase,
        service::{Role, Service},
        settled,
        sink::ServiceSink,
    },
    db::{self, Edition},
    hypertable::{self, Measurement},
    life::{ChunkLook, LifeOptions, Sealer, look},
};

/// From row to row: ten million a day.
const STEP_US: i64 = 8_640;
/// Quiet for so long, a chunk is sealed: rows come in order.
const QUIET: Duration = Duration::from_secs(1);
/// Lines a request, over so many connections; with an open load some of them wait.
pub(super) const REQUEST_ROWS: usize = 10_000;
const CONNECTIONS: usize = 4;
const OPEN_CONNECTIONS: usize = 8;
/// What a service that has just started takes for its first requests is no part of how it answers: this part of a load.
const WARM_UP: f64 = 0.1;

/// What is done to chunks beside ingestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Nothing.
    Nothing,
    /// They are sealed.
    Sealing,
    /// They are sealed, and all rollups made.
    SealingAndRollups,
}

#[derive(Debug)]
pub(super) struct Stage<'b> {
    scratch: &'b ScratchDatabase,
    program: &'b Path,
    pub(super) options: &'b StorageBenchOptions,
    pub(super) connection: PgConnection,
    pub(super) edition: Edition,
    pub(super) row_times: RowTimes,
    lines: Arc<Lines>,
    copy_rows: Arc<CopyRows>,
    next_row: u64,
}

impl<'b> Stage<'b> {
    /// Makes measurement, series and the controls' tables, all of them without rows.
    pub(super) async fn set(
        scratch: &'b ScratchDatabase,
        program: &'b Path,
        options: &'b StorageBenchOptions,
        mut connection: PgConnection,
    ) -> Result<Self, BenchError> {
        let edition = db::check_server(&mut connection).await?.edition;
        let interval_us = interval_us(options.chunk_rows);
        let first_us = START_US + (interval_us - START_US.rem_euclid(interval_us));
        let row_times = RowTimes { first_us, step_us: STEP_US };
        let distinct = (options.series as usize * 2).max(200_000);
        let lines = Arc::new(Lines::line_protocol(options.series, distinct)?.at(row_times));
        let copy_rows = Arc::new(CopyRows::make(options.series, TRANSACTION_ROWS)?.at(row_times));
        let mut stage =
            Self { scratch, program, options, connection, edition, row_times, lines, copy_rows, next_row: 0 };
        let service = stage.serve(Care::Nothing, options.chunk_rows).await?;
        stage.send(&service, distinct as u64).await?;
        service.stop().await;
        for control in [Control::Ceiling, Control::Naive] {
            control.create(&mut stage.connection, interval_us).await?;
        }
        stage.clear().await?;
        Ok(stage)
    }

    /// A chunk of the rounds: a tenth of the one that is looked at alone.
    pub(super) fn small_chunk_rows(&self) -> u64 {
        self.options.chunk_rows / 10
    }

    /// What passes in one measurement of ingestion.
    pub(super) fn passing_rows(&self) -> u64 {
        self.small_chunk_rows() * u64::from(self.options.chunks)
    }

    /// What passes where it is looked at what sealing costs: several chunks are to be sealed meanwhile, with the pauses
    /// between them.
    pub(super) fn long_passing_rows(&self) -> u64 {
        self.passing_rows() * 3
    }

    /// A service that makes chunks of so many rows and takes care of them.
    pub(super) async fn serve(&mut self, care: Care, chunk_rows: u64) -> Result<Service, BenchError> {
        let rollups = match care {
            Care::SealingAndRollups => "[\"1m\", \"5m\", \"1h\", \"1d\"]",
            Care::Nothing | Care::Sealing => "[]",
        };
        let quiet = if care == Care::Nothing { Duration::from_secs(86_400) } else { QUIET };
        let interval_s = interval_us(chunk_rows) / 1_000_000;
        let settings = [
            ("CHUNKWISE_ROLLUPS", rollups.to_owned()),
            ("CHUNKWISE_CHUNK__QUIET_PERIOD", format!("{}s", quiet.as_secs())),
            ("CHUNKWISE_CHUNK__SEAL_AFTER", "1s".to_owned()),
            ("CHUNKWISE_MEASUREMENT__TICKS__CHUNK_INTERVAL", format!("{interval_s}s")),
        ];
        self.checkpoint().await;
        Service::start(Role::Ingest, self.program, &self.scratch.options(), &[Transport::Http], &settings).await
    }

    async fn sinks(&self, service: &Service, connections: usize) -> Result<Vec<ServiceSink>, BenchError> {
        ServiceSink::several(service, Transport::Http, connections, &self.lines).await
    }

    /// The first row of a new chunk, of either size.
    pub(super) fn take_rows(&mut self, rows: u64) -> u64 {
        let first = self.next_row;
        self.next_row = (first + rows).next_multiple_of(self.options.chunk_rows);
        first
    }

    /// As fast as they are taken.
    pub(super) async fn send(&mut self, service: &Service, rows: u64) -> Result<Measured, BenchError> {
        let first = self.take_rows(rows);
        self.send_from(service, first, rows).await
    }

    /// The same with rows that were taken before.
    pub(super) async fn send_from(&self, service: &Service, first: u64, rows: u64) -> Result<Measured, BenchError> {
        let sinks = self.sinks(service, CONNECTIONS).await?;
        load::closed(sinks, first, rows, REQUEST_ROWS).await
    }

    /// At a set rate of rows a second, and what was done to the chunks meanwhile.
    pub(super) async fn send_at(
        &mut self,
        service: &Service,
        rows: u64,
        rows_per_second: f64,
    ) -> Result<(Measured, Watch), BenchError> {
        let sinks = self.sinks(service, OPEN_CONNECTIONS).await?;
        let first = self.take_rows(rows);
        let watch = Watch::begin(self.scratch.connect().await?, self.row_times, first);
        let requests = (REQUEST_ROWS, rows_per_second / REQUEST_ROWS as f64);
        let warm_up = Duration::from_secs_f64(rows as f64 / rows_per_second * WARM_UP);
        let measured = load::warmed_up(sinks, first, rows, requests, warm_up).await?;
        Ok((measured, watch))
    }

    /// The same rows into a control's table.
    pub(super) async fn control(
        &mut self,
        control: Control,
        first_row: u64,
        rows: u64,
    ) -> Result<Measured, BenchError> {
        control.measure(self.scratch, &self.copy_rows, first_row, rows).await
    }

    /// Drops all rows of all tables, and what is known of them.
    pub(super) async fn clear(&mut self) -> Result<(), BenchError> {
        for statement in [
            "SELECT drop_chunks(format('%I.%I', hypertable_schema, hypertable_name)::regclass, '2200-01-01'::timestamptz)
             FROM timescaledb_information.hypertables",
            "DELETE FROM chunkwise.chunk",
            "DELETE FROM chunkwise.chunk_event",
        ] {
            self.connection.execute(statement).await?;
        }
        Ok(())
    }

    pub(super) async fn measurement(&mut self) -> Result<Measurement, BenchError> {
        let found = hypertable::load_measurement(&mut self.connection, "public", MEASUREMENT).await?;
        Ok(found.ok_or(sqlx::Error::RowNotFound)?)
    }

    /// What was written before is no part of what is measured next. Not every role may ask for that.
    pub(super) async fn checkpoint(&mut self) {
        if let Err(error) = self.connection.execute("CHECKPOINT").await {
            tracing::debug!(error = %error, "measured without a checkpoint before");
        }
    }

    /// A session beside the stage's own.
    pub(super) async fn connect(&self) -> Result<PgConnection, BenchError> {
        self.scratch.connect().await
    }

    /// The measurement's chunks, by their end.
    pub(super) async fn chunks(&mut self) -> Result<Vec<ChunkLook>, BenchError> {
        let id = self.measurement().await?.id;
        let options = LifeOptions { seal_after: QUIET, quiet: QUIET };
        Ok(look(&mut self.connection, self.edition, options, Some(id)).await?)
    }

    /// Who seals chunks as the job does.
    pub(super) fn sealer(&self) -> Sealer {
        Sealer { edition: self.edition, database: self.scratch.database.clone() }
    }

    /// How many chunks chunkwise has sealed since the tables were empty.
    pub(super) async fn sealed(&mut self) -> Result<i64, BenchError> {
        let sql = "SELECT count(*) FROM chunkwise.chunk_event WHERE event = 'sealed'";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.connection).await?)
    }

    /// Waits until so many chunks are sealed and `rows` are in the bars; returns how long it took.
    pub(super) async fn settle(&mut self, chunks: u64, rows: u64) -> Result<Duration, BenchError> {
        let begun = Instant::now();
        loop {
            if self.sealed().await?.unsigned_abs() >= chunks
                && settled::is_rolled_up(&mut self.connection, MEASUREMENT, "price", rows).await?
            {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > settled::LIMIT {
                return Err(BenchError::Unsettled);
            }
            tokio::time::sleep(settled::EVERY).await;
        }
    }

    /// A table's rows, which must be as many as were sent, and its bytes with all indexes.
    pub(super) async fn bytes(&mut self, table: &str, sent: u64) -> Result<i64, BenchError> {
        let found: i64 =
            sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(&mut self.connection).await?;
        if found.unsigned_abs() != sent {
            return Err(BenchError::Miscounted { sent, found: found.unsigned_abs() });
        }
        Ok(sqlx::query_scalar("SELECT hypertable_size($1::regclass)")
            .bind(table)
            .fetch_one(&mut self.connection)
            .await?)
    }
}

/// The time of so many rows.
fn interval_us(chunk_rows: u64) -> i64 {
    i64::try_from(chunk_rows).unwrap_or(i64::MAX / STEP_US).saturating_mul(STEP_US)
}
