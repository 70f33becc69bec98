//! The service that routes, loads and feeds hand their requests to.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use super::{
    Counters, IngestError, Protocol, Refused, housekeeping, isolate,
    lanes::{Lanes, QuickWriter, Sender},
    metric,
    prepare::Prepared,
    queue::Job,
    quota::SeriesQuota,
    request::{BodyRequest, Identity, PartialWrites, Repetition, WriteRequest},
    room::{Room, Rooms},
    scan::Source,
    transaction::{Entry, Outcome},
    writer::{Lane, Writer, keep_running},
};
use crate::{
    db::Database,
    hypertable::{Growth, SchemaLimits, check_namespace},
    series::{SeriesIds, SeriesParts},
};

/// How the service works; the defaults suit one machine.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// A line so far ahead of the clock is refused, in microseconds.
    pub ahead_us: i64,
    /// Memory of all requests under way, in bytes, with what is made of them; beyond it requests are told to come back.
    pub memory_bytes: usize,
    /// Transactions at once. More than the server has cores gains nothing.
    pub writers: usize,
    /// When two requests without a key are the same.
    pub repetition: Repetition,
    /// How long the ledger keeps a client's key.
    pub key_keep: Duration,
    /// New series within a minute, of all measurements.
    pub new_series_a_minute: u64,
    /// Chunks that one request may touch in a measurement.
    pub chunks: usize,
    /// How far schemas may grow.
    pub schema: SchemaLimits,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            ahead_us: 86_400_000_000,
            memory_bytes: 256 << 20,
            writers: 3,
            repetition: Repetition::SameBody { within: Duration::from_secs(3600) },
            key_keep: Duration::from_secs(7 * 86_400),
            new_series_a_minute: 1_000_000,
            chunks: 1_000,
            schema: SchemaLimits::default(),
        }
    }
}

/// How safe a written request is. The weaker is the greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// COMMIT returned, with `synchronous_commit = on`.
    #[default]
    Committed,
    /// The database is away; the lines are on this machine's disk and will be committed when it is back.
    Spooled,
}

impl Ack {
    /// Its name in answers.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Spooled => "spooled",
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How safe it is.
    pub ack: Ack,
    /// Rows committed; of a repetition, those that the first request committed.
    pub written: u64,
    /// Lines refused, in order; of very many, the first.
    pub refused: Vec<Refused>,
    /// How many lines were refused.
    pub refused_total: u64,
    /// How many of them only the database refused: they are kept as dead letters.
    pub dead_lettered: u64,
    /// The ledger had it already, and nothing was written now.
    pub duplicate: bool,
}

/// What preparing needs.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) database: Database,
    pub(super) growth: Growth,
    pub(super) ids: SeriesIds,
    pub(super) parts: SeriesParts,
    pub(super) quota: SeriesQuota,
    pub(super) options: IngestOptions,
    /// Whoever makes series takes turns: a connection each would use up the server's.
    pub(super) making_series: Semaphore,
    /// Long passes over lines take turns: more than there are cores would only slow each other and hold more memory.
    pub(super) long_work: Semaphore,
}

impl Core {
    fn forget(&self, namespace: &str, measurement: &str) {
        if let Some(known) = self.growth.catalog().get(namespace, measurement) {
            self.growth.catalog().forget(namespace, measurement);
            self.ids.forget(&known);
        }
    }

    /// Forgets a namespace's measurements; they are read again when they are needed.
    fn forget_all(&self, namespace: &str) {
        for name in self.growth.catalog().names(namespace) {
            self.forget(namespace, &name);
        }
    }
}

