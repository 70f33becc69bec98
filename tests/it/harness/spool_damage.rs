//! Somebody, or a bad disk, has damaged the spool of a stopped service.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chunkwise::spool::{Disk, Spool, SpoolOptions};

use super::{Harness, free_port};
use crate::{
    faults::clients::block_until,
    support::{App, Proxy, TestDatabase, command},
};

/// A damaged spool is opened, and the service listens, within this time.
const START: Duration = Duration::from_secs(10);
const LINES: u64 = 50;
const REQUESTS: usize = 24;
/// So that there are at least three segments.
const SEGMENT_BYTES: u64 = 30_000;

/// What is done to a spool of several segments, in whose order they are given; says which of its requests are lost, by
/// their numbers in the spool.
type Deed = fn(&Copied) -> BTreeSet<usize>;

const DEEDS: [(&str, Deed); 13] = [
    ("nothing", |_| BTreeSet::new()),
    ("one_byte_cut", |copied| copied.cut(1)),
    ("half_a_frame_cut", |copied| copied.cut(700)),
    ("a_frame_but_a_byte_cut", |copied| {
        let (start, end) = copied.frame(REQUESTS - 1);
        copied.cut(end - start - 1)
    }),
    ("a_bit_of_lines", |copied| copied.flip(3, 400)),
    ("a_bit_of_a_checksum", |copied| copied.flip(3, 12)),
    ("a_bit_of_an_id", |copied| copied.flip(REQUESTS - 2, 20)),
    ("a_length_of_zero", |copied| {
        copied.edit(4, |bytes, start| bytes[start + 8..start + 12].fill(0));
        BTreeSet::from([4])
    }),
    ("no_cursor", |copied| {
        // One that says that nothing is left would have cost everything.
        drop(fs::remove_file(copied.folder.join("cursor")));
        BTreeSet::new()
    }),
    ("a_middle_segment_deleted", |copied| {
        fs::remove_file(&copied.segments[1]).unwrap();
        copied.frames_of(1)
    }),
    ("two_segments_swapped", |copied| {
        let aside = copied.folder.join("aside");
        fs::rename(&copied.segments[0], &aside).unwrap();
        fs::rename(&copied.segments[1], &copied.segments[0]).unwrap();
        fs::rename(&aside, &copied.segments[1]).unwrap();
        copied.frames_of(0).union(&copied.frames_of(1)).copied().collect()
    }),
    ("an_empty_segment", |copied| {
        fs::write(&copied.segments[1], b"").unwrap();
        copied.frames_of(1)
    }),
    ("foreign_files", |copied| {
        fs::write(copied.folder.join("notes.txt"), b"not ours").unwrap();
        fs::write(copied.folder.join("00000000000000000099.seg"), vec![7; 5_000]).unwrap();
        BTreeSet::new()
    }),
];

/// A spool with the requests of one measurement, in several segments.
struct Copied {
    folder: PathBuf,
    segments: Vec<PathBuf>,
    /// Of each frame its segment, and where it begins and ends there.
    frames: Vec<(usize, usize, usize)>,
    ids: Vec<uuid::Uuid>,
}

impl Copied {
    /// Sorts a spool's requests by measurement into spools of their own.
    fn all(from: &Path, to: &Path) -> Vec<Self> {
        let options = SpoolOptions { reserve_bytes: 0, segment_bytes: SEGMENT_BYTES, ..SpoolOptions::default() };
        let (spool, recovery) = Spool::open(Disk, from, options).unwrap();
        assert!(recovery.damaged.is_empty() && recovery.frames >= (DEEDS.len() * REQUESTS) as u64, "{recovery:?}");
        let folder = |name: &str| to.join(name).join("spool");
        let spools: Vec<_> =
            DEEDS.iter().map(|(name, _)| Spool::open(Disk, &folder(name), options).unwrap().0).collect();
        while let Some(spooled) = spool.next().unwrap() {
            let frame = spooled.frame();
            let lines = frame.decode_lines().unwrap();
            if let Some(at) = DEEDS.iter().position(|(name, _)| lines[0].measurement == *name) {
                spools[at].append(&frame).unwrap();
            }
        }
        drop(spools);
        DEEDS.iter().map(|(name, _)| Self::look(folder(name))).collect()
    }

