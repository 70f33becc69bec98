//! The services: what answers on the port, until a signal says to drain.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use chunkwise::{
    batch::Recent,
    bench::Comparison,
    block::{BlockOptions, Blocks},
    config::{Config, SameBody, WhenAway},
    http::{self, Figures, HttpState, error, guard},
    hypertable::SchemaLimits,
    ingest::{self, BodyLimits, Counters, Ingest, IngestOptions, Repetition, SpoolWatch, TcpWrite, WriteHttp},
    query::{QueryLimits, Questions},
    spool::{CursorFound, Disk, Recovery, Spool, SpoolError, SpoolOptions},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    command::measurement,
    database::{self, Place},
    demo,
    jobs::Threads,
    listen::{Listeners, StopSignal},
    subscriptions, supervise,
};

/// So many values of blocks are computed with in float64 within some ten milliseconds.
const EXACT_CELLS: u64 = 2 << 20;

/// What waits for rollups may take so many times what requests may. As fast as two cores take them, rows come in twice as fast
/// as bars are made of them: of ten million rows of two numbers, 36 bytes each, seven million wait at the end.
const RECENT_TIMES: usize = 2;

/// How long the end waits for the writers: a client that still holds its connection open keeps them from ending.
const COMMIT_LIMIT: Duration = Duration::from_secs(5);

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Writes and questions.
    Everything,
    /// The same, and a live feed arrives as from a client.
    EverythingWithDemo,
    /// The write routes.
    Ingestion,
    /// The question routes.
    Questions,
}

impl Roles {
    fn write(self) -> bool {
        self != Self::Questions
    }

    fn answer(self) -> bool {
        self != Self::Ingestion
    }
}

/// Serves until SIGTERM or SIGINT. Then, in this order:
///
/// 1. the demonstration's feed ends, and nobody starts a crashed database any more;
/// 2. no connection is accepted, requests under way get their answers, what TCP clients have sent is read and written;
/// 3. the writers commit what they have taken, and end.
pub(crate) async fn run(
    listeners: Listeners,
    roles: Roles,
    place: &Place,
    config: &Config,
    mut signal: StopSignal,
) -> anyhow::Result<()> {
    let address = listeners.http.local_addr()?;
    if roles.write() {
        measurement::apply(place, config).await?;
    }
    let ingest = if roles.write() { Some(start_ingest(place, config)?) } else { None };
    // Those who answer questions may have a replica, and no owner's rights.
    let threads = match ingest {
        Some(_) => Some(Threads::start().context("no threads for sealing and rollups")?),
        None => None,
    };
    let stop = CancellationToken::new();
    let router = router(roles, address, place, config, ingest.as_ref(), &stop)?;

    if let (Roles::EverythingWithDemo, Some(ingest)) = (roles, &ingest) {
        tokio::spawn(demo::stream(ingest.clone(), config.namespace.clone(), stop.clone()));
    }
    listeners.announce()?;
    if roles == Roles::EverythingWithDemo {
        demo::invite(address)?;
    }
    let stopped = async {
        signal.heard().await;
        tracing::info!("stopping: what was accepted is finished first");
        stop.cancel();
    };
    let supervised = async {
        // A process that only asks questions starts no server, and so none again.
        if let (Some(used), true) = (&place.embedded, roles.write()) {
            supervise::run(&used.server, &stop).await;
        }
    };
    let worked = async {
        if let (Some(ingest), Some(threads)) = (&ingest, &threads) {
            threads.run(place, config, ingest.options().recent.clone(), &stop).await;
        }
    };
    let Listeners { http, line_protocol, opentsdb } = listeners;
    let line_protocol = serve_line_protocol(line_protocol, ingest.as_ref(), config, &stop);
    let opentsdb = serve_opentsdb(opentsdb, ingest.as_ref(), config, &stop);
    let followed = subscriptions::follow(ingest.as_ref(), config, &stop);
    let http = http::serve(http, router, config.http.header_timeout, stopped);
    tokio::join!(http, line_protocol, opentsdb, followed, supervised, worked);
    if let Some(ingest) = ingest
        && tokio::time::timeout(COMMIT_LIMIT, ingest.shut_down()).await.is_err()
    {
        tracing::warn!("requests that were never answered are left uncommitted: their clients may send them again");
    }
    Ok(())
}

