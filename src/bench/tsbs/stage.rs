//! The store that is asked: filled through the service or from files, sealed, with its bars.

use std::{path::Path as FilePath, process::Stdio, sync::Arc, time::Instant};

use sqlx::{ConnectOptions, PgConnection};
use tokio::process::Command;

use super::{
    EVERY_SECONDS, TsbsBenchOptions,
    kind::{Data, Kind, Path, Picked},
};
use crate::{
    bench::{
        BenchError, RowTimes, START_US, Transport,
        client::{Client, ask_at_once},
        lines::Lines,
        load,
        scratch::ScratchDatabase,
        service::{Role, Service},
        settled,
        sink::ServiceSink,
    },
    feed::Hosts,
    hypertable::quote_ident,
};

/// TSBS's usual number of rows a batch, and of workers on a small machine.
const REQUEST_ROWS: usize = 10_000;
const CONNECTIONS: usize = 4;
/// Different lines before the walks turn back, about.
const DISTINCT: usize = 100_000;
/// TSBS's loader makes chunks of so long.
const CHUNKS: &str = "12h";

#[derive(Debug)]
pub(super) struct Stage {
    service: Service,
    clients: Vec<Client>,
    analyst: PgConnection,
    /// What there is.
    pub(super) data: Data,
    /// The service's own folder, for as long as it runs.
    _folder: tempfile::TempDir,
}

/// What was written, and how fast.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) metrics: u64,
    pub(super) hosts: usize,
    pub(super) seconds: f64,
    /// From the last acknowledgement until all is sealed and has its bars.
    pub(super) settled_seconds: f64,
    /// Percents and milliseconds, of made rows.
    pub(super) ack_ms: Option<[(u32, f64); 2]>,
}

/// An answer, whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) ms: f64,
    /// Rows of the answer, or its bytes where it comes over REST.
    pub(super) size: f64,
}

impl Stage {
    /// Writes all there is, and waits until it is sealed and has its bars.
    pub(super) async fn fill(
        scratch: &ScratchDatabase,
        program: &FilePath,
        options: &TsbsBenchOptions,
        mut connection: PgConnection,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(Self, Written), BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::NotStarted)?;
        let settings = [
            ("CHUNKWISE_CHUNK__QUIET_PERIOD", "1s".to_owned()),
            ("CHUNKWISE_CHUNK__SEAL_AFTER", "1s".to_owned()),
            ("CHUNKWISE_MEASUREMENT__CPU__CHUNK_INTERVAL", CHUNKS.to_owned()),
            ("CHUNKWISE_DATA_DIR", folder.path().display().to_string()),
            ("CHUNKWISE_SPOOL__WHEN_AWAY", "refuse".to_owned()),
        ];
        let (mut seconds, mut ack_ms) = (0.0, None);
        if !options.files.is_empty() {
            tell("the files are loaded");
            let begun = Instant::now();
            load_files(scratch, program, options, &settings).await?;
            seconds = begun.elapsed().as_secs_f64();
        }
        let service =
            Service::start(Role::Everything, program, &scratch.options(), &[Transport::Http], &settings).await?;
        if options.files.is_empty() {
            let rows = options.rows();
            tell(&format!("{rows} rows of {} hosts are written", options.hosts));
            let step_us = i64::try_from(EVERY_SECONDS).unwrap_or(1) * 1_000_000;
            let times = DISTINCT / options.hosts.max(1) as usize;
            let lines = Lines::cpu(options.hosts, times.max(2), RowTimes { first_us: START_US, step_us })?;
            let sinks = ServiceSink::several(&service, Transport::Http, CONNECTIONS, &Arc::new(lines)).await?;
            let measured = load::closed(sinks, 0, rows, REQUEST_ROWS).await?;
            seconds = measured.elapsed.as_secs_f64();
            ack_ms = Some([(50, measured.latency_ms(0.5)), (99, measured.latency_ms(0.99))]);
        }
        tell("chunks are sealed and bars made");
        let begun = Instant::now();
        let (rows, metrics) = count(&mut connection).await?;
        if options.files.is_empty() && rows != options.rows() {
            return Err(BenchError::Miscounted { sent: options.rows(), found: rows });
        }
        let values: i64 =
            sqlx::query_scalar("SELECT count(usage_user) FROM public_store.cpu").fetch_one(&mut connection).await?;
        settled::wait(&mut connection, "cpu", "usage_user", values.unsigned_abs()).await?;
        let settled_seconds = begun.elapsed().as_secs_f64();
        let data = data(&mut connection).await?;
        let hosts = data.hosts.len();
        let clients = Client::as_many_as_cores(&service).await?;
        let stage = Self { service, clients, analyst: connection, data, _folder: folder };
        Ok((stage, Written { rows, metrics, hosts, seconds, settled_seconds, ack_ms }))
    }

    /// Asks one question by one path; `None` where it has no such path.
    pub(super) async fn ask(&mut self, kind: Kind, path: Path, picked: &Picked) -> Result<Option<Asked>, BenchError> {
        let statement = match path {
            Path::Sql => Some(kind.sql(picked)),
            Path::Bars => kind.bars_sql(picked),
            Path::Rest => None,
        };
        let questions = if path == Path::Rest { kind.questions(picked) } else { Vec::new() };
        let begun = Instant::now();
        let size = if let Some(statement) = statement {
            sqlx::query(&statement).persistent(false).fetch_all(&mut self.analyst).await?.len()
        } else if questions.is_empty() {
            return Ok(None);
        } else {
            ask_at_once(&mut self.clients, &questions).await?.iter().map(|answer| answer.bytes).sum()
        };
        Ok(Some(Asked { ms: begun.elapsed().as_secs_f64() * 1e3, size: size as f64 }))
    }

    pub(super) async fn end(self) {
        drop(self.clients);
        self.service.stop().await;
    }
}

