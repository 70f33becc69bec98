//! From the spool to the database beside live requests: for each measurement in order, and none waits for another one's.
//!
//! ```text
//! gather: the next requests, read and made to rows      (while the group before is committed)
//! commit: all of a group in one transaction, by a writer of their own
//! settle: done, or put off with all that come after it in its measurements
//! advance: over everything before the first that is not done      (while the group after is committed)
//! ```

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::Instant};

use super::{
    super::{Ingest, IngestError, Written, prepare::off_the_async_threads, replaying::Replaying},
    Spooling,
    backlog::Backlog,
    replay::{Later, Replay, commit, renew},
};
use crate::spool::{DecodedLines, Place, Position, SpoolError, SpooledFrame, count_lines};

/// A group is closed at so many lines: a transaction that is worth its COMMIT, and not a long one for live requests to
/// share the server with.
const GROUP_LINES: u64 = 25_000;
/// And at so many bytes of the spool.
const GROUP_BYTES: usize = 4 << 20;
/// And at so many requests.
const GROUP_REQUESTS: usize = 1_000;
/// Requests whose rows are made at once: one while the next is read, for live requests take turns at long work with them.
const AT_ONCE: usize = 2;
/// After a failure, and to see whether the service has ended.
const PAUSE: Duration = Duration::from_millis(500);

/// Why emptying the spool stops for now.
enum Halt {
    Spool(SpoolError),
    /// The database is away.
    Away,
    /// The service has ended.
    End,
}

/// Whether requests of the group before hold memory still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Done,
    UnderWay,
}

/// Whether a request may make a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    None,
    Possible,
}

/// Requests for one transaction.
#[derive(Default)]
struct Group {
    ready: Vec<Replay>,
    /// Those whose rows are being made, several at once.
    under_way: VecDeque<(Place, JoinHandle<Result<Replay, Later>>)>,
}

impl Group {
    fn is_full(&self) -> bool {
        self.under_way.len() >= AT_ONCE
    }
}

/// Empties the spool whenever the database is there, until the service has ended.
pub(in super::super) async fn run(spooling: Arc<Spooling>, replaying: Replaying) {
    let database = replaying.database().clone();
    let mut drain = Drain::new(&spooling, &replaying);
    loop {
        if !replaying.goes_on() {
            return;
        }
        // Asked again now and then, whatever happens.
        drop(tokio::time::timeout(PAUSE, spooling.news.notified()).await);
        tokio::select! {
            () = spooling.until_back(&database) => {}
            () = replaying.ended() => return,
        }
        match drain.work().await {
            Ok(()) | Err(Halt::Away) => {}
            Err(Halt::Spool(error)) => tracing::error!(error = %error, "the spool cannot be read; tried again"),
            Err(Halt::End) => return,
        }
    }
}

struct Drain<'s> {
    spooling: &'s Arc<Spooling>,
    replaying: &'s Replaying,
    backlog: Backlog,
    /// How far the spool was read, and how many requests that were.
    read_to: Option<Position>,
    read: u64,
    advanced_to: Option<Position>,
    /// An advance that is under way, and where to.
    advancing: Option<(Position, JoinHandle<Result<(), SpoolError>>)>,
}

impl<'s> Drain<'s> {
    fn new(spooling: &'s Arc<Spooling>, replaying: &'s Replaying) -> Self {
        let backlog = Backlog::default();
        Self { spooling, replaying, backlog, read_to: None, read: 0, advanced_to: None, advancing: None }
    }

    /// Commits what there is, until nothing is left or what is left has to wait.
    async fn work(&mut self) -> Result<(), Halt> {
        let committed = self.commit_groups().await;
        let advanced = self.advanced().await;
        committed.and(advanced)
    }