/// The service, with the spool of the data folder unless another process has it, or there is to be none.
fn start_ingest(place: &Place, config: &Config) -> anyhow::Result<Ingest> {
    let (database, options) = (place.database.clone(), ingest_options(config));
    if config.spool.when_away == WhenAway::Refuse {
        return Ok(Ingest::start(database, options));
    }
    let folder = database::local_config(config)?.data_dir.join("spool");
    let limits = SpoolOptions {
        max_bytes: config.spool.max_bytes.get(),
        reserve_bytes: config.spool.reserve_bytes,
        segment_bytes: SpoolOptions::default().segment_bytes.min(config.spool.max_bytes.get()),
    };
    match Spool::open(Disk, &folder, limits) {
        Ok((spool, recovery)) => {
            report(&recovery);
            Ok(Ingest::start_spooling(database, options, spool, recovery.frames))
        }
        Err(error @ SpoolError::InUse(_)) => {
            tracing::warn!(error = %error, "there is no spool: writes are refused while the database is away");
            Ok(Ingest::start(database, options))
        }
        Err(error) => Err(error).context("the spool cannot be opened (spool.when_away = \"refuse\" does without one)"),
    }
}

/// Tells what was found in the spool: what waits, and what somebody, or a disk, has done to it.
fn report(recovery: &Recovery) {
    if recovery.frames > 0 {
        tracing::info!(requests = recovery.frames, "requests of an earlier process wait in the spool");
    }
    if recovery.torn_bytes > 0 {
        tracing::warn!(bytes = recovery.torn_bytes, "writes to the spool that were cut off are cut away");
    }
    for damage in &recovery.damaged {
        tracing::error!(
            file = %damage.path.display(), bytes = damage.bytes, request = ?damage.id,
            "the spool is damaged: requests in it are lost; the file is kept in the quarantine once the rest of it is written"
        );
    }
    for file in &recovery.quarantined {
        tracing::error!(file = %file.display(), "a file of the spool cannot be read: its requests are lost, it is kept");
    }
    if recovery.missing_segments > 0 {
        tracing::error!(files = recovery.missing_segments, "files of the spool are missing: requests in them are lost");
    }
    for file in &recovery.empty {
        tracing::warn!(
            file = %file.display(),
            "a file of the spool is empty: a full disk leaves such files, but if somebody emptied it, requests are lost"
        );
    }
    if recovery.cursor == CursorFound::Damaged {
        tracing::warn!("the spool's cursor is damaged: what is there is compared with the ledger from its beginning");
    }
    for file in &recovery.foreign_files {
        tracing::warn!(file = %file.display(), "a file in the spool's folder is not chunkwise's, and is left alone");
    }
}

fn router(
    roles: Roles,
    address: SocketAddr,
    place: &Place,
    config: &Config,
    ingest: Option<&Ingest>,
    stop: &CancellationToken,
) -> anyhow::Result<Router> {
    let state = http_state(place, config, ingest, stop)?;
    let mut router = http::service_router(state.clone());
    if let Some(ingest) = ingest {
        let write = write_http(ingest, config, stop);
        router = router.merge(ingest::router(write.clone())).merge(ingest::opentsdb_router(write));
        router = router.merge(http::removal_router(state.clone()));
    }
    if roles.answer() {
        router = router.merge(http::question_router(state)).merge(http::page_router());
    }
    Ok(guarded(router, address, config))
}

