//! Files into the database: read on one thread, parts written side by side, each committed under a key of its own.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use chunkwise::{
    ingest::{
        Identity, Ingest, IngestError, IngestOptions, PartialWrites, Protocol, Refused, RequestId, WriteRequest,
        Written,
    },
    life::LifeOptions,
    load::{Counted, Ending, Extent, History, LoadError, Part, PartKey, PartPlace, Plan, StopSign, Tally},
    protocol::Line,
};
use indicatif::ProgressBar;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use uuid::Uuid;

use crate::{database::Place, passing::Passing, progress};

/// Parts that are read ahead of the ones that are written.
const READ_AHEAD: usize = 2;
/// Parts that are written at once: one a core gains, more only wait for each other.
const WRITTEN_AT_ONCE: usize = 3;
/// A database that is away is asked so often whether it is back.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// So long the ledger is asked again by a load that follows nothing: a broken connection is no reason to end it.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: &str = "start the same load again: what is committed is not written twice";
/// So many refused lines are told; all are counted.
const SHOWN: usize = 100;

/// What a load did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) written_rows: u64,
    /// Rows that an earlier load had written.
    pub(crate) duplicate_rows: u64,
    /// What became of the file's records.
    pub(crate) tally: Tally,
    /// Lines that the measurement could not take, or that are no line protocol: how many, and the first ones.
    pub(crate) unfit: u64,
    pub(crate) unfit_shown: Vec<String>,
}

/// Loads files into one database.
#[derive(Debug)]
pub(crate) struct Loader {
    ingest: Ingest,
    namespace: Arc<str>,
    /// What is sealed behind the load; a file that is followed has no end, and leaves its chunks to the job.
    passing: Option<Passing>,
}

/// A part on its way.
struct Writing {
    place: PartPlace,
    task: JoinHandle<Result<Committed, IngestError>>,
}

/// A part that is committed, by this load or an earlier one.
struct Committed {
    written: Written,
    rows: Passed,
}

/// What the sealing behind a load has to know of a part.
#[derive(Default)]
struct Passed {
    times_us: Vec<i64>,
    measurements: BTreeSet<String>,
}

impl Passed {
    fn note(&mut self, line: &Line<'_>) {
        self.times_us.extend(line.time_us);
        if !self.measurements.contains(&*line.measurement) {
            self.measurements.insert(line.measurement.clone().into_owned());
        }
    }

    fn of(part: &Part) -> Self {
        let mut passed = Self::default();
        part.lines().flatten().for_each(|line| passed.note(&line));
        passed
    }
}

/// What the reading thread tells.
enum Read {
    /// A part, and the answer of the load that wrote it, if one did.
    Part(Box<Part>, Option<Written>),
    /// The file that was followed has ended, and the one that has its name now is begun.
    Turned(Ending),
}

impl Loader {
    /// Loads into a namespace of a database whose schema is up to date.
    pub(crate) fn start(place: &Place, namespace: &str, options: IngestOptions) -> Self {
        let ingest = Ingest::start(place.database.clone(), options);
        Self { ingest, namespace: namespace.into(), passing: None }
    }

    /// Seals each chunk as soon as the load has passed it.
    pub(crate) fn sealing(mut self, place: &Place, options: LifeOptions) -> Self {
        self.passing = Some(Passing::start(place.database.clone(), Arc::clone(&self.namespace), options));
        self
    }

    /// Ends the writers, then seals what is left.
    pub(crate) async fn finish(self) {
        self.ingest.shut_down().await;
        if let Some(passing) = self.passing {
            passing.finish().await;
        }
    }