    async fn commit_groups(&mut self) -> Result<(), Halt> {
        let mut group = Vec::new();
        loop {
            let ingest = self.replaying.ingest().ok_or(Halt::End)?;
            if group.is_empty() {
                group = self.gather(&ingest, Before::Done).await?;
            }
            if group.is_empty() {
                // What was put aside without being written can be advanced over too.
                return self.advance().await;
            }
            let (settled, next) = tokio::join!(commit(&ingest, group), self.gather(&ingest, Before::UnderWay));
            let settled = self.settle(&ingest, settled);
            let advanced = self.advance().await;
            group = self.kept_in_order(next?, settled.and(advanced))?;
        }
    }

    /// The next requests, ready to be committed. Those that cannot be are put off.
    async fn gather(&mut self, ingest: &Ingest, before: Before) -> Result<Vec<Replay>, Halt> {
        let mut due: VecDeque<Place> = self.backlog.due(GROUP_REQUESTS, Instant::now()).into();
        let mut group = Group::default();
        let (mut requests, mut lines, mut bytes) = (0, 0, 0);
        let mut result = Ok(());
        while result.is_ok() && lines < GROUP_LINES && bytes < GROUP_BYTES && requests < GROUP_REQUESTS {
            let (frame, growth) = match self.next(&mut due, ingest) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => {
                    result = Err(Halt::Spool(error));
                    break;
                }
            };
            if growth == Growth::Possible || group.is_full() {
                // What a measurement becomes is decided by its requests in their order.
                result = self.collect(&mut group, growth).await;
            }
            let place = frame.place();
            if result.is_err() || self.backlog.must_wait(place) {
                self.backlog.put_off(place);
                continue;
            }
            // A request that was taken may take all there is, should the limit be lower by now.
            let frame_bytes = frame.frame().lines.len().min(ingest.options().memory_bytes);
            // Whoever waits for room while holding some could wait for itself.
            let room = match (before, requests) {
                (Before::Done, 0) => ingest.reserve(frame_bytes).await,
                _ => ingest.try_reserve(frame_bytes),
            };
            let Ok(room) = room else {
                self.backlog.put_off(place);
                break;
            };
            requests += 1;
            lines += count_lines(frame.frame().lines);
            bytes += frame_bytes;
            let ingest = ingest.clone();
            let work = tokio::spawn(async move { Replay::prepare(&ingest, frame, room).await });
            group.under_way.push_back((place, work));
            if growth == Growth::Possible {
                result = self.collect(&mut group, growth).await;
            }
        }
        due.into_iter().for_each(|place| self.backlog.put_off(place));
        let collected = self.collect(&mut group, Growth::Possible).await;
        let mut gathered = result.and(collected);
        if gathered.is_ok()
            && let Err(error) = renew(ingest.database(), &group.ready).await
        {
            self.spooling.notes_away(&IngestError::database(error));
            gathered = Err(Halt::Away);
        }
        if let Err(halt) = gathered {
            group.ready.iter().for_each(|replay| self.backlog.put_off(replay.place()));
            return Err(halt);
        }
        Ok(group.ready)
    }

    /// Takes requests that are ready: the first, or, where a measurement may grow, all that are under way.
    async fn collect(&mut self, group: &mut Group, growth: Growth) -> Result<(), Halt> {
        let mut result = Ok(());
        while let Some((place, work)) = group.under_way.pop_front() {
            // A defect costs nothing: the request is tried again.
            match work.await.unwrap_or(Err(Later::Blocked(IngestError::Unavailable(None)))) {
                Ok(replay) if !self.backlog.must_wait(place) => group.ready.push(replay),
                Ok(_) => {}
                Err(later) => {
                    if self.put_off(place, &later) {
                        result = Err(Halt::Away);
                    }
                }
            }
            if growth == Growth::None {
                break;
            }
        }
        result
    }

    /// The next request that may be tried: one that waited for its turn, else the next of the spool.
    fn next(
        &mut self,
        due: &mut VecDeque<Place>,
        ingest: &Ingest,
    ) -> Result<Option<(SpooledFrame, Growth)>, SpoolError> {
        while let Some(place) = due.pop_front() {
            let read = off_the_async_threads(|| self.spooling.spool.read_again(place));
            match read {
                // Mostly something was in its way.
                Ok(Some(frame)) => return Ok(Some((frame, Growth::Possible))),
                Ok(None) => {
                    tracing::error!("a request in the spool was damaged before it could be written");
                    self.backlog.done(place);
                }
                Err(error) => {
                    self.backlog.put_off(place);
                    return Err(error);
                }
            }
        }
        while self.backlog.has_room() {
            let Some(frame) = off_the_async_threads(|| self.spooling.spool.next())? else { break };
            let place = frame.place();
            let inherited = self.read < self.spooling.inherited;
            self.read += 1;
            self.read_to = Some(place.end());
            let request = frame.frame();
            let names = off_the_async_threads(|| DecodedLines::new(request.lines)?.measurements());
            let touched = names.map(|names| {
                let touched = self.backlog.touched(request.namespace, &names);
                let catalog = ingest.core.growth.catalog();
                let are_known = names.iter().all(|name| catalog.get(request.namespace, name).is_some());
                (touched, if are_known { Growth::None } else { Growth::Possible })
            });
            match touched {
                Ok((touched, growth)) => {
                    if self.backlog.enter(place, touched, inherited) {
                        return Ok(Some((frame, growth)));
                    }
                }
                Err(error) => self.spooling.set_aside(ingest.counters(), &frame, inherited, &error)?,
            }
        }
        Ok(None)
    }

    /// Notes what became of requests; whether the database is away.
    fn settle(&mut self, ingest: &Ingest, settled: Vec<(Replay, Result<Written, Later>)>) -> Result<(), Halt> {
        let mut result = Ok(());
        for (replay, written) in settled {
            match written {
                Ok(written) => {
                    let inherited = self.backlog.done(replay.place());
                    ingest.counters().replayed(replay.protocol, replay.lines(), inherited, &written);
                }
                Err(later) => {
                    if self.put_off(replay.place(), &later) {
                        result = Err(Halt::Away);
                    }
                }
            }
        }
        result
    }

    /// Lets a request wait; says whether that is because the database is away.
    fn put_off(&mut self, place: Place, later: &Later) -> bool {
        match later {
            Later::Away(error) => {
                self.spooling.notes_away(error);
                self.backlog.put_off(place);
                return true;
            }
            Later::Held(None) => self.backlog.put_off(place),
            Later::Held(Some(measurement)) => {
                let name = self.backlog.name(&measurement.namespace, &measurement.name);
                self.backlog.block(place, Some(name), Instant::now());
            }
            Later::Blocked(error) => {
                tracing::debug!(error = %error, "spooled requests of a measurement wait on");
                self.backlog.block(place, None, Instant::now());
            }
        }
        false
    }

    /// Of requests that were made ready meanwhile, those that none before them holds up.
    fn kept_in_order(&mut self, mut next: Vec<Replay>, settled: Result<(), Halt>) -> Result<Vec<Replay>, Halt> {
        if let Err(halt) = settled {
            next.iter().for_each(|replay| self.backlog.put_off(replay.place()));
            return Err(halt);
        }
        next.retain(|replay| !self.backlog.must_wait(replay.place()));
        Ok(next)
    }

    /// Begins to say how far the database has come: the disk's sync is not worth waiting for.
    async fn advance(&mut self) -> Result<(), Halt> {
        self.advanced().await?;
        let Some(read_to) = self.read_to else { return Ok(()) };
        let to = self.backlog.done_before(read_to);
        if self.advanced_to.is_none_or(|advanced_to| advanced_to < to) {
            let spooling = Arc::clone(self.spooling);
            self.advancing = Some((to, tokio::task::spawn_blocking(move || spooling.spool.advance(to))));
        }
        Ok(())
    }

    /// Waits until that is said.
    async fn advanced(&mut self) -> Result<(), Halt> {
        let Some((to, advancing)) = self.advancing.take() else { return Ok(()) };
        // A task that was not run, or has a defect, has said nothing: it is said again by the next.
        if let Ok(advanced) = advancing.await {
            advanced.map_err(Halt::Spool)?;
            self.advanced_to = Some(to);
        }
        Ok(())
    }
}
