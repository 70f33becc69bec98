//! The spool's disk is full, or its limit reached, while the database is away.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::geteuid;

use super::{Harness, feeds::RECOVERY, rounds};
use crate::{
    faults::clients::block_until,
    support::{App, Proxy, TestDatabase},
};

/// The disk that the spool gets, and what others have put on it.
const DISK_BYTES: u64 = 3 << 20;
const BALLAST_BYTES: usize = 2 << 20;

/// The spool's disk, as the service sees it: in a mount namespace of its own.
struct SmallDisk {
    seen_from_here: PathBuf,
}

impl SmallDisk {
    /// Starts the harness' service on it.
    fn under(harness: &mut Harness) -> Self {
        let folder = harness.data();
        fs::create_dir_all(&folder).unwrap();
        let service = harness.command();
        let mount = format!("mount -t tmpfs -o size={DISK_BYTES} tmpfs \"$0\" && exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &mount]).arg(&folder).arg(service.get_program()).args(service.get_args());
        for (name, value) in service.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        harness.service = Some(App::spawn(command.env("CHUNKWISE_SPOOL__RESERVE_BYTES", "0")));
        let root = Path::new("/proc").join(harness.service().pid().to_string()).join("root");
        Self { seen_from_here: root.join(folder.strip_prefix("/").unwrap()) }
    }

    fn fill(&self) {
        let mut ballast = fs::File::create(self.seen_from_here.join("ballast")).unwrap();
        ballast.write_all(&vec![1; BALLAST_BYTES]).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.seen_from_here.join("ballast")).unwrap();
    }
}

/// Waits until the spool is full, and looks at what clients hear then.
fn wait_until_full(harness: &Harness) {
    block_until("a full spool", RECOVERY, || harness.spool("refused_requests") >= 3);
    // A request that still fits may pass: one as large as the feeds' does not.
    let body: String = (0..2_000).map(|n| format!("large,host=h{n} v={n} {n}\n")).collect();
    let answer = harness.service().post("/write?precision=s", body.as_bytes());
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    // Questions have their own way to the database.
    let question = serde_json::json!({ "measurement": "trades", "field": "price", "bucket": "1h", "aggregate": "count",
                                       "from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z" });
    assert_eq!(harness.service().ask("/api/v1/window", &question).status, 200);
    for figure in ["chunkwise_spool_refused_requests_total{", "chunkwise_spool_database_away 1"] {
        let metrics = || String::from_utf8(harness.service().get("/metrics").body).unwrap();
        block_until(figure, Duration::from_secs(5), || metrics().contains(figure));
    }
}

#[tokio::test]
async fn f08_a_full_disk_refuses_before_anything_is_lost_and_takes_again_once_there_is_room() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    if !geteuid().is_root() {
        eprintln!("F08: only root can give the spool a small disk; the limit is tested instead");
        return limited(&database, &proxy);
    }
    let mut harness = Harness::spooling(&database, &proxy, "F08, disk", &[]);
    // The same again, on a disk of its own.
    harness.terminate(Duration::from_secs(12));
    let disk = SmallDisk::under(&mut harness);
    let mut harness = harness.under_load();
    for _ in 0..rounds(1) {
        disk.fill();
        proxy.cut();
        wait_until_full(&harness);
        let before = harness.spool("frames");
        disk.make_room();
        let room = Instant::now();
        harness.wait_for_spooled(before + 10);
        eprintln!("F08: taken again {:.1} s after there was room", room.elapsed().as_secs_f64());
        proxy.heal();
        harness.wait_for_drain(room);
        harness.recover(room);
    }
    assert_proven(&mut harness);
}

#[tokio::test]
async fn f08_a_full_spool_refuses_before_anything_is_lost_and_takes_again_once_it_is_drained() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    limited(&database, &proxy);
}

fn limited(database: &TestDatabase, proxy: &Proxy) {
    let mut harness =
        Harness::spooling(database, proxy, "F08, limit", &[("CHUNKWISE_SPOOL__MAX_BYTES", "1000000")]).under_load();
    for _ in 0..rounds(1) {
        proxy.cut();
        wait_until_full(&harness);
        let healed = Instant::now();
        proxy.heal();
        harness.wait_for_drain(healed);
        harness.recover(healed);
    }
    assert_proven(&mut harness);
}

fn assert_proven(harness: &mut Harness) {
    let proven = harness.prove();
    assert!(proven.spooled_rows >= 2_000 && proven.doubts >= 3, "the spool was not full: {proven:?}");
}
