//! The single measurements, one after the other on the same tables.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{PgConnection, Row};

use super::{
    IngestBenchOptions,
    figures::{self, Rounds},
};
use crate::{
    bench::{
        BenchError, Better, Report, Transport,
        control::{Control, TRANSACTION_ROWS},
        lines::{CopyRows, Lines, MEASUREMENT, METRIC},
        load::{self, Measured},
        process::Processes,
        scratch::ScratchDatabase,
        service::Service,
        sink::ServiceSink,
    },
    hypertable::{self, Measurement},
};

/// The namespace that requests without one go to.
const NAMESPACE: &str = "public";
/// The combination that service and controls are compared in.
const CONNECTIONS: usize = 4;
const REQUEST_ROWS: usize = 10_000;
/// Requests of one line, as many small clients send them.
const SINGLE_LINES_PER_SECOND: u32 = 500;
const SINGLE_LINE_CONNECTIONS: usize = 8;
/// How often the service's memory is looked at.
const MEMORY_EVERY: Duration = Duration::from_millis(500);
/// Requests this small are too slow to send as many rows of.
const SMALL_REQUEST_ROWS: usize = 1_000;

#[derive(Debug)]
pub(super) struct Runner<'b> {
    scratch: &'b ScratchDatabase,
    service: &'b Service,
    options: &'b IngestBenchOptions,
    connection: PgConnection,
    processes: Processes,
    lines: Arc<Lines>,
    /// Of many more series.
    many_lines: Arc<Lines>,
    copy_rows: Arc<CopyRows>,
    next_row: u64,
    /// Lines of line protocol that were acknowledged.
    sent: u64,
    /// Lines that were sent as OpenTSDB's.
    telnet_rows: u64,
    /// Rows that each control took.
    ceiling_rows: u64,
    naive_rows: u64,
}

impl<'b> Runner<'b> {
    /// Makes the requests, sends each line once so that measurement and series exist, and makes the controls' tables.
    pub(super) async fn prepare(
        scratch: &'b ScratchDatabase,
        service: &'b Service,
        options: &'b IngestBenchOptions,
        mut connection: PgConnection,
    ) -> Result<Self, BenchError> {
        let processes = Processes::find(service.pid().unwrap_or(0), &mut connection).await?;
        let distinct = |series: u32| (series as usize * 2).max(200_000);
        let transaction_rows = TRANSACTION_ROWS.min(usize::try_from(options.rows).unwrap_or(TRANSACTION_ROWS)).max(1);
        let make = |series| Lines::line_protocol(series, distinct(series)).map(Arc::new);
        let (lines, many_lines) = (make(options.series)?, make(options.many_series)?);
        let copy_rows = Arc::new(CopyRows::make(options.series, transaction_rows)?);
        let mut runner = Self {
            scratch,
            service,
            options,
            connection,
            processes,
            lines,
            many_lines,
            copy_rows,
            next_row: 0,
            sent: 0,
            telnet_rows: 0,
            ceiling_rows: 0,
            naive_rows: 0,
        };
        for lines in [Arc::clone(&runner.lines), Arc::clone(&runner.many_lines)] {
            runner.send(&lines, 1, REQUEST_ROWS, lines.len() as u64).await?;
        }
        let interval_us = runner.interval_us().await?;
        for control in [Control::Ceiling, Control::Naive] {
            control.create(&mut runner.connection, interval_us).await?;
        }
        // Once without a clock: the first chunk of a table is made by its first rows.
        for control in [Control::Ceiling, Control::Naive] {
            runner.control(control, 1).await?;
        }
        Ok(runner)
    }

    /// How long a chunk of the service's table is, in microseconds.
    async fn interval_us(&mut self) -> Result<i64, BenchError> {
        let relation = self.measurement(MEASUREMENT).await?.relation;
        let sql = "SELECT (extract(epoch FROM time_interval) * 1000000)::int8 FROM timescaledb_information.dimensions
                   WHERE hypertable_schema = $1 AND hypertable_name = $2";
        let query = sqlx::query_scalar(sql).bind(format!("{NAMESPACE}_store")).bind(relation);
        Ok(query.fetch_one(&mut self.connection).await?)
    }