    fn look(folder: PathBuf) -> Self {
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|it| it == "seg")).collect();
        segments.sort();
        assert!(segments.len() >= 3, "{segments:?}");
        let (mut frames, mut ids) = (Vec::new(), Vec::new());
        for (at, segment) in segments.iter().enumerate() {
            let bytes = fs::read(segment).unwrap();
            // Two copies of a header; then before each frame eight bytes, its length and its checksum.
            let mut start = 64;
            while start < bytes.len() {
                let payload = u32::from_le_bytes(bytes[start + 8..start + 12].try_into().unwrap()) as usize;
                ids.push(uuid::Uuid::from_bytes(bytes[start + 16..start + 32].try_into().unwrap()));
                frames.push((at, start, start + 16 + payload));
                start += 16 + payload;
            }
        }
        assert_eq!(frames.len(), REQUESTS);
        Self { folder, segments, frames, ids }
    }

    fn frame(&self, number: usize) -> (usize, usize) {
        let (_, start, end) = self.frames[number];
        (start, end)
    }

    fn frames_of(&self, segment: usize) -> BTreeSet<usize> {
        (0..REQUESTS).filter(|number| self.frames[*number].0 == segment).collect()
    }

    fn edit(&self, number: usize, change: impl FnOnce(&mut Vec<u8>, usize)) {
        let (segment, start, _) = self.frames[number];
        let mut bytes = fs::read(&self.segments[segment]).unwrap();
        change(&mut bytes, start);
        fs::write(&self.segments[segment], bytes).unwrap();
    }

    fn cut(&self, bytes: usize) -> BTreeSet<usize> {
        self.edit(REQUESTS - 1, |all, _| all.truncate(all.len() - bytes));
        BTreeSet::from([REQUESTS - 1])
    }

    fn flip(&self, number: usize, at: usize) -> BTreeSet<usize> {
        self.edit(number, |bytes, start| bytes[start + at] ^= 0x10);
        BTreeSet::from([number])
    }
}

/// Starts a service on a damaged spool, and ends it when it has written what there is; gives what it said.
fn drain(name: &str, data: &Path, database: &str) -> String {
    let log = data.join("log");
    let listen = format!("127.0.0.1:{}", free_port());
    let arguments = ["up", "--database-url", database, "--data-dir", data.to_str().unwrap(), "--listen", &listen];
    let mut command = command(&arguments);
    command.env("CHUNKWISE_SPOOL__WHEN_AWAY", "spool").stderr(fs::File::create(&log).unwrap());
    let begun = Instant::now();
    let mut service = App::spawn(&mut command);
    assert!(begun.elapsed() < START, "{name}: listens after {:?}", begun.elapsed());
    block_until(name, START, || {
        let stats = service.get("/api/v1/stats").json();
        stats["spool"]["frames"] == 0 && stats["ingest"]["in_flight"] == 0
    });
    service.signal(rustix::process::Signal::TERM);
    assert_eq!(service.wait(START), 0);
    fs::read_to_string(log).unwrap()
}

#[tokio::test]
async fn f09_damage_costs_the_requests_that_it_hit_and_no_other() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let mut harness = Harness::spooling(&database, &proxy, "F09", &[]);
    assert_eq!(harness.probe(0).status, 204);
    proxy.cut();
    assert_eq!(harness.probe(1).header("chunkwise-ack"), Some("spooled"));
    let lines = (REQUESTS as u64 * LINES).to_string();
    let size = LINES.to_string();
    for (name, _) in DEEDS {
        harness.feed(&[["--measurement", name], ["--lines-per-request", &size], ["--lines", &lines]]);
    }
    harness.feeds.iter_mut().for_each(|feed| assert_eq!(feed.finish()["spooled_lines"], REQUESTS as u64 * LINES));
    harness.kill();

    let folder = harness.folder.path().join("damaged");
    let all = Copied::all(&harness.data().join("spool"), &folder);
    let url = database.url();
    // A few at a time: each is a whole service.
    let mut said = Vec::new();
    for deeds in DEEDS.iter().zip(&all).collect::<Vec<_>>().chunks(4) {
        std::thread::scope(|scope| {
            let drained: Vec<_> = deeds
                .iter()
                .map(|((name, deed), copied)| {
                    let (data, url) = (folder.join(name), &url);
                    scope.spawn(move || (deed(copied), drain(name, &data, url)))
                })
                .collect();
            said.extend(drained.into_iter().map(|drained| drained.join().unwrap()));
        });
    }
    let proof = [harness.proof[0].as_str(), &harness.proof[1]];
    let mut lost_of_all = 0;
    for ((((name, _), copied), (lost, log)), feed) in DEEDS.iter().zip(&all).zip(said).zip(harness.feeds.drain(..)) {
        let proven = feed.prove(&proof);
        let rows = lost.len() as u64 * LINES;
        eprintln!("F09, {name} | {proven}");
        assert_eq!((proven.lost, proven.faults()), (rows, rows), "{name}: {proven:?}\n{log}");
        let whole = ["nothing", "no_cursor"].contains(name);
        let warned =
            log.lines().any(|line| line.contains("spool") && (line.contains("WARN") || line.contains("ERROR")));
        assert_eq!(warned, !whole, "{name}: {log}");
        // A request whose bytes are there but damaged is named.
        let is_named = |number: &usize| log.contains(&copied.ids[*number].to_string());
        assert!(!name.contains("_bit_of_lines") || lost.iter().all(is_named), "{name}: {log}");
        let others: Vec<usize> = (0..REQUESTS).filter(|number| !lost.contains(number)).filter(is_named).collect();
        assert!(others.is_empty(), "{name}: {others:?} are not lost: {log}");
        lost_of_all += rows;
    }
    assert!(lost_of_all >= 20 * LINES, "too little was damaged to prove anything");
}