/// What stands around the routes of a listener on `address`.
fn guarded(router: Router, address: SocketAddr, config: &Config) -> Router {
    let guard = Arc::new(guard::HostGuard::new(address, config.http.allowed_hosts.iter().cloned()));
    // Outermost last: headers go on every answer, the guard's own among them.
    error::with_fallbacks(router)
        .layer(from_fn(error::log_causes))
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(from_fn(guard::security_headers))
}

fn write_http(ingest: &Ingest, config: &Config, stop: &CancellationToken) -> WriteHttp {
    let limits = BodyLimits {
        sent_bytes: config.http.max_body_bytes.get(),
        inflated_bytes: config.http.max_decoded_body_bytes.get(),
    };
    WriteHttp { ingest: ingest.clone(), limits, namespace: config.namespace.as_str().into(), stop: stop.clone() }
}

async fn serve_line_protocol(
    listener: Option<TcpListener>,
    ingest: Option<&Ingest>,
    config: &Config,
    stop: &CancellationToken,
) {
    let (Some(listener), Some(ingest)) = (listener, ingest) else { return };
    let max_connections = config.line_protocol.max_connections;
    let write = TcpWrite { ingest: ingest.clone(), namespace: config.namespace.as_str().into(), max_connections };
    ingest::serve_line_protocol(listener, write, stop.clone()).await;
}

/// OpenTSDB's port: telnet lines, and HTTP with nothing but OpenTSDB's routes.
async fn serve_opentsdb(
    listener: Option<TcpListener>,
    ingest: Option<&Ingest>,
    config: &Config,
    stop: &CancellationToken,
) {
    let (Some(listener), Some(ingest)) = (listener, ingest) else { return };
    let address = match listener.local_addr() {
        Ok(address) => address,
        Err(error) => return tracing::error!(error = %error, "OpenTSDB's listener has no address"),
    };
    let router = guarded(ingest::opentsdb_router(write_http(ingest, config, stop)), address, config);
    let max_connections = config.opentsdb.max_connections;
    let write = TcpWrite { ingest: ingest.clone(), namespace: config.namespace.as_str().into(), max_connections };
    // A connection waits here only until it is picked up.
    let (hand, handed) = mpsc::channel(16);
    let lines = ingest::serve_opentsdb(listener, write, hand, stop.clone());
    tokio::join!(lines, http::serve_handed(handed, router, config.http.header_timeout, stop.cancelled()));
}

