//! The store that is asked: written through the service, sealed, with its bars.

use std::{path::Path, sync::Arc};

use sqlx::{Executor, PgConnection};

use super::{PLAIN, QueryBenchOptions, growth::MOST_TIMES, question::Range};
use crate::bench::{
    BenchError, RowTimes, START_US, Transport,
    client::Client,
    lines::{Lines, MEASUREMENT},
    load,
    scratch::ScratchDatabase,
    service::{Role, Service},
    settled,
    sink::ServiceSink,
};

/// A chunk.
const HOUR_US: i64 = 3_600_000_000;
const CONNECTIONS: usize = 4;
const REQUEST_ROWS: usize = 10_000;
/// Series that Q1 is about.
const FEW: i64 = 8;
/// Different lines before the first comes again.
const DISTINCT: usize = 200_000;

#[derive(Debug)]
pub(super) struct Stage<'b> {
    scratch: &'b ScratchDatabase,
    pub(super) options: &'b QueryBenchOptions,
    pub(super) connection: PgConnection,
    /// Asks for windows.
    pub(super) client: Client,
    service: Service,
    lines: Lines,
    /// The symbols that Q1 is about.
    pub(super) few: Vec<String>,
    /// Rows of the store that grows, and of all there is.
    grown: u64,
    written: u64,
    /// The service's own folder, for as long as it runs.
    _data: tempfile::TempDir,
}

impl<'b> Stage<'b> {
    /// Starts the service on an empty store.
    pub(super) async fn set(
        scratch: &'b ScratchDatabase,
        program: &Path,
        options: &'b QueryBenchOptions,
        connection: PgConnection,
    ) -> Result<Self, BenchError> {
        let lines = Lines::with_bid(options.series, DISTINCT)?;
        let data = tempfile::tempdir().map_err(BenchError::NotStarted)?;
        let settings = [
            ("CHUNKWISE_CHUNK__QUIET_PERIOD", "1s".to_owned()),
            ("CHUNKWISE_CHUNK__SEAL_AFTER", "1s".to_owned()),
            ("CHUNKWISE_MEASUREMENT__TICKS__CHUNK_INTERVAL", "1h".to_owned()),
            ("CHUNKWISE_DATA_DIR", data.path().display().to_string()),
            ("CHUNKWISE_SPOOL__WHEN_AWAY", "refuse".to_owned()),
        ];
        let service =
            Service::start(Role::Everything, program, &scratch.options(), &[Transport::Http], &settings).await?;
        let client = Client::connect(&service).await?;
        Ok(Self {
            scratch,
            options,
            connection,
            client,
            service,
            lines,
            few: Vec::new(),
            grown: 0,
            written: 0,
            _data: data,
        })
    }

    /// Makes the store so many times as long as what is asked for, and waits until it is sealed and has its bars.
    pub(super) async fn grow(&mut self, times: u32) -> Result<(), BenchError> {
        let to = self.options.pruning_rows(times);
        self.write(START_US, self.options.pruning_hour_rows, HOUR_US, self.grown, to).await?;
        self.grown = to;
        self.settle().await
    }

    /// Writes the stretches, behind that store.
    pub(super) async fn write_records(&mut self) -> Result<(), BenchError> {
        for &records in &self.options.records {
            let Range { from_us, to_us } = self.range_of(records);
            self.write(from_us, records, to_us - from_us, 0, records).await?;
        }
        self.settle().await
    }