    async fn measurement(&mut self, name: &str) -> Result<Measurement, BenchError> {
        let found = hypertable::load_measurement(&mut self.connection, NAMESPACE, name).await?;
        Ok(found.ok_or(sqlx::Error::RowNotFound)?)
    }

    /// Times that no row has yet; whole milliseconds, which is all that some protocols write.
    fn take_rows(&mut self, rows: u64) -> u64 {
        let first = self.next_row;
        self.next_row = (first + rows).next_multiple_of(TRANSACTION_ROWS as u64);
        first
    }

    async fn sinks(
        &self,
        transport: Transport,
        connections: usize,
        lines: &Arc<Lines>,
    ) -> Result<Vec<ServiceSink>, BenchError> {
        ServiceSink::several(self.service, transport, connections, lines).await
    }

    /// Line protocol over HTTP.
    async fn send(
        &mut self,
        lines: &Arc<Lines>,
        connections: usize,
        request_rows: usize,
        rows: u64,
    ) -> Result<Measured, BenchError> {
        let sinks = self.sinks(Transport::Http, connections, lines).await?;
        let first = self.take_rows(rows);
        let measured = load::closed(sinks, first, rows, request_rows).await?;
        self.sent += measured.rows;
        Ok(measured)
    }

    async fn control(&mut self, control: Control, rows: u64) -> Result<Measured, BenchError> {
        let first = self.take_rows(rows.next_multiple_of(self.copy_rows.rows() as u64));
        let measured = control.measure(self.scratch, &self.copy_rows, first, rows).await?;
        match control {
            Control::Ceiling => self.ceiling_rows += measured.rows,
            Control::Naive => self.naive_rows += measured.rows,
        }
        Ok(measured)
    }

    /// Service, with more series too, ceiling, naive way; again and again, as the machine may change under them.
    pub(super) async fn rounds(&mut self, report: &mut Report) -> Result<(), BenchError> {
        let rows = self.options.rows;
        let mut rounds = Rounds::default();
        for _ in 0..self.options.rounds {
            let before = self.processes.cpu();
            let (lines, many_lines) = (Arc::clone(&self.lines), Arc::clone(&self.many_lines));
            let service = self.send(&lines, CONNECTIONS, REQUEST_ROWS, rows).await?;
            let cpu = self.processes.cpu().zip(before).map(|(after, before)| after.since(before));
            let many = self.send(&many_lines, CONNECTIONS, REQUEST_ROWS, rows).await?;
            let ceiling = self.control(Control::Ceiling, rows).await?;
            let naive = self.control(Control::Naive, rows).await?;
            rounds.add(&service, &many, &ceiling, &naive, cpu);
        }
        rounds.report(report);
        Ok(())
    }

    /// One number of connections with one size of requests.
    pub(super) async fn combination(
        &mut self,
        connections: usize,
        request_rows: usize,
        report: &mut Report,
    ) -> Result<(), BenchError> {
        let rows = if request_rows < SMALL_REQUEST_ROWS { self.options.rows / 5 } else { self.options.rows };
        let lines = Arc::clone(&self.lines);
        let measured = self.send(&lines, connections, request_rows, rows.max(1)).await?;
        let name = format!("http_{connections}_connections_{request_rows}_lines");
        report.add(format!("{name}_rate"), measured.rows_per_second(), "lines/s", Better::Higher);
        figures::latency(&format!("{name}_ack"), &measured, report);
        Ok(())
    }

    /// Each way in, and HTTP before each: what counts is a ratio of neighbours in time.
    pub(super) async fn transports(&mut self, report: &mut Report) -> Result<(), BenchError> {
        let metrics = Arc::new(Lines::open_tsdb(self.options.series, self.lines.len())?);
        for &transport in &self.options.transports {
            let (mut rates, mut ratios) = (Vec::new(), Vec::new());
            for _ in 0..self.options.rounds {
                let http = self.way_in(Transport::Http, &metrics).await?;
                if transport == Transport::Http {
                    rates.push(http);
                    continue;
                }
                let rate = self.way_in(transport, &metrics).await?;
                rates.push(rate);
                ratios.push(rate / http);
            }
            figures::way_in(transport.name(), rates, ratios, report);
        }
        Ok(())
    }

