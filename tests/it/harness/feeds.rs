//! A feed as a process, its journal, and what is proven by it.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    faults::clients::block_until,
    support::{Process, command, run},
};

/// A fault that is not got over for so long is a defect.
pub(super) const RECOVERY: Duration = Duration::from_secs(60);
/// A feed that hears nothing for longer is held up by what others do.
pub(super) const SILENCE: Duration = Duration::from_secs(3);
/// A feed settles what is in doubt for a minute at most.
const SETTLED: Duration = Duration::from_secs(90);

/// A feed that is under way, or has come to its end.
#[derive(Debug)]
pub(super) struct Feed {
    process: Process,
    journal: PathBuf,
    summary: PathBuf,
    /// How far the journal is counted: it grows without end.
    counted_bytes: u64,
    acknowledged: usize,
}

impl Feed {
    /// Begins one whose files' names begin with `name`.
    pub(super) fn begin(name: &Path, address: &str, flags: &[[&str; 2]]) -> Self {
        let [journal, summary] = ["journal", "json"].map(|extension| name.with_extension(extension));
        let files = ["--url", address, "--journal", journal.to_str().unwrap(), "--json", summary.to_str().unwrap()];
        let arguments: Vec<&str> = ["feed"].into_iter().chain(files).chain(flags.iter().flatten().copied()).collect();
        let process = Process::spawn(command(&arguments).stdout(Stdio::null()));
        Self { process, journal, summary, counted_bytes: 0, acknowledged: 0 }
    }

    /// Requests that the journal says were acknowledged.
    pub(super) fn acknowledged(&mut self) -> usize {
        let mut lines = String::new();
        // The journal is made by the feed, which may just have begun.
        if let Ok(mut journal) = File::open(&self.journal) {
            journal.seek(SeekFrom::Start(self.counted_bytes)).unwrap();
            journal.read_to_string(&mut lines).unwrap();
        }
        // What follows the last line break is still being written.
        lines.truncate(lines.rfind('\n').map_or(0, |end| end + 1));
        self.counted_bytes += lines.len() as u64;
        self.acknowledged += lines.lines().filter(|line| line.starts_with("A ")).count();
        self.acknowledged
    }

    /// The requests that the journal says were spooled, in the order in which each source sent them.
    pub(super) fn spooled(&self) -> Vec<Sent> {
        let journal = fs::read_to_string(&self.journal).unwrap();
        let mut sent = HashMap::new();
        let mut spooled = Vec::new();
        for line in journal.lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                ["S", id, source, from, to] => {
                    let [source, from, to] = [source, from, to].map(|number| number.parse().unwrap());
                    sent.insert(id, Sent { id: id.parse().unwrap(), source, positions: from..to });
                }
                ["A", id, "spooled"] => spooled.push(sent.remove(id).unwrap()),
                _ => {}
            }
        }
        spooled.sort_by_key(|sent| (sent.source, sent.positions.start));
        spooled
    }

    /// Asks it to settle what is under way and to end.
    pub(super) fn stop(&mut self) {
        // Its number may be another's once it has ended.
        if !self.process.has_ended() {
            self.process.signal(Signal::INT);
        }
    }

    /// Waits for its end; gives its summary. Nothing may be left in doubt.
    pub(super) fn finish(&mut self) -> Value {
        let status = self.process.wait(SETTLED);
        let summary: Value = serde_json::from_slice(&fs::read(&self.summary).unwrap()).unwrap();
        assert_eq!((status.code(), &summary["in_doubt_lines"]), (Some(0), &0.into()), "{summary:#}");
        summary
    }

    /// Waits for its end, and compares its journal with the database at `place`.
    pub(super) fn prove(mut self, place: &[&str]) -> Proven {
        let summary = self.finish();
        let verify = ["feed", "--verify", self.journal.to_str().unwrap(), "--json", "-"];
        let finished = run(&[&verify, place].concat());
        let proof: Value = serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
        if finished.code != 0 {
            eprintln!("{proof:#}\n{summary:#}");
        }
        let count = |of: &Value, name: &str| of[name].as_u64().unwrap_or_else(|| panic!("{name}: {of:#}"));
        let proven = Proven {
            acknowledged_rows: count(&proof, "acknowledged_rows"),
            lost: count(&proof, "lost"),
            twice: count(&proof, "twice"),
            wrong: count(&proof, "wrong"),
            phantom: count(&proof, "phantom"),
            other: ["torn", "ledger_without_rows", "root_rows"].map(|name| count(&proof, name)).iter().sum(),
            refused_lines: count(&summary, "refused_lines"),
            requests: count(&summary, "requests"),
            doubts: count(&summary, "doubts"),
            duplicates: count(&summary, "duplicates"),
            spooled_rows: count(&summary, "spooled_lines"),
        };
        assert_eq!(finished.code, i32::from(proven.faults() > 0));
        // Everything was settled, so that the journal knows of every row.
        assert_eq!(proven.acknowledged_rows, count(&summary, "committed_lines") + proven.spooled_rows);
        proven
    }
}