    /// Loads one file; with a stop sign also what is appended to it, until the sign is raised.
    pub(crate) async fn load(&self, plan: &Arc<Plan>, stop: Option<&StopSign>) -> anyhow::Result<Loaded> {
        let is_endless = stop.is_some() || plan.file_bytes == 0;
        let bar = if is_endless { progress::endless_bar() } else { progress::rows_bar(plan.file_bytes) };
        let mut parts = self.read_ahead(Arc::clone(plan), stop.cloned());
        let mut loaded = Loaded::default();
        let mut writing: VecDeque<Writing> = VecDeque::new();
        while let Some(read) = parts.recv().await {
            let (part, before) = match read.map_err(with_advice)? {
                Read::Part(part, before) => (*part, before),
                Read::Turned(ending) => {
                    bar.suspend(|| eprintln!("{}: {}", plan.path.display(), turned(ending)));
                    continue;
                }
            };
            if part.place.history == History::Differs {
                bar.suspend(|| tell_difference(plan, &part.place));
            }
            loaded.tally.absorb(&part.tally);
            // The first part makes the measurement and its columns; the others find them. Behind a short part nothing may be
            // committed before it.
            let is_awaited = part.place.ordinal == 0 || part.place.is_short;
            let limit = if is_awaited { 0 } else { WRITTEN_AT_ONCE - 1 };
            writing.push_back(match before {
                Some(written) => {
                    let rows = if self.passing.is_some() { Passed::of(&part) } else { Passed::default() };
                    let committed = Committed { written, rows };
                    Writing { place: part.place, task: tokio::spawn(async { Ok(committed) }) }
                }
                None => self.write(part, plan.chunk_interval_us(), stop.cloned()),
            });
            while writing.len() > limit {
                self.settle(writing.pop_front(), &mut loaded, &bar).await?;
            }
            if stop.is_some() {
                bar.suspend(|| tell_left_out(plan, &mut loaded));
            }
        }
        while !writing.is_empty() {
            self.settle(writing.pop_front(), &mut loaded, &bar).await?;
        }
        if stop.is_some() {
            tell_left_out(plan, &mut loaded);
        }
        bar.finish_and_clear();
        Ok(loaded)
    }

    /// Commits a part, unless the ledger has its key. With a stop sign a database that is away is waited for.
    fn write(&self, part: Part, interval_us: Option<i64>, stop: Option<StopSign>) -> Writing {
        let place = part.place.clone();
        let (ingest, id) = (self.ingest.clone(), request_id(&self.ingest, &self.namespace, &place));
        let namespace = Arc::clone(&self.namespace);
        let is_followed = self.passing.is_some();
        let task = tokio::spawn(async move {
            let write = async || -> Result<Committed, IngestError> {
                let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
                for line in part.lines() {
                    match line {
                        Ok(line) => lines.push(line),
                        Err(error) => unreadable.push(Refused::unreadable(&error, &part.bytes)),
                    }
                }
                let mut rows = Passed::default();
                if is_followed {
                    lines.iter().for_each(|line| rows.note(line));
                }
                let request = WriteRequest {
                    protocol: Protocol::Load,
                    room: ingest.reserve(part.bytes.len()).await?,
                    namespace: &namespace,
                    lines,
                    body: &part.bytes,
                    unreadable,
                    identity: Identity::Entered(id),
                    partial: PartialWrites::Accept,
                    interval_us,
                };
                Ok(Committed { written: ingest.write(request).await?, rows })
            };
            loop {
                match write().await {
                    Err(error) if is_worth_waiting(&error, stop.as_ref()) => tokio::time::sleep(RETRY_EVERY).await,
                    result => return result,
                }
            }
        });
        Writing { place, task }
    }

    /// Waits for the oldest part and enters what became of it.
    async fn settle(&self, writing: Option<Writing>, loaded: &mut Loaded, bar: &ProgressBar) -> anyhow::Result<()> {
        let Some(Writing { place, task }) = writing else { return Ok(()) };
        let Committed { written, rows } = task.await?.map_err(|error| {
            let advice = match error {
                IngestError::KeyMismatch => {
                    "another load of the same file is under way: start this one again when it has ended"
                }
                _ => AGAIN,
            };
            anyhow::Error::from(error).context(advice)
        })?;
        if let Some(passing) = &self.passing {
            passing.part(rows.times_us, rows.measurements);
        }
        if written.duplicate {
            loaded.duplicate_rows += written.written;
        } else {
            loaded.written_rows += written.written;
        }
        for refused in written.refused {
            loaded.unfit += 1;
            if loaded.unfit_shown.len() < SHOWN {
                let line = place.first_line + u64::from(refused.line).saturating_sub(1);
                loaded.unfit_shown.push(match place.counted {
                    Counted::Lines => format!("line {line}, column {}: {}", refused.column, refused.reason),
                    Counted::Rows => format!("row {line}: {}", refused.reason),
                });
            }
        }
        bar.set_position(place.consumed_bytes);
        bar.set_message(progress::rate(loaded.written_rows, bar.elapsed()));
        Ok(())
    }

