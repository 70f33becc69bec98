//! The server crashes, the program crashes, both do.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sqlx::Executor;

use super::{
    STOP, alone,
    folder::{DataFolder, kill_9},
};
use crate::{
    faults::clients::{Batch, Log, Otherwise, block_until, clients, join},
    support::App,
};

/// Recovery from a crash in the middle of some writes.
const RECOVERY: Duration = Duration::from_secs(30);

#[tokio::test]
async fn blocks_are_right_after_a_crash_of_the_server() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let app = folder.up(&[]);
    let line = |series: u64, minute: u64| {
        format!("m,s=s{series} v={} {}\n", (series * 7 + minute * minute * 13) % 101, 1_704_067_200 + minute * 60)
    };
    let lines = |minutes: std::ops::Range<u64>| -> String {
        minutes.flat_map(|minute| (0..20).map(move |series| line(series, minute))).collect()
    };
    let question = serde_json::json!({
        "measurement": "m", "field": "v", "bucket": "1m", "target": {"s": "s0"}, "min_overlap": 2,
        "ranges": [{"from": "2024-01-01T00:00:00Z", "to": "2024-01-02T00:00:00Z"}],
    });
    let asked = |app: &App| app.ask("/api/v1/correlate", &question);
    let figures = |app: &App| asked(app).json()["ranges"].take();
    assert_eq!(app.post("/write?precision=s", lines(0..200).as_bytes()).status, 204);
    let before = figures(&app);
    // A change that is committed, one that is not, and then the crash, before a checkpoint has written anything.
    let mut analyst = folder.connect().await;
    analyst.execute("UPDATE public_store.m SET v = v * v WHERE series_id % 2 = 0").await.unwrap();
    analyst.execute("BEGIN; DELETE FROM public_store.m WHERE series_id % 3 = 0").await.unwrap();
    kill_9(folder.server().unwrap());
    block_until("answers after the crash", RECOVERY, || asked(&app).status == 200);
    let after = figures(&app);
    assert_ne!(after, before);
    let anew = |about: &str| {
        // Who has kept nothing.
        let fresh = tempfile::tempdir().unwrap();
        let url = folder.db("url").successful().text().trim().to_owned();
        let other = App::start(&["serve", "--database-url", &url, "--data-dir", fresh.path().to_str().unwrap()]);
        assert_eq!(figures(&app), figures(&other), "{about}");
        assert_eq!(other.terminate(), 0);
    };
    anew("after the crash");
    let written = || app.post("/write?precision=s", lines(150..260).as_bytes()).status == 204;
    block_until("writes after the crash", RECOVERY, written);
    anew("after more rows");
    let mut analyst = folder.connect().await;
    analyst
        .execute("INSERT INTO public_store.m (time, series_id, v) SELECT time, series_id, 5 FROM public_store.m WHERE v > 50")
        .await
        .unwrap();
    anew("after an INSERT");
    assert_eq!(app.terminate(), 0);
}

async fn assert_each_once(folder: &DataFolder, batches: &[Batch]) {
    let expected: u64 = batches.iter().map(|batch| batch.rows.end - batch.rows.start).sum();
    assert_eq!(folder.count("SELECT count(*) FROM w").await.unsigned_abs(), expected);
    assert_eq!(folder.count("SELECT count(DISTINCT n) FROM w").await.unsigned_abs(), expected);
}

#[tokio::test]
async fn whichever_of_the_two_is_killed_what_was_acknowledged_is_there() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let app = Arc::new(folder.up(&[]));
    let log = Arc::new(Log::default());

    // The server, while clients write: the program starts it again by itself.
    let writing = clients(3, &app, &log, Otherwise::Again);
    block_until("the first writes", RECOVERY, || log.acknowledged().len() >= 20);
    let first = folder.server().unwrap();
    kill_9(first);
    let killed = Instant::now();
    let before = log.acknowledged().len();
    block_until("writes after the crash", RECOVERY, || log.acknowledged().len() > before + 20);
    eprintln!("the server was killed; clients wrote again after {:?}", killed.elapsed());
    log.stop();
    join(writing);
    app.wait_for("/health", 200, RECOVERY);
    let second = folder.server().unwrap();
    assert_ne!(first, second);
    assert_each_once(&folder, &log.begun()).await;

    // The program: its server goes on, and the next one finds it.
    app.signal(Signal::KILL);
    drop(app);
    assert_eq!(folder.server(), Some(second));
    let app = folder.up(&[]);
    assert_eq!(folder.server(), Some(second));
    assert_each_once(&folder, &log.begun()).await;

    // Both at once.
    let last = Batch::new(1_000_000, 20);
    last.send_until_committed(&app);
    app.signal(Signal::KILL);
    kill_9(second);
    drop(app);
    let app = folder.up(&[]);
    let third = folder.server().unwrap();
    assert_ne!(second, third);
    let all = [log.begun(), vec![last.clone()]].concat();
    assert_each_once(&folder, &all).await;
    last.send_until_committed(&app);
    assert_each_once(&folder, &all).await;

    // It has started this one, so it takes it along.
    app.signal(Signal::TERM);
    let mut app = app;
    assert_eq!(app.wait(STOP), 0);
    assert!(folder.db("status").text().starts_with("stopped"));
}

#[tokio::test]
async fn a_signal_while_the_server_is_made_leaves_none_running() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    // While the cluster is made, and while it is only started.
    for _ in 0..2 {
        let mut starting = crate::support::Process::spawn(
            crate::support::command(&["up", "--listen", "127.0.0.1:0", "--data-dir", folder.path()])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null()),
        );
        let pid_file = std::path::Path::new(folder.path()).join("postgres/data/postmaster.pid");
        block_until("the server's process", super::START, || pid_file.exists());
        starting.signal(Signal::INT);
        assert_eq!(starting.wait(STOP).code(), Some(0));
        block_until("the server's end", STOP, || folder.db("status").text().starts_with("stopped"));
    }
    // Nothing is left that would keep the next one from starting.
    let app = folder.up(&[]);
    assert_eq!(app.get("/health").status, 200);
}