/// A request of a feed.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Its key.
    pub(super) id: Uuid,
    pub(super) source: u64,
    pub(super) positions: Range<u64>,
}

/// Waits until each has so many more acknowledgements than it had when this began.
pub(super) fn wait_for_more(feeds: &mut [Feed], more: usize) {
    let enough: Vec<usize> = feeds.iter_mut().map(|feed| feed.acknowledged() + more).collect();
    block_until("acknowledgements to every feed", RECOVERY, || {
        assert!(!feeds.iter_mut().any(|feed| feed.process.has_ended()), "a feed has ended");
        feeds.iter_mut().zip(&enough).all(|(feed, enough)| feed.acknowledged() >= *enough)
    });
}

/// The longest that a feed was without an acknowledgement while this went on.
pub(super) fn longest_silence(feeds: &mut [Feed], mut goes_on: impl FnMut() -> bool) -> Duration {
    let mut longest = Duration::ZERO;
    while goes_on() {
        let since = Instant::now();
        wait_for_more(feeds, 1);
        longest = longest.max(since.elapsed());
    }
    longest
}

/// What the journals and the database say together.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Proven {
    pub(super) acknowledged_rows: u64,
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) wrong: u64,
    pub(super) phantom: u64,
    /// Torn requests, ledger rows without rows, rows beside every chunk.
    pub(super) other: u64,
    pub(super) refused_lines: u64,
    pub(super) requests: u64,
    /// Attempts without a clear answer.
    pub(super) doubts: u64,
    /// Attempts that found the request done already.
    pub(super) duplicates: u64,
    /// Of the acknowledged rows, those that were only on the service's disk then.
    pub(super) spooled_rows: u64,
}

impl Proven {
    /// Broken promises of every kind.
    pub(super) fn faults(&self) -> u64 {
        self.lost + self.twice + self.wrong + self.phantom + self.other
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            acknowledged_rows: self.acknowledged_rows + other.acknowledged_rows,
            lost: self.lost + other.lost,
            twice: self.twice + other.twice,
            wrong: self.wrong + other.wrong,
            phantom: self.phantom + other.phantom,
            other: self.other + other.other,
            refused_lines: self.refused_lines + other.refused_lines,
            requests: self.requests + other.requests,
            doubts: self.doubts + other.doubts,
            duplicates: self.duplicates + other.duplicates,
            spooled_rows: self.spooled_rows + other.spooled_rows,
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "acknowledged {} (spooled {}) | lost {} | twice {} | wrong {} | phantom {} | other {} | doubts {} | duplicates {}",
            self.acknowledged_rows,
            self.spooled_rows,
            self.lost,
            self.twice,
            self.wrong,
            self.phantom,
            self.other,
            self.doubts,
            self.duplicates
        )
    }
}
