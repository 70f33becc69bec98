//! A spool on the model's file system, and what it owes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    super::{Position, Recovery, Spool, SpoolError, SpoolOptions},
    frame, lines,
    model_fs::{Fault, Lie, ModelFs},
};

const FOLDER: &str = "/data/spool";
/// Three or so frames a segment.
pub(super) const OPTIONS: SpoolOptions = SpoolOptions { max_bytes: 1 << 20, reserve_bytes: 0, segment_bytes: 700 };

#[derive(Debug, Clone)]
pub(super) enum Action {
    Append(usize),
    Next,
    /// Over the first frames in hand.
    Advance(usize),
    Rewind,
    Restart,
    /// The power goes off at the n-th operation from now.
    PowerCut(u64),
    /// The n-th operation from now fails.
    Fails(u64),
}

/// What a broken promise is called.
pub(super) type Broken = String;

#[derive(Debug)]
pub(super) struct Harness {
    pub(super) fs: ModelFs,
    spool: Option<Spool<ModelFs>>,
    seed: u64,
    appended: u32,
    sizes: BTreeMap<u32, usize>,
    /// Acknowledged, and nobody has said that the database has them.
    owed: BTreeSet<u32>,
    /// Refused; they may turn up after a restart, but not before.
    refused: BTreeSet<u32>,
    refused_since_open: BTreeSet<u32>,
    /// The database has them, and the spool has said that it knows.
    done: BTreeSet<u32>,
    in_hand: Vec<(u32, Position)>,
    last_read: u32,
    pub(super) crashes: u32,
    pub(super) torn_bytes: u64,
}

impl Harness {
    pub(super) fn new(lie: Lie, seed: u64) -> Self {
        Self {
            fs: ModelFs::new(lie),
            spool: None,
            seed,
            appended: 0,
            sizes: BTreeMap::new(),
            owed: BTreeSet::new(),
            refused: BTreeSet::new(),
            refused_since_open: BTreeSet::new(),
            done: BTreeSet::new(),
            in_hand: Vec::new(),
            last_read: 0,
            crashes: 0,
            torn_bytes: 0,
        }
    }

    pub(super) fn act(&mut self, action: &Action) -> Result<(), Broken> {
        match *action {
            Action::Append(size) => self.append(size)?,
            Action::Next => drop(self.next()?),
            Action::Advance(frames) => self.advance(frames)?,
            Action::Rewind => {
                self.spool()?.rewind();
                self.forget_hand();
            }
            Action::Restart => self.close(),
            Action::PowerCut(n) => self.fs.arm(n, Fault::PowerCut),
            Action::Fails(n) => self.fs.arm(n, Fault::Fails(std::io::ErrorKind::StorageFull)),
        }
        if !self.fs.has_power() {
            self.crash();
        }
        Ok(())
    }

    fn append(&mut self, size: usize) -> Result<(), Broken> {
        self.spool()?;
        self.appended += 1;
        let number = self.appended;
        self.sizes.insert(number, size);
        match self.spool()?.append(&frame(number, &lines(number, size))) {
            Ok(()) => drop(self.owed.insert(number)),
            Err(_) => {
                self.refused.insert(number);
                self.refused_since_open.insert(number);
            }
        }
        Ok(())
    }

    /// Reads a frame and checks it; whether there was one.
    fn next(&mut self) -> Result<bool, Broken> {
        let spooled = match self.spool()?.next() {
            Ok(Some(spooled)) => spooled,
            // An error excuses everything but a wrong frame.
            Err(_) => return Ok(false),
            Ok(None) => {
                let in_hand: BTreeSet<_> = self.in_hand.iter().map(|(number, _)| *number).collect();
                let lost: Vec<_> = self.owed.difference(&in_hand).collect();
                return if lost.is_empty() { Ok(false) } else { Err(format!("lost {lost:?}")) };
            }
        };
        let found = spooled.frame();
        let number = u32::try_from(found.id.as_u128()).map_err(|_| "a frame that nobody wrote")?;
        let size = self.sizes.get(&number).ok_or("a frame that nobody wrote")?;
        if found != frame(number, &lines(number, *size)) {
            return Err(format!("frame {number} is not what was written"));
        }
        if number <= self.last_read {
            return Err(format!("frame {number} comes after {}", self.last_read));
        }
        if self.done.contains(&number) {
            return Err(format!("frame {number} comes again after its cursor was durable"));
        }
        if self.refused_since_open.contains(&number) {
            return Err(format!("frame {number} was refused, and is read all the same"));
        }
        self.last_read = number;
        self.in_hand.push((number, spooled.position()));
        Ok(true)
    }