    /// Writes rows `first..to` of those that are spread over a time, so many each: the last ends before that does.
    async fn write(&mut self, from_us: i64, rows: u64, time_us: i64, first: u64, to: u64) -> Result<(), BenchError> {
        let step_us = (time_us / i64::try_from(rows).unwrap_or(i64::MAX)).max(1);
        let lines = Arc::new(self.lines.clone().at(RowTimes { first_us: from_us, step_us }));
        let sinks = ServiceSink::several(&self.service, Transport::Http, CONNECTIONS, &lines).await?;
        load::closed(sinks, first, to - first, REQUEST_ROWS).await?;
        self.written += to - first;
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), BenchError> {
        settled::wait(&mut self.connection, MEASUREMENT, "price", self.written).await?;
        self.few = sqlx::query_scalar("SELECT symbol FROM public_store.ticks__series ORDER BY series_id LIMIT $1")
            .bind(FEW)
            .fetch_all(&mut self.connection)
            .await?;
        Ok(())
    }

    /// A plain table with the rows of a range and nothing else, and both indexes that its questions can use.
    pub(super) async fn copy_to_plain(&mut self, range: Range) -> Result<(), BenchError> {
        for statement in [
            format!(
                "CREATE TABLE {PLAIN} AS SELECT time, symbol, price, size, bid FROM ticks WHERE {}",
                range.condition()
            ),
            format!("CREATE INDEX ON {PLAIN} (symbol, time DESC)"),
            format!("CREATE INDEX ON {PLAIN} (time)"),
            format!("VACUUM (ANALYZE) {PLAIN}"),
        ] {
            self.connection.execute(statement.as_str()).await?;
        }
        Ok(())
    }

    /// What is asked for in the store that grows.
    pub(super) fn pruning_range(&self) -> Range {
        Range { from_us: START_US, to_us: START_US + i64::from(self.options.pruning_hours) * HOUR_US }
    }

    /// The stretch that holds exactly so many records.
    pub(super) fn range_of(&self, records: u64) -> Range {
        let place = self.options.records.iter().position(|of| *of == records).unwrap_or(0);
        let hours = |stretches: usize| {
            let before = i64::from(self.options.pruning_hours * MOST_TIMES);
            START_US + (before + i64::from(self.options.hours) * i64::try_from(stretches).unwrap_or(0)) * HOUR_US
        };
        Range { from_us: hours(place), to_us: hours(place + 1) }
    }

    /// All stretches.
    pub(super) fn range_of_all(&self) -> Range {
        let ranges: Vec<Range> = self.options.records.iter().map(|records| self.range_of(*records)).collect();
        let from_us = ranges.first().map_or(START_US, |range| range.from_us);
        Range { from_us, to_us: ranges.last().map_or(from_us, |range| range.to_us) }
    }

    /// Counts what a range holds, in the table that is given.
    pub(super) async fn count(&mut self, table: &str, range: Range) -> Result<u64, BenchError> {
        let sql = format!("SELECT count(*) FROM {table} WHERE {}", range.condition());
        let found: i64 = sqlx::query_scalar(&sql).fetch_one(&mut self.connection).await?;
        Ok(found.unsigned_abs())
    }

    /// Connections for what comes in meanwhile, as a feed sends it: rows of this moment, whose times go by as time does.
    pub(super) async fn live_sinks(&self) -> Result<Vec<ServiceSink>, BenchError> {
        let step_us = 1_000_000 / i64::from(self.options.live_rows_per_second.max(1));
        let now = RowTimes { first_us: chrono::Utc::now().timestamp_micros(), step_us };
        let lines = Arc::new(self.lines.clone().at(now));
        ServiceSink::several(&self.service, Transport::Http, CONNECTIONS, &lines).await
    }

    /// The names of the chunks of rows.
    pub(super) async fn chunk_names(&mut self) -> Result<Vec<String>, BenchError> {
        let sql = "SELECT chunk_name::text FROM timescaledb_information.chunks
                   WHERE hypertable_schema = 'public_store' AND hypertable_name = 'ticks'";
        Ok(sqlx::query_scalar(sql).fetch_all(&mut self.connection).await?)
    }

    pub(super) async fn end(self) {
        drop(self.client);
        self.service.stop().await;
    }

    /// A session as an analyst has it.
    pub(super) async fn connect(&self) -> Result<PgConnection, BenchError> {
        self.scratch.connect().await
    }
}