/// As whoever has such files loads them: with `chunkwise load`.
async fn load_files(
    scratch: &ScratchDatabase,
    program: &FilePath,
    options: &TsbsBenchOptions,
    settings: &[(&str, String)],
) -> Result<(), BenchError> {
    let url = scratch.options().to_url_lossy();
    let mut command = Command::new(program);
    command.arg("load").arg("--").args(&options.files);
    for name in ["URL", "OWNER_URL", "WRITER_URL", "READER_URL"] {
        command.env(format!("CHUNKWISE_DATABASE__{name}"), url.as_str());
    }
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let status = command.status().await.map_err(BenchError::NotStarted)?;
    if status.success() { Ok(()) } else { Err(BenchError::NotLoaded(status.to_string())) }
}

/// Rows and metrics of all measurements.
async fn count(connection: &mut PgConnection) -> Result<(u64, u64), BenchError> {
    let tables: Vec<(String, i64)> = sqlx::query_as(
        "SELECT table_name::text, count(*) FILTER (WHERE column_name NOT IN ('time', 'series_id'))
         FROM information_schema.columns
         WHERE table_schema = 'public_store' AND strpos(table_name, '__') = 0 GROUP BY table_name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let known: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.columns
         WHERE table_schema = 'public_store' AND table_name = 'cpu' AND column_name = ANY ($1)",
    )
    .bind(Hosts::FIELDS)
    .fetch_one(&mut *connection)
    .await?;
    if known.unsigned_abs() < Hosts::FIELDS.len() as u64 {
        return Err(BenchError::NoProcessors);
    }
    let (mut rows, mut metrics) = (0, 0);
    for (name, fields) in tables {
        let sql = format!("SELECT count(*) FROM public_store.{}", quote_ident(&name));
        let found: i64 = sqlx::query_scalar(&sql).fetch_one(&mut *connection).await?;
        rows += found.unsigned_abs();
        metrics += found.unsigned_abs() * fields.unsigned_abs();
    }
    Ok((rows, metrics))
}

async fn data(connection: &mut PgConnection) -> Result<Data, BenchError> {
    let hosts = sqlx::query_scalar(
        "SELECT hostname FROM public_store.cpu__series WHERE hostname IS NOT NULL GROUP BY hostname
         ORDER BY min(series_id)",
    );
    let hosts = hosts.fetch_all(&mut *connection).await?;
    let times =
        "SELECT (extract(epoch FROM min(time)) * 1000000)::int8, (extract(epoch FROM max(time)) * 1000000)::int8
                 FROM public_store.cpu";
    let (from_us, to_us): (Option<i64>, Option<i64>) = sqlx::query_as(times).fetch_one(connection).await?;
    let Some((from_us, to_us)) = from_us.zip(to_us) else { return Err(BenchError::NoProcessors) };
    Ok(Data { hosts, from_us, to_us })
}