    /// Reads on a thread of its own; dropping the receiver ends it.
    fn read_ahead(&self, plan: Arc<Plan>, stop: Option<StopSign>) -> mpsc::Receiver<Result<Read, LoadError>> {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let (ingest, namespace) = (self.ingest.clone(), Arc::clone(&self.namespace));
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let send = |read| sender.blocking_send(read).is_ok();
            loop {
                let parts = match &stop {
                    Some(stop) => plan.follow(stop),
                    None => plan.parts(),
                };
                let mut parts = match parts {
                    Ok(parts) => parts,
                    Err(error) => {
                        send(Err(error));
                        return;
                    }
                };
                let mut before = None;
                let ask = |key: PartKey| {
                    let id = RequestId::from_key(&namespace, &key.0, Uuid::nil(), Duration::ZERO).id;
                    let found = runtime.block_on(recorded(&ingest, id, stop.as_ref()));
                    found.map_err(|error| LoadError::Ledger(Box::new(error)))
                };
                loop {
                    let raw = parts.next_part(&mut |key| {
                        let (extent, written) = ask(key)?.unzip();
                        before = written;
                        Ok(extent.map(|extent: Uuid| Extent(*extent.as_bytes())))
                    });
                    let read = match raw {
                        Ok(Some(raw)) => plan.read(raw).map(|part| {
                            let before = before.take().filter(|_| part.place.history == History::Written);
                            Read::Part(Box::new(part), before)
                        }),
                        Ok(None) => break,
                        Err(error) => Err(error),
                    };
                    let has_failed = read.is_err();
                    if !send(read) || has_failed {
                        return;
                    }
                }
                match parts.ending() {
                    Some(ending @ (Ending::Replaced | Ending::Truncated)) if send(Ok(Read::Turned(ending))) => {}
                    _ => return,
                }
            }
        });
        receiver
    }
}

fn request_id(ingest: &Ingest, namespace: &str, place: &PartPlace) -> RequestId {
    let extent = Uuid::from_bytes(place.extent.0);
    RequestId::from_key(namespace, &place.key.0, extent, ingest.options().key_keep)
}

/// What the ledger has. A database that is away is waited for: a while, with a stop sign for as long as it takes.
async fn recorded(ingest: &Ingest, id: Uuid, stop: Option<&StopSign>) -> Result<Option<(Uuid, Written)>, IngestError> {
    let begun = Instant::now();
    loop {
        match ingest.recorded(id).await {
            Err(error @ IngestError::Unavailable(_)) if begun.elapsed() < PATIENCE => {
                tracing::debug!(%error, "the ledger is asked again");
            }
            Err(error) if is_worth_waiting(&error, stop) => {}
            found => return found,
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

/// What to do where the file is not at fault.
fn with_advice(error: LoadError) -> anyhow::Error {
    let is_of_ledger = matches!(error, LoadError::Ledger(_));
    let error = anyhow::Error::from(error);
    if is_of_ledger { error.context(AGAIN) } else { error }
}

/// Who follows a file has time; a second attempt writes nothing twice.
fn is_worth_waiting(error: &IngestError, stop: Option<&StopSign>) -> bool {
    let waits = matches!(error, IngestError::Unavailable(_)) && stop.is_some_and(|stop| !stop.is_raised());
    if waits {
        tracing::warn!(%error, "it is tried again until the database is there");
    }
    waits
}

fn turned(ending: Ending) -> &'static str {
    match ending {
        Ending::Truncated => "it was cut short, and is read from its beginning",
        _ => "it was replaced, and the new file is read from its beginning",
    }
}

fn tell_difference(plan: &Plan, place: &PartPlace) {
    eprintln!(
        "note: {}: a file that begins like this one was loaded before, and differs from line {} on: what follows is loaded \
         as new",
        plan.path.display(),
        place.first_line
    );
}

/// Tells what was left out so far, at once: the end of a file that grows may be far.
fn tell_left_out(plan: &Plan, loaded: &mut Loaded) {
    let path = plan.path.display();
    loaded.tally.errors.drain(..).for_each(|error| eprintln!("left out: {path}, {error}"));
    loaded.unfit_shown.drain(..).for_each(|error| eprintln!("left out: {path}, {error}"));
}
