//! The service that routes, loads and feeds hand their requests to.

use std::{sync::Arc, time::Instant};

use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot},
    task::JoinSet,
};
use uuid::Uuid;

use super::{
    Counters, IngestError, IngestOptions, Protocol, Refused, SpoolWatch,
    answer::Written,
    attempt, housekeeping, isolate,
    lanes::{Lanes, QuickWriter, Sender},
    metric,
    prepare::Prepared,
    queue::Job,
    quota::SeriesQuota,
    replaying::Replaying,
    request::{BodyRequest, Identity, PartialWrites, WriteRequest},
    room::{Room, Rooms},
    scan::Source,
    spooling::{self, Spooling},
    transaction::{self, Entry, Outcome},
    writer::{Lane, Writer, keep_running},
};
use crate::{
    db::Database,
    hypertable::{Growth, check_namespace},
    series::{SeriesIds, SeriesParts},
    spool::Spool,
};

/// What preparing needs.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) database: Database,
    pub(super) growth: Growth,
    pub(super) ids: SeriesIds,
    pub(super) parts: SeriesParts,
    /// The same as the spool writes them.
    pub(super) spooled_parts: SeriesParts,
    pub(super) quota: SeriesQuota,
    pub(super) options: IngestOptions,
    /// Whoever makes series takes turns: a connection each would use up the server's.
    pub(super) making_series: Semaphore,
    /// Long passes over lines take turns: more than there are cores would only slow each other and hold more memory.
    pub(super) long_work: Semaphore,
}

impl Core {
    pub(super) fn forget(&self, namespace: &str, measurement: &str) {
        if let Some(known) = self.growth.catalog().get(namespace, measurement) {
            self.growth.catalog().forget(namespace, measurement);
            self.ids.forget(&known);
        }
    }

    /// Forgets a namespace's measurements; they are read again when they are needed.
    pub(super) fn forget_all(&self, namespace: &str) {
        for name in self.growth.catalog().names(namespace) {
            self.forget(namespace, &name);
        }
    }
}