/// The ingestion service. Cheap to clone. [`shut_down`](Self::shut_down) lets the writers finish what waits; without it
/// they end where they are when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Ingest {
    core: Arc<Core>,
    counters: Arc<Counters>,
    queue: Arc<Sender>,
    rooms: Rooms,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Ingest {
    /// Starts the writers; must be called within a tokio runtime. The database need not be reachable yet.
    #[must_use]
    pub fn start(database: Database, options: IngestOptions) -> Self {
        /// Enough for two locked measurements at once; of more, each waits for its turn.
        const SLOW_WRITERS: usize = 2;
        let counters = Arc::<Counters>::default();
        let lanes = Arc::new(Lanes::new());
        let quick = Arc::new(QuickWriter(Arc::clone(&lanes)));
        let mut tasks = JoinSet::new();
        let (poisoned, refused_whole) = mpsc::unbounded_channel();
        let writers = [(Lane::Quick, options.writers.max(1)), (Lane::Slow, SLOW_WRITERS)];
        for lane in writers.into_iter().flat_map(|(lane, count)| std::iter::repeat_n(lane, count)) {
            let writer =
                Writer { database: database.clone(), lanes: Arc::clone(&lanes), lane, isolate: poisoned.clone() };
            let (counters, alive) = (Arc::clone(&counters), (lane == Lane::Quick).then(|| Arc::clone(&quick)));
            tasks.spawn(async move {
                keep_running(counters, || writer.clone().run()).await;
                drop(alive);
            });
        }
        drop(poisoned);
        tasks.spawn(isolate::run(database.clone(), refused_whole));
        let queue = Arc::new(Sender(lanes));
        tasks.spawn(housekeeping::run(database.clone(), Arc::downgrade(&queue)));
        let rooms = Rooms::new(options.memory_bytes);
        let core = Arc::new(Core {
            growth: Growth::new(database.clone(), options.schema),
            database,
            ids: SeriesIds::default(),
            parts: SeriesParts::default(),
            quota: SeriesQuota::new(options.new_series_a_minute),
            options,
            making_series: Semaphore::new(2),
            long_work: Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)),
        });
        Self { core, counters, queue, rooms, tasks: Arc::new(Mutex::new(tasks)) }
    }

    /// What became of lines so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// How the service works.
    #[must_use]
    pub fn options(&self) -> &IngestOptions {
        &self.core.options
    }

    /// The database that it writes to.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.core.database
    }

    /// Waits until everything that was taken is committed or answered, and ends the writers. Call it on the last clone.
    pub async fn shut_down(self) {
        let Self { queue, tasks, .. } = self;
        drop(queue);
        let mut tasks = tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }

    /// Waits until a request with a body of so many (inflated) bytes may come in. For protocols that can hold their client
    /// back by not reading on.
    ///
    /// # Errors
    /// [`IngestError::TooLarge`] if it never could.
    pub async fn reserve(&self, body_bytes: usize) -> Result<Room, IngestError> {
        self.rooms.reserve(body_bytes).await
    }

    /// Lets a request with a body of so many (inflated) bytes in, or tells it to come back. For protocols whose clients
    /// try again.
    ///
    /// # Errors
    /// [`IngestError::Overloaded`] if there is no room now, [`IngestError::TooLarge`] if there never could be.
    pub fn try_reserve(&self, body_bytes: usize) -> Result<Room, IngestError> {
        self.rooms.try_reserve(body_bytes)
    }

    /// Room for nothing yet, for protocols that do not know beforehand how much comes: [`Room::cover`] makes it larger.
    #[must_use]
    pub fn open_room(&self) -> Room {
        self.rooms.open()
    }

    /// Writes a request and returns once it is committed.
    ///
    /// Not to be cancelled lightly: a caller that may go away (an HTTP handler) spawns it. Cancelled, the request is
    /// either committed whole or not at all, and nobody is told which.
    ///
    /// # Errors
    /// See [`IngestError`]; then nothing was written, or nobody knows, and the same id makes a second attempt harmless.
    pub async fn write(&self, request: WriteRequest<'_>) -> Result<Written, IngestError> {
        let WriteRequest { protocol, room, namespace, mut lines, body, unreadable, identity, partial, interval_us } =
            request;
        let source = Source::Lines(&mut lines);
        self.write_counted(Work { protocol, room, namespace, source, body, unreadable, identity, partial, interval_us })
            .await
    }

    /// The same for line protocol as it was sent, which is read here.
    ///
    /// # Errors
    /// As of [`write`](Self::write).
    pub async fn write_body(&self, request: BodyRequest<'_>) -> Result<Written, IngestError> {
        let BodyRequest { protocol, room, namespace, body, precision, identity, partial, interval_us } = request;
        let (source, unreadable) = (Source::Body(precision), Vec::new());
        self.write_counted(Work { protocol, room, namespace, source, body, unreadable, identity, partial, interval_us })
            .await
    }

    async fn write_counted(&self, work: Work<'_, '_>) -> Result<Written, IngestError> {
        let protocol = work.protocol;
        let begun = Instant::now();
        self.counters.requested(protocol, work.body.len());
        let mut lines = 0;
        let result = self.write_uncounted(work, &mut lines).await;
        self.counters.answered(protocol, lines, &result);
        metrics::histogram!(metric::ACKNOWLEDGE, "protocol" => protocol.label()).record(begun.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!(metric::MEMORY).set(self.rooms.taken_bytes() as f64);
        result
    }

    /// `lines` is set once they are counted as received.
    async fn write_uncounted(&self, work: Work<'_, '_>, lines: &mut u64) -> Result<Written, IngestError> {
        let Work { protocol, mut room, namespace, mut source, body, unreadable, identity, partial, interval_us } = work;
        check_namespace(namespace).map_err(|error| IngestError::Namespace(error.to_string()))?;
        // A measurement can be remade between preparing and writing; twice in a row would be somebody's script.
        for _ in 0..3 {
            let begun = Instant::now();
            let prepared = match self.core.prepare(namespace, &mut source, body, interval_us, &mut room).await {
                Err(IngestError::Stale) => {
                    self.core.forget_all(namespace);
                    continue;
                }
                prepared => prepared?,
            };
            metrics::histogram!(metric::PREPARE).record(begun.elapsed());
            let Prepared { parts, mut refusals, rows, lines: read, all_timed } = prepared;
            for refused in &unreadable {
                refusals.push("syntax", || refused.clone());
            }
            if *lines == 0 {
                *lines = read + unreadable.len() as u64;
                self.counters.received(protocol, *lines);
                Counters::refused(protocol, &refusals);
            }
            let refused_total = refusals.count();
            let refused = refusals.into_named();
            if partial == PartialWrites::Refuse && !refused.is_empty() {
                return Err(IngestError::AllOrNothing(refused));
            }
            if rows == 0 {
                return Ok(Written { refused, refused_total, ..Written::default() });
            }
            let id = identity.id(all_timed);
            let measurements: Vec<String> = parts.iter().map(|part| part.measurement.name.clone()).collect();
            match self.enqueue(Entry { id, parts, rows, refused: refused.clone(), source: protocol, partial }).await {
                Ok(Outcome::Committed) => {
                    return Ok(Written { written: rows as u64, refused, refused_total, ..Written::default() });
                }
                Ok(Outcome::Partial { written, refused, dead_lettered }) => {
                    let refused_total = refused_total + dead_lettered;
                    return Ok(Written { written, refused, refused_total, dead_lettered, ..Written::default() });
                }
                Ok(Outcome::Refused(refused)) => return Err(IngestError::AllOrNothing(refused)),
                Ok(Outcome::Duplicate { body_hash, .. }) if body_hash != id.body_hash => {
                    return Err(IngestError::KeyMismatch);
                }
                Ok(Outcome::Duplicate { written, refused, dead_lettered, .. }) => {
                    let refused_total = refused.len() as u64;
                    let ack = Ack::Committed;
                    return Ok(Written { ack, written, refused, refused_total, dead_lettered, duplicate: true });
                }
                Err(IngestError::Stale) => {
                    for measurement in &measurements {
                        self.core.forget(namespace, measurement);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(IngestError::Stale)
    }

    async fn enqueue(&self, entry: Entry) -> Result<Outcome, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.queue.0.push(Job::new(entry, reply));
        answer.await.map_err(|_| IngestError::Unavailable(None))?
    }
}

/// A request, whatever its lines come from.
#[derive(Debug)]
struct Work<'r, 'b> {
    protocol: Protocol,
    room: Room,
    namespace: &'r str,
    source: Source<'r, 'b>,
    body: &'r [u8],
    unreadable: Vec<Refused>,
    identity: Identity,
    partial: PartialWrites,
    interval_us: Option<i64>,
}
