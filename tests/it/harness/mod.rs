//! A real service under the load of real feeds with journals, a fault, and the proof of `chunkwise feed --verify`: every
//! acknowledged row is there once with its exact bits, and nothing else is. A fault that did not hit fails its test too.
//!
//! Each test runs a few rounds of its fault, in some seconds. `CHUNKWISE_TEST_ROUNDS=100` makes it that many rounds, for a
//! long run. With `--nocapture` each prints a line of figures:
//!
//! ```text
//! CHUNKWISE_TEST_ROUNDS=100 cargo test --test it harness:: -- --nocapture
//! F01 | acknowledged 123503 | lost 0 | twice 0 | wrong 0 | phantom 0 | other 0 | doubts 85 | duplicates 5 | recovered in ...
//! ```

mod conflicts;
mod database;
mod duplicates;
mod explosions;
mod feeds;
mod outages;
mod planted;
mod process;
mod slow;
mod spool_damage;
mod spool_full;
mod spooling;

use std::{
    net::TcpListener,
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use self::feeds::{Feed, Proven, RECOVERY, wait_for_more};
use crate::{
    embedded::folder::DataFolder,
    faults::clients::block_until,
    support::{App, TestDatabase, command},
};

/// More acknowledgements than a feed can have had under way when the fault struck: new requests are taken.
const UNDER_WAY: usize = 10;

/// How often a fault is repeated: `CHUNKWISE_TEST_ROUNDS`, else so often.
fn rounds(otherwise: u32) -> u32 {
    std::env::var("CHUNKWISE_TEST_ROUNDS")
        .map_or(otherwise, |rounds| rounds.parse().expect("CHUNKWISE_TEST_ROUNDS is a number"))
}

/// A service at an address of its own, and the feeds that are under way to it.
#[derive(Debug)]
struct Harness {
    feeds: Vec<Feed>,
    /// Always there but between a stop and a start.
    service: Option<App>,
    listen: String,
    /// The flag and its value that say where the database is.
    place: [String; 2],
    /// The same for the proof, which nothing disturbs.
    proof: [String; 2],
    /// Further flags of the service.
    flags: Vec<String>,
    /// The service's environment.
    variables: Vec<(&'static str, &'static str)>,
    folder: TempDir,
    fault: &'static str,
    recoveries: Vec<Duration>,
}

impl Harness {
    /// A service on a database of a test's.
    fn on(database: &TestDatabase, fault: &'static str) -> Self {
        Self::at(["--database-url".to_owned(), database.url()], fault, &[])
    }

    /// A service with a server of its own.
    fn embedded(folder: &DataFolder, fault: &'static str, variables: &[(&'static str, &'static str)]) -> Self {
        Self::at(["--data-dir".to_owned(), folder.path().to_owned()], fault, variables)
    }

    fn at(place: [String; 2], fault: &'static str, variables: &[(&'static str, &'static str)]) -> Self {
        let mut harness = Self::unstarted(place, fault, variables);
        harness.start();
        harness
    }

    fn unstarted(place: [String; 2], fault: &'static str, variables: &[(&'static str, &'static str)]) -> Self {
        Self {
            feeds: Vec::new(),
            service: None,
            listen: format!("127.0.0.1:{}", free_port()),
            proof: place.clone(),
            place,
            flags: Vec::new(),
            variables: variables.to_vec(),
            folder: TempDir::new().unwrap(),
            fault,
            recoveries: Vec::new(),
        }
    }

    /// With the usual load, which is served.
    fn under_load(self) -> Self {
        let mut harness = self.under_way();
        harness.wait_for_more(UNDER_WAY);
        harness
    }

    /// With the usual load, which has begun: three sources over HTTP, one over a WebSocket.
    fn under_way(mut self) -> Self {
        self.feed(&[
            ["--measurement", "trades"],
            ["--connections", "3"],
            ["--series", "300"],
            ["--lines-per-request", "200"],
            ["--rate", "12000"],
            ["--in-flight", "9"],
            ["--duration", "1h"],
        ]);
        self.feed(&[
            ["--protocol", "websocket"],
            ["--measurement", "readings"],
            ["--kind", "sensors"],
            ["--lines-per-request", "50"],
            ["--rate", "2000"],
            ["--in-flight", "3"],
            ["--duration", "1h"],
        ]);
        self
    }

    /// Begins a feed with these flags.
    fn feed(&mut self, flags: &[[&str; 2]]) {
        let name = format!("feed-{}", self.feeds.len());
        self.feeds.push(Feed::begin(&self.folder.path().join(name), &self.listen, flags));
    }

    fn service(&self) -> &App {
        self.service.as_ref().unwrap()
    }

    /// Starts the service where it was.
    fn start(&mut self) {
        self.service = Some(App::spawn(&mut self.command()));
    }

    /// The service.
    fn command(&self) -> Command {
        let own = ["up", &self.place[0], &self.place[1], "--listen", &self.listen];
        let arguments: Vec<&str> = own.into_iter().chain(self.flags.iter().map(String::as_str)).collect();
        let mut command = command(&arguments);
        command.envs(self.variables.iter().copied());
        command
    }

    /// What the service counts.
    fn stats(&self) -> Value {
        self.service().get("/api/v1/stats").json()
    }

    /// SIGKILL, and the end.
    fn kill(&mut self) {
        let mut service = self.service.take().unwrap();
        service.signal(Signal::KILL);
        assert_eq!(service.wait(Duration::from_secs(10)), -1);
    }

    /// SIGTERM, and its end in order within `limit`; gives how long that took.
    fn terminate(&mut self, limit: Duration) -> Duration {
        let mut service = self.service.take().unwrap();
        let begun = Instant::now();
        service.signal(Signal::TERM);
        assert_eq!(service.wait(limit), 0);
        begun.elapsed()
    }

    /// Waits until every feed has so many more acknowledgements than it had when this began.
    fn wait_for_more(&mut self, more: usize) {
        wait_for_more(&mut self.feeds, more);
    }

    /// Waits until every feed is served again, and notes how long that has been since the fault.
    fn recover(&mut self, since: Instant) {
        self.wait_for_more(UNDER_WAY);
        self.recoveries.push(since.elapsed());
    }

    /// Ends the feeds, which must settle everything, and compares their journals with the database. The figures are of
    /// all feeds together; every fault among them is 0, and the service's counters balance.
    #[track_caller]
    fn prove(&mut self) -> Proven {
        let proven = self.judge();
        assert_eq!((proven.faults(), proven.refused_lines), (0, 0), "{proven:?}");
        assert!(proven.acknowledged_rows >= 5_000, "too little to prove anything: {proven:?}");
        proven
    }

    /// The same, whatever the faults are.
    fn judge(&mut self) -> Proven {
        // All are told before one is waited for: the others would go on.
        self.feeds.iter_mut().for_each(Feed::stop);
        self.feeds.iter_mut().for_each(|feed| drop(feed.finish()));
        self.assert_balanced();
        let proof = [self.proof[0].as_str(), &self.proof[1]];
        let proven = self.feeds.drain(..).map(|feed| feed.prove(&proof)).fold(Proven::default(), Proven::and);
        let recovered: Vec<String> =
            self.recoveries.iter().map(|time| format!("{:.1} s", time.as_secs_f64())).collect();
        eprintln!("{} | {proven} | recovered in {}", self.fault, recovered.join(", "));
        proven
    }

    /// When nothing is on its way any more and the spool is empty: every line that the service received is accounted for.
    fn assert_balanced(&self) {
        block_until("a quiet service", RECOVERY, || {
            let stats = self.stats();
            stats["ingest"]["in_flight"] == 0 && stats["spool"]["frames"].as_u64().unwrap_or(0) == 0
        });
        let figures = &self.stats()["ingest"];
        let count = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name}: {figures}"));
        let ends = ["committed", "refused", "dead_lettered", "duplicate", "failed"].map(count);
        assert_eq!((count("received"), count("spooled")), (ends.iter().sum(), 0), "{figures}");
    }
}

/// A free port that the system gives to no outgoing connection, so that it is still free when the service comes back.
fn free_port() -> u16 {
    const FROM: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Several runs at once begin at different ports.
    let first = u16::try_from(std::process::id() * 64 % u32::from(COUNT)).unwrap();
    loop {
        let port = FROM + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