/// The ingestion service. Cheap to clone. [`shut_down`](Self::shut_down) lets the writers finish what waits; without it
/// they end where they are when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Ingest {
    pub(super) core: Arc<Core>,
    pub(super) counters: Arc<Counters>,
    pub(super) queue: Arc<Sender>,
    pub(super) rooms: Rooms,
    pub(super) spooling: Option<Arc<Spooling>>,
    pub(super) tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Ingest {
    /// Starts the writers; must be called within a tokio runtime. The database need not be reachable yet.
    #[must_use]
    pub fn start(database: Database, options: IngestOptions) -> Self {
        Self::start_with(database, options, None)
    }

    /// The same with a spool: while the database is away, requests that take partial writes are put on disk and answered
    /// [`Ack::Spooled`](super::Ack::Spooled). `frames` is how many are in it already; they are written when the database is there.
    #[must_use]
    pub fn start_spooling(database: Database, options: IngestOptions, spool: Spool, frames: u64) -> Self {
        Self::start_with(database, options, Some(Arc::new(Spooling::new(spool, frames))))
    }

    fn start_with(database: Database, options: IngestOptions, spooling: Option<Arc<Spooling>>) -> Self {
        /// Enough for two locked measurements at once; of more, each waits for its turn.
        const SLOW_WRITERS: usize = 2;
        let counters = Arc::<Counters>::default();
        let patience = if spooling.is_some() { spooling::PATIENCE } else { attempt::PATIENCE };
        let lanes = Arc::new(Lanes::new());
        let quick = Arc::new(QuickWriter(Arc::clone(&lanes)));
        let mut tasks = JoinSet::new();
        let (poisoned, refused_whole) = mpsc::unbounded_channel();
        // One, so that the spool's requests are committed in their order.
        let spooled_writers = usize::from(spooling.is_some());
        let writers =
            [(Lane::Quick, options.writers.max(1)), (Lane::Slow, SLOW_WRITERS), (Lane::Spooled, spooled_writers)];
        for lane in writers.into_iter().flat_map(|(lane, count)| std::iter::repeat_n(lane, count)) {
            let writer = Writer {
                database: database.clone(),
                lanes: Arc::clone(&lanes),
                lane,
                isolate: poisoned.clone(),
                patience,
                recent: options.recent.clone(),
            };
            let (counters, alive) = (Arc::clone(&counters), (lane == Lane::Quick).then(|| Arc::clone(&quick)));
            tasks.spawn(async move {
                keep_running(counters, || writer.clone().run()).await;
                drop(alive);
            });
        }
        drop(poisoned);
        tasks.spawn(isolate::run(database.clone(), refused_whole));
        let queue = Arc::new(Sender(lanes));
        let rooms = Rooms::new(options.memory_bytes);
        let core = Arc::new(Core {
            growth: Growth::new(database.clone(), options.schema),
            database,
            ids: SeriesIds::default(),
            parts: SeriesParts::default(),
            spooled_parts: SeriesParts::default(),
            quota: SeriesQuota::new(options.new_series_a_minute),
            options,
            making_series: Semaphore::new(2),
            long_work: Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)),
        });
        tasks.spawn(housekeeping::run(Arc::clone(&core), Arc::downgrade(&queue), spooling.clone()));
        if let Some(spooling) = &spooling {
            let (core, counters, rooms) = (Arc::clone(&core), Arc::clone(&counters), rooms.clone());
            let replaying = Replaying { core, counters, queue: Arc::downgrade(&queue), rooms };
            tasks.spawn(spooling::show(Arc::clone(spooling), Arc::downgrade(&queue)));
            tasks.spawn(spooling::run(Arc::clone(spooling), replaying));
        }
        Self { core, counters, queue, rooms, spooling, tasks: Arc::new(Mutex::new(tasks)) }
    }

    /// What became of lines so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The spool, if there is one, to look at.
    #[must_use]
    pub fn spool(&self) -> Option<SpoolWatch> {
        self.spooling.clone().map(SpoolWatch)
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

    async fn write_counted(&self, mut work: Work<'_, '_>) -> Result<Written, IngestError> {
        let protocol = work.protocol;
        let begun = Instant::now();
        self.counters.requested(protocol, work.body.len());
        let mut seen = Seen::default();
        let result = self.write_or_spool(&mut work, &mut seen).await;
        self.counters.answered(protocol, seen.lines, &result);
        metrics::histogram!(metric::ACKNOWLEDGE, "protocol" => protocol.label()).record(begun.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!(metric::MEMORY).set(self.rooms.taken_bytes() as f64);
        result
    }

    async fn write_or_spool(&self, work: &mut Work<'_, '_>, seen: &mut Seen) -> Result<Written, IngestError> {
        check_namespace(work.namespace).map_err(|error| IngestError::Namespace(error.to_string()))?;
        let Some(spooling) = &self.spooling else { return self.write_once(work, seen).await };
        if !spooling.is_away() {
            match self.write_once(work, seen).await {
                Err(error) if spooling.notes_away(&error) => {}
                result => return result,
            }
        }
        if work.partial == PartialWrites::Refuse {
            // Only the database knows whether all of it can be written.
            return Err(IngestError::Unavailable(None));
        }
        spooling.take(&self.core, &self.counters, work, seen).await
    }

    /// Writes to the database and nowhere else. `seen.lines` is set once they are counted as received.
    pub(super) async fn write_once(&self, work: &mut Work<'_, '_>, seen: &mut Seen) -> Result<Written, IngestError> {
        let Work { protocol, room, namespace, source, body, unreadable, identity, partial, interval_us } = work;
        let (protocol, namespace, partial) = (*protocol, *namespace, *partial);
        // A measurement can be remade between preparing and writing; twice in a row would be somebody's script.
        for _ in 0..3 {
            let begun = Instant::now();
            let prepared = match self.core.prepare(namespace, source, body, *interval_us, room).await {
                Err(IngestError::Stale) => {
                    self.core.forget_all(namespace);
                    continue;
                }
                prepared => prepared?,
            };
            metrics::histogram!(metric::PREPARE).record(begun.elapsed());
            let Prepared { parts, mut refusals, rows, lines: read, all_timed } = prepared;
            for refused in unreadable.iter() {
                refusals.push("syntax", || refused.clone());
            }
            if seen.lines == 0 {
                seen.lines = read + unreadable.len() as u64;
                self.counters.received(protocol, seen.lines);
                Counters::refused(protocol, &refusals);
            }
            let refused_total = refusals.count();
            let refused = refusals.into_named();
            seen.unfit.clone_from(&refused);
            if partial == PartialWrites::Refuse && !refused.is_empty() {
                return Err(IngestError::AllOrNothing(refused));
            }
            if rows == 0 && !matches!(identity, Identity::Entered(_)) {
                return Ok(Written { refused, refused_total, ..Written::default() });
            }
            // Every further attempt, of whatever kind, is the same request.
            let id = identity.id(all_timed);
            if let Identity::IfTimed { .. } = identity {
                *identity = Identity::Fixed(id);
            }
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
                Ok(Outcome::Held { .. }) => return Err(IngestError::Unavailable(None)),
                Ok(Outcome::Duplicate { body_hash, .. }) if body_hash != id.body_hash => {
                    return Err(IngestError::KeyMismatch);
                }
                Ok(Outcome::Duplicate { written, refused, dead_lettered, .. }) => {
                    return Ok(Written::before(written, refused, dead_lettered));
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

    /// What the ledger has of a request: what was sent, and the answer that the same request would get again.
    ///
    /// # Errors
    /// [`IngestError::Unavailable`] if the database cannot be asked.
    pub async fn recorded(&self, id: Uuid) -> Result<Option<(Uuid, Written)>, IngestError> {
        let mut connection = self.core.database.owner().acquire().await.map_err(IngestError::database)?;
        let mut found = transaction::recorded(&mut connection, vec![id]).await.map_err(IngestError::database)?;
        match found.pop() {
            Some((_, Outcome::Duplicate { body_hash, written, refused, dead_lettered })) => {
                Ok(Some((body_hash, Written::before(written, refused, dead_lettered))))
            }
            _ => Ok(None),
        }
    }

    async fn enqueue(&self, entry: Entry) -> Result<Outcome, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.queue.0.push(Job::new(entry, reply));
        answer.await.map_err(|_| IngestError::Unavailable(None))?
    }
}

/// What is known of a request besides its result.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its lines, once they are counted as received.
    pub(super) lines: u64,
    /// Those that do not fit, before the database is asked.
    pub(super) unfit: Vec<Refused>,
}

/// A request, whatever its lines come from.
#[derive(Debug)]
pub(super) struct Work<'r, 'b> {
    pub(super) protocol: Protocol,
    pub(super) room: Room,
    pub(super) namespace: &'r str,
    pub(super) source: Source<'r, 'b>,
    pub(super) body: &'r [u8],
    pub(super) unreadable: Vec<Refused>,
    pub(super) identity: Identity,
    pub(super) partial: PartialWrites,
    pub(super) interval_us: Option<i64>,
}