    fn advance(&mut self, frames: usize) -> Result<(), Broken> {
        let frames = frames.min(self.in_hand.len());
        let Some((_, position)) = frames.checked_sub(1).map(|last| self.in_hand[last]) else { return Ok(()) };
        let is_known = self.spool()?.advance(position).is_ok();
        for (number, _) in &self.in_hand[..frames] {
            self.owed.remove(number);
            self.refused.remove(number);
            if is_known {
                self.done.insert(*number);
            }
        }
        if is_known {
            self.in_hand.drain(..frames);
        }
        Ok(())
    }

    fn forget_hand(&mut self) {
        self.in_hand.clear();
        self.last_read = 0;
    }

    pub(super) fn close(&mut self) {
        self.spool = None;
        self.forget_hand();
        self.refused_since_open.clear();
    }

    pub(super) fn crash(&mut self) {
        self.close();
        self.crashes += 1;
        self.fs.crash(self.seed.wrapping_add(u64::from(self.crashes)));
    }

    /// The open spool; opened again where it is closed, and the power given back where it is gone.
    pub(super) fn spool(&mut self) -> Result<&Spool<ModelFs>, Broken> {
        while self.spool.is_none() {
            match Spool::open(self.fs.clone(), Path::new(FOLDER), OPTIONS) {
                Ok((spool, recovery)) => {
                    self.spool = Some(spool);
                    self.check(&recovery)?;
                }
                Err(SpoolError::InUse(_)) => return Err("the lock was not given back".to_owned()),
                Err(_) if !self.fs.has_power() => self.crash(),
                Err(error) if self.fs.disarm() => return Err(format!("open failed by itself: {error}")),
                Err(_) => {}
            }
        }
        self.spool.as_ref().ok_or_else(|| "not open".to_owned())
    }

    /// Crashes and failures of the disk never look like damage to what was acknowledged.
    fn check(&mut self, recovery: &Recovery) -> Result<(), Broken> {
        self.torn_bytes += recovery.torn_bytes;
        if recovery.missing_segments > 0 {
            return Err(format!("{} segments are missing", recovery.missing_segments));
        }
        let ids = recovery.damaged.iter().filter_map(|damage| damage.id).map(|id| id.as_u128());
        let damaged: Vec<_> = ids.filter(|id| self.owed.iter().any(|number| u128::from(*number) == *id)).collect();
        if damaged.is_empty() { Ok(()) } else { Err(format!("damaged {damaged:?}")) }
    }

    /// Reads everything that is left, says that the database has it, and looks that nothing stays behind.
    pub(super) fn drain(&mut self) -> Result<(), Broken> {
        self.fs.disarm();
        while self.next()? {}
        let stats = self.spool()?.stats();
        if stats.frames != self.in_hand.len() as u64 {
            return Err(format!("{} in hand, but {stats:?}", self.in_hand.len()));
        }
        self.advance(usize::MAX)?;
        self.next()?;
        let stats = self.spool()?.stats();
        let is_empty = (stats.frames, stats.bytes, stats.disk_bytes, stats.segments) == (0, 0, 0, 0);
        if !is_empty || stats.oldest_us.is_some() || !self.owed.is_empty() {
            return Err(format!("not empty: {stats:?}, owed {:?}", self.owed));
        }
        Ok(())
    }
}