    /// Lines a second over one way in. Where nothing is acknowledged, the clock stops when the service has closed the
    /// connections.
    async fn way_in(&mut self, transport: Transport, metrics: &Arc<Lines>) -> Result<f64, BenchError> {
        let rows = self.options.rows;
        let (lines, sent) = match transport {
            Transport::Telnet => (metrics, &mut self.telnet_rows),
            Transport::Http | Transport::Tcp | Transport::WebSocket => (&self.lines, &mut self.sent),
        };
        *sent += rows;
        let lines = Arc::clone(lines);
        let first = self.take_rows(rows);
        let sinks = self.sinks(transport, CONNECTIONS, &lines).await?;
        Ok(load::closed(sinks, first, rows, REQUEST_ROWS).await?.rows_per_second())
    }

    /// Requests of one line at a set rate, on connections that stay open.
    pub(super) async fn single_lines(&mut self, report: &mut Report) -> Result<(), BenchError> {
        let requests = self.options.single_line_seconds * u64::from(SINGLE_LINES_PER_SECOND);
        let sinks = self.sinks(Transport::Http, SINGLE_LINE_CONNECTIONS, &self.lines).await?;
        let first = self.take_rows(requests);
        let measured = load::open(sinks, first, requests, 1, f64::from(SINGLE_LINES_PER_SECOND)).await?;
        self.sent += requests;
        report.add("single_line_rate", measured.rows_per_second(), "requests/s", Better::Higher);
        figures::latency("single_line_ack", &measured, report);
        Ok(())
    }

    /// Many rows in one go, then as many into the ceiling's table.
    pub(super) async fn steady(&mut self, rows: u64, report: &mut Report) -> Result<(), BenchError> {
        let memory = Arc::new(Mutex::new(Vec::new()));
        let watch = tokio::spawn(watch_memory(self.processes, Arc::clone(&memory)));
        let lines = Arc::clone(&self.lines);
        let service = self.send(&lines, CONNECTIONS, REQUEST_ROWS, rows).await;
        watch.abort();
        let service = service?;
        let ceiling = self.control(Control::Ceiling, rows).await?;
        figures::steadiness("steady_service", &service, report);
        figures::steadiness("steady_ceiling", &ceiling, report);
        let samples = std::mem::take(&mut *memory.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(most) = samples.iter().copied().reduce(f64::max) {
            report.add_samples("steady_service_memory_bytes", most, "bytes", Better::Lower, samples);
        }
        Ok(())
    }

    /// Compares what is there with what was acknowledged; what a row takes on disk; how much memory the service took.
    pub(super) async fn account(&mut self, report: &mut Report) -> Result<(), BenchError> {
        let storage = self.measurement(MEASUREMENT).await?.storage();
        let tables = [
            ("service", storage, self.sent),
            ("ceiling", Control::Ceiling.table().to_owned(), self.ceiling_rows),
            ("naive", Control::Naive.table().to_owned(), self.naive_rows),
        ];
        if self.telnet_rows > 0 {
            let storage = self.measurement(METRIC).await?.storage();
            self.count(&storage, self.telnet_rows).await?;
        }
        for (name, table, sent) in tables {
            let (found, bytes) = self.count(&table, sent).await?;
            report.add(format!("{name}_row_bytes"), bytes as f64 / found as f64, "bytes", Better::Lower);
        }
        if let Some((_, most)) = self.processes.service_memory() {
            report.add("service_memory_peak_bytes", most as f64, "bytes", Better::Lower);
        }
        Ok(())
    }

    /// The rows of a table, which must be as many as were sent, and its bytes on disk.
    async fn count(&mut self, table: &str, sent: u64) -> Result<(u64, i64), BenchError> {
        let sql = format!("SELECT count(*) AS rows, hypertable_size($1::regclass) AS bytes FROM {table}");
        let row = sqlx::query(&sql).bind(table).fetch_one(&mut self.connection).await?;
        let found = u64::try_from(row.try_get::<i64, _>("rows")?).unwrap_or(0);
        if found != sent {
            return Err(BenchError::Miscounted { sent, found });
        }
        Ok((found, row.try_get("bytes")?))
    }
}

/// Notes the service's memory until it ends, or is aborted.
async fn watch_memory(processes: Processes, samples: Arc<Mutex<Vec<f64>>>) {
    while let Some((bytes, _)) = processes.service_memory() {
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(bytes as f64);
        tokio::time::sleep(MEMORY_EVERY).await;
    }
}
