//! `chunkwise load --follow`: a file grows, is replaced and cut short, the load is killed, and each row is there once.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Process, TestDatabase, command, run, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

struct Feed {
    database: TestDatabase,
    folder: TempDir,
    path: PathBuf,
}

impl Feed {
    async fn new(name: &str) -> Self {
        let (database, folder) = (TestDatabase::new().await, tempfile::tempdir().unwrap());
        let path = folder.path().join(name);
        Self { database, folder, path }
    }

    fn follow(&self) -> Process {
        let (url, path) = (self.database.url(), self.path.to_str().unwrap());
        let arguments = ["load", path, "--follow", "--measurement", "m", "--database-url", &url];
        let arguments =
            if path.ends_with(".lp") { [&arguments[..3], &arguments[5..]].concat() } else { arguments.into() };
        Process::spawn(command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    fn append(&self, text: &str) {
        append(&self.path, text);
    }

    /// Rows, as soon as the measurement is there.
    async fn rows(&self) -> i64 {
        let exists = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'm'";
        match self.database.scalar::<i64>(exists).await {
            0 => 0,
            _ => self.database.scalar::<i64>("SELECT count(*) FROM m").await,
        }
    }

    async fn has_rows(&self, rows: i64) {
        wait_until(&format!("{rows} rows"), async || self.rows().await == rows).await;
        let distinct = self.database.scalar::<i64>("SELECT count(DISTINCT v) FROM m").await;
        assert_eq!(distinct, rows, "a row is there twice");
    }
}

fn append(path: &Path, text: &str) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn csv(rows: std::ops::Range<u64>) -> String {
    rows.map(|row| format!("{},{row}\n", 1_600_000_000 + row)).collect()
}

/// Ends it as Ctrl-C does; what it said on standard output and on standard error.
fn stop(mut load: Process) -> (String, String) {
    load.signal(Signal::INT);
    let status = load.wait(LIMIT);
    let (mut summary, mut told) = (String::new(), String::new());
    load.stdout().read_to_string(&mut summary).unwrap();
    load.stderr().read_to_string(&mut told).unwrap();
    assert!(status.success(), "{status}: {told}");
    (summary, told)
}

#[tokio::test]
async fn appended_lines_come_whole_and_a_load_that_is_started_again_goes_on() {
    let feed = Feed::new("a.csv").await;
    feed.append(&format!("time,v\n{}", csv(0..10)));
    let load = feed.follow();
    feed.has_rows(10).await;
    feed.append("1600000010,1");
    feed.append("0\n1600000011,11\n16000");
    feed.has_rows(12).await;
    let (summary, _) = stop(load);
    assert!(summary.contains("12 rows written, 0 left out as bad, 0 were there already"), "{summary}");

    feed.append("00012,12\n");
    let load = feed.follow();
    feed.has_rows(13).await;
    let (summary, _) = stop(load);
    assert!(summary.contains("1 rows written, 0 left out as bad, 12 were there already"), "{summary}");
}

#[tokio::test]
async fn a_replaced_and_a_shortened_file_are_noticed() {
    let feed = Feed::new("a.csv").await;
    let load = feed.follow();
    feed.append(&format!("time,v\n{}", csv(0..5)));
    feed.has_rows(5).await;
    let old = feed.folder.path().join("a.csv.1");
    fs::rename(&feed.path, &old).unwrap();
    append(&old, &csv(5..7));
    feed.append(&format!("time,v\n{}", csv(7..9)));
    feed.has_rows(9).await;
    fs::write(&feed.path, format!("time,v\n{}", csv(9..10))).unwrap();
    feed.has_rows(10).await;
    feed.append(&csv(10..12));
    feed.has_rows(12).await;
    let (_, told) = stop(load);
    assert!(told.contains("it was replaced") && told.contains("it was cut short"), "{told}");
    // The file that was moved away can be loaded by itself: all of it is known.
    let url = feed.database.url();
    let arguments = ["load", old.to_str().unwrap(), "--format", "csv", "--measurement", "m", "--database-url", &url];
    let again = run(&arguments).successful();
    assert!(again.text().contains(": 0 rows written, 0 left out as bad, 7 were there already"), "{}", again.text());
}

#[tokio::test]
async fn a_load_that_is_killed_while_a_file_grows_loses_and_doubles_nothing() {
    const ROUNDS: u64 = 4;
    const EACH: u64 = 30_000;
    let feed = Feed::new("a.lp").await;
    let lines = |rows: std::ops::Range<u64>| rows.map(|row| format!("m v={row} {row}\n")).collect::<String>();
    for round in 0..ROUNDS {
        let mut load = feed.follow();
        let from = round * EACH;
        for piece in 0..10 {
            feed.append(&lines(from + piece * EACH / 10..from + (piece + 1) * EACH / 10));
        }
        let begun = i64::try_from(from).unwrap();
        wait_until("more rows", async || feed.rows().await > begun).await;
        load.kill();
    }
    let load = feed.follow();
    feed.has_rows(i64::try_from(ROUNDS * EACH).unwrap()).await;
    stop(load);
}

#[tokio::test]
async fn a_grown_file_without_following_writes_what_is_new_and_tells_of_changes() {
    let feed = Feed::new("a.csv").await;
    let (url, path) = (feed.database.url(), feed.path.to_str().unwrap().to_owned());
    let load = || run(&["load", &path, "--measurement", "m", "--database-url", &url]).successful();
    for (rows, written) in [(60_000u64, 60_000u64), (60_010, 10), (60_010, 0), (130_000, 69_990)] {
        fs::write(&path, format!("time,v\n{}", csv(0..rows))).unwrap();
        let loaded = load();
        let there = rows - written;
        let summary = format!("{written} rows written, 0 left out as bad, {there} were there already");
        assert!(loaded.text().contains(&summary), "{summary:?} is not in {}", loaded.text());
    }
    feed.has_rows(130_000).await;
    fs::write(&path, format!("time,v\n{}1600200000,200000\n", csv(0..129_999))).unwrap();
    let changed = load();
    assert!(changed.stderr.contains("differs from line"), "{}", changed.stderr);
}

#[tokio::test]
async fn what_comes_through_a_pipe_is_loaded_as_it_comes() {
    let feed = Feed::new("none").await;
    let url = feed.database.url();
    let arguments = ["load", "-", "--measurement", "m", "--database-url", &url];
    let mut load =
        Process::spawn(command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut pipe: ChildStdin = load.stdin();
    let mut say = |text: &str| {
        pipe.write_all(text.as_bytes()).unwrap();
        pipe.flush().unwrap();
    };
    say("time,v\n1600000000,0\n");
    feed.has_rows(1).await;
    say("1600000001,1\n16000");
    feed.has_rows(2).await;
    say("00002,2");
    drop(pipe);
    assert!(load.wait(LIMIT).success());
    feed.has_rows(3).await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("a.csv.gz");
    fs::write(&packed, [0x1f, 0x8b, 8, 0, b'\n', 0, 0, 0, 0, 0]).unwrap();
    let parquet = folder.path().join("a.parquet");
    fs::write(&parquet, b"PAR1\n").unwrap();
    for (paths, reason) in [
        (vec![packed.to_str().unwrap()], "is compressed"),
        (vec![parquet.to_str().unwrap()], "is a Parquet file"),
        (vec!["-"], "as it comes without --follow"),
        (vec!["a.csv", "b.csv"], "takes one file"),
    ] {
        let refused = run(&[&["load", "--follow"], &paths[..]].concat());
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{reason:?} is not in {}", refused.stderr);
    }
}