fn http_state(
    place: &Place,
    config: &Config,
    ingest: Option<&Ingest>,
    stop: &CancellationToken,
) -> anyhow::Result<HttpState> {
    let metrics = PrometheusBuilder::new().install_recorder().context("collecting metrics")?;
    tokio::spawn(keep_small(metrics.clone()));
    let blocks = Arc::new(open_blocks(config)?);
    tokio::spawn(Arc::clone(&blocks).keep(stop.clone().cancelled_owned()));
    let questions = Questions::new(place.database.clone(), query_limits(config)).with_blocks(Arc::clone(&blocks));
    let questions = Arc::new(questions);
    // In the background: the service is ready before this is, and answers meanwhile.
    let asked = blocks.path().map(|folder| folder.join("asked"));
    let stopped = stop.clone().cancelled_owned();
    tokio::spawn(Arc::clone(&questions).recall(asked, http::prepare_latest, stopped));
    let mut figures: Vec<(&'static str, Arc<dyn Figures>)> = Vec::new();
    if let Some(ingest) = ingest {
        figures.push(("ingest", Arc::new(IngestFigures(Arc::clone(ingest.counters())))));
    }
    if let Some(figures_of_spool) = ingest.and_then(Ingest::spool) {
        figures.push(("spool", Arc::new(SpoolFigures(figures_of_spool))));
    }
    figures.push(("blocks", Arc::new(BlocksShown(blocks))));
    let reports = reports_folder(config)?;
    Ok(HttpState::new(questions, Some(metrics), figures).with_reports(reports, compare_reports))
}

/// Blocks in the data folder, unless another process has them there, or it cannot be used.
fn open_blocks(config: &Config) -> anyhow::Result<Blocks> {
    Ok(Blocks::in_folder(block_options(config), &blocks_folder(config)?).unwrap_or_else(|error| {
        tracing::warn!(error = %error, "blocks are kept in memory alone");
        Blocks::new(block_options(config))
    }))
}

/// Where blocks are on disk.
pub(crate) fn blocks_folder(config: &Config) -> anyhow::Result<PathBuf> {
    Ok(database::local_config(config)?.data_dir.join("blocks"))
}

/// As `chunkwise bench compare --json` does.
fn compare_reports(a: (&str, &[u8]), b: (&str, &[u8])) -> Result<serde_json::Value, String> {
    let compared = Comparison::read(a, b).map_err(|error| error.to_string())?;
    serde_json::to_value(compared).map_err(|error| error.to_string())
}

/// Where the reports of benchmarks are kept.
pub(crate) fn reports_folder(config: &Config) -> anyhow::Result<PathBuf> {
    Ok(database::local_config(config)?.data_dir.join("reports"))
}

/// The settings, as blocks take them.
pub(crate) fn block_options(config: &Config) -> BlockOptions {
    BlockOptions {
        memory_bytes: config.blocks.memory_bytes.get(),
        disk_bytes: config.blocks.disk_bytes.get(),
        exact_cells: EXACT_CELLS,
    }
}

/// Folds what histograms have collected, which else only a look at `/metrics` does: without either they grow for ever.
async fn keep_small(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// What ingestion shows in `/api/v1/stats`.
struct IngestFigures(Arc<Counters>);

impl Figures for IngestFigures {
    fn figures(&self) -> serde_json::Value {
        serde_json::to_value(self.0.values()).unwrap_or_default()
    }

    fn check(&self) -> Option<serde_json::Value> {
        // A writer that was started again works; that it had to be is for an operator to know.
        let restarts = self.0.values().writer_restarts;
        let status = if restarts == 0 { "pass" } else { "warn" };
        Some(serde_json::json!({ "name": "writers", "status": status, "restarts": restarts }))
    }
}

/// What blocks show in `/api/v1/stats`.
struct BlocksShown(Arc<Blocks>);

impl Figures for BlocksShown {
    fn figures(&self) -> serde_json::Value {
        serde_json::to_value(self.0.figures()).unwrap_or_default()
    }
}

/// What the spool shows in `/api/v1/stats`.
struct SpoolFigures(SpoolWatch);

impl Figures for SpoolFigures {
    fn figures(&self) -> serde_json::Value {
        serde_json::to_value(self.0.figures()).unwrap_or_default()
    }
}

/// The settings, as questions take them.
pub(crate) fn query_limits(config: &Config) -> QueryLimits {
    let settings = &config.question;
    QueryLimits { bytes: settings.limit_bytes.get(), time: settings.time_limit, ..QueryLimits::default() }
}

/// The settings, as the service takes them.
pub(crate) fn ingest_options(config: &Config) -> IngestOptions {
    let settings = &config.ingest;
    IngestOptions {
        ahead_us: i64::try_from(settings.future_limit.as_micros()).unwrap_or(i64::MAX),
        memory_bytes: settings.memory_bytes.get(),
        new_series_a_minute: settings.max_new_series_per_minute.get() as u64,
        writers: settings.writers.get() as usize,
        repetition: match settings.same_body {
            SameBody::CountsOnceWithin(within) => Repetition::SameBody { within },
            SameBody::CountsAgain => Repetition::KeyOnly,
        },
        key_keep: settings.key_retention,
        schema: SchemaLimits {
            fields: settings.max_fields.get(),
            measurements: i64::try_from(settings.max_measurements.get()).unwrap_or(i64::MAX),
            ..SchemaLimits::default()
        },
        recent: Recent::new(settings.memory_bytes.get().saturating_mul(RECENT_TIMES)),
        ..IngestOptions::default()
    }
}
