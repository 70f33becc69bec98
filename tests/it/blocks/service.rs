//! The service with its blocks: what is made ready at a start, what a kill leaves, what a full disk does. Each answer over
//! REST is compared with that of questions that keep nothing.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chunkwise::query::Questions;
use rustix::process::{Signal, geteuid};
use serde_json::{Value, json};
use sqlx::Executor;
use tempfile::TempDir;

use super::without_blocks;
use crate::{
    faults::clients::block_until,
    read::fixture::{DAY_US, Fixture, HOUR_US, START_US, ask, text},
    support::{App, TestDatabase, command, run},
};

const SERIES: usize = 60;
const PATIENCE: Duration = Duration::from_secs(40);

/// A database with a day of rows, and questions about it that keep nothing.
struct Day {
    fixture: Fixture,
    plain: Questions,
    data: TempDir,
}

impl Day {
    async fn new(seed: u64) -> Self {
        let fixture = Fixture::random(seed, 6 * HOUR_US, SERIES, DAY_US, 6_000).await;
        let plain = without_blocks(&fixture.test.database);
        Self { fixture, plain, data: tempfile::tempdir().unwrap() }
    }

    fn test(&self) -> &TestDatabase {
        &self.fixture.test
    }

    fn arguments(&self) -> Vec<String> {
        let data = self.data.path().to_str().unwrap().to_owned();
        ["up", "--database-url", &self.test().url(), "--data-dir", &data].map(str::to_owned).to_vec()
    }

    fn command(&self) -> Command {
        let arguments = self.arguments();
        command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn start(&self) -> App {
        App::spawn(self.command().args(["--listen", "127.0.0.1:0"]))
    }

    fn blocks(&self) -> std::path::PathBuf {
        self.data.path().join("blocks")
    }

    async fn execute(&self, sql: &str) {
        self.test().connect().await.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Asks the service, and compares; gives the receipt.
    async fn compare(&self, app: &App, about: &str) -> Value {
        assert_fresh(app, &self.plain, about).await
    }
}

fn whole_day() -> Value {
    json!({
        "measurement": "ticks", "field": "price", "bucket": "1m", "transform": "diff", "target": {"symbol": "S0"},
        "min_overlap": 2, "ranges": [{"from": text(START_US), "to": text(START_US + 2 * DAY_US)}],
    })
}

/// What the service answers now is what rows say now.
async fn assert_fresh(app: &App, plain: &Questions, about: &str) -> Value {
    let answer = app.ask("/api/v1/correlate", &whole_day());
    assert_eq!(answer.status, 200, "{about}: {}", String::from_utf8_lossy(&answer.body));
    let answer = answer.json();
    let expected = plain.correlate(&ask(whole_day())).await.unwrap();
    let results = answer["ranges"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), expected.rows.series.len(), "{about}");
    for (at, (result, series)) in results.iter().zip(&expected.rows.series).enumerate() {
        assert_eq!(result["series_id"], series.series_id, "{about}");
        assert_eq!(result["n"], expected.n[(0, at)], "{about}: {result}");
        let (r, expected) = (result["r"].as_f64(), expected.r[(0, at)]);
        let agrees = r.map_or(expected.is_nan(), |r| (r - expected).abs() <= 1e-6);
        assert!(agrees, "{about}: {result}, not {expected}");
    }
    answer["receipt"].clone()
}

fn metric(app: &App, line: &str) -> Option<f64> {
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let line = metrics.lines().find_map(|found| found.strip_prefix(line))?;
    line.trim().parse().ok()
}

fn wait_for_recalled(app: &App, question: &str) {
    let line = format!("chunkwise_recalled_total{{question=\"{question}\",outcome=\"ready\"}}");
    block_until(&line, PATIENCE, || metric(app, &line) == Some(1.0));
}

fn no_rows_read(receipt: &Value) -> bool {
    receipt["rows_read"] == 0
}

#[tokio::test]
async fn what_was_asked_last_is_ready_after_a_start() {
    let day = Day::new(61).await;
    let app = day.start();
    assert!(!no_rows_read(&day.compare(&app, "cold").await));
    let latest = app.get("/api/v1/latest?measurement=ticks&field=price").json();
    assert_eq!(app.terminate(), 0);
    let asked = day.blocks().join("asked");
    assert!(asked.exists());

    // Found in files.
    let app = day.start();
    wait_for_recalled(&app, "correlate");
    wait_for_recalled(&app, "latest");
    assert!(no_rows_read(&day.compare(&app, "from files").await));
    assert_eq!(app.get("/api/v1/latest?measurement=ticks&field=price").json(), latest);
    assert_eq!(app.terminate(), 0);

    // Made from the database ahead, with what has changed meanwhile.
    for entry in std::fs::read_dir(day.blocks()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    day.execute("UPDATE public_store.ticks SET price = price + 1 WHERE series_id % 3 = 0").await;
    let app = day.start();
    wait_for_recalled(&app, "correlate");
    assert!(no_rows_read(&day.compare(&app, "from the database").await));
    assert_eq!(app.terminate(), 0);

    // A measurement that is gone, and a file that is none, are no reason not to start.
    run(&["measurement", "drop", "ticks", "--yes", "--database-url", &day.test().url()]);
    let app = day.start();
    app.wait_for("/ready", 200, PATIENCE);
    assert_eq!(app.terminate(), 0);
    std::fs::write(&asked, b"nonsense").unwrap();
    let app = day.start();
    app.wait_for("/ready", 200, PATIENCE);
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn whatever_changes_rows_is_in_the_next_answer_over_rest() {
    let day = Day::new(62).await;
    let app = day.start();
    day.compare(&app, "first").await;
    for minute in 0..6 {
        // A new minute, a late one, and a new series in both.
        let (now, late) = (START_US + DAY_US + minute * 60_000_000, START_US + (minute + 7) * 17 * 60_000_000);
        for us in [now, late] {
            let line = |series: i64| format!("ticks,symbol=T{series},exchange=new price={}.5 {us}\n", series + minute);
            let body: String = [0, 1, 2, 100 + minute].map(line).concat();
            let answer = app.post("/write?precision=us", body.as_bytes());
            assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
        }
        let receipt = day.compare(&app, "ingestion").await;
        let rows = receipt["rows_read"].as_u64().unwrap();
        assert!(rows < 500, "{rows} rows are more than those of what has changed");
    }
    let table = "public_store.ticks";
    let at = |hour: i64| text(START_US + hour * HOUR_US);
    let id = day.fixture.ids[1];
    day.execute(&format!("UPDATE {table} SET price = price * 2 WHERE time >= '{}' AND time < '{}'", at(1), at(3)))
        .await;
    day.compare(&app, "UPDATE").await;
    day.execute(&format!("DELETE FROM {table} WHERE series_id = {id} AND time >= '{}'", at(12))).await;
    day.compare(&app, "DELETE").await;
    let insert = format!(
        "INSERT INTO {table} (time, series_id, price) SELECT '{}'::timestamptz + n * interval '1 minute', {id}, n % 7
         FROM generate_series(0, 200) n",
        at(13)
    );
    day.execute(&insert).await;
    day.compare(&app, "INSERT").await;
    let mut connection = day.test().connect().await;
    let mut copy = connection.copy_in_raw(&format!("COPY {table} (time, series_id, price) FROM STDIN")).await.unwrap();
    copy.send(format!("{}\t{id}\t77.5\n{}\t{id}\t12\n", at(2), at(20)).into_bytes()).await.unwrap();
    copy.finish().await.unwrap();
    day.compare(&app, "COPY").await;
    day.execute(&format!("SELECT drop_chunks('{table}', older_than => '{}'::timestamptz)", at(6))).await;
    day.compare(&app, "drop_chunks").await;
    std::fs::remove_dir_all(day.blocks()).unwrap();
    day.compare(&app, "the folder is deleted").await;
    day.execute(&format!("TRUNCATE {table}")).await;
    day.compare(&app, "TRUNCATE").await;
    day.execute(&insert).await;
    day.compare(&app, "INSERT after TRUNCATE").await;
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn answers_stay_as_they_are_while_chunks_are_sealed() {
    let day = Day::new(63).await;
    let app = day.start();
    day.compare(&app, "hot").await;
    let url = day.test().url();
    let sealing = std::thread::spawn(move || run(&["chunks", "seal", "ticks", "--database-url", &url]));
    let mut asked = 0;
    while !sealing.is_finished() || asked < 3 {
        day.compare(&app, "while they are sealed").await;
        asked += 1;
    }
    let sealed = sealing.join().unwrap().successful();
    assert!(sealed.text().contains("sealed"), "{}", sealed.text());
    day.compare(&app, "sealed").await;
    day.execute("UPDATE public_store.ticks SET price = price + 3 WHERE series_id % 2 = 0").await;
    day.compare(&app, "an UPDATE of sealed chunks").await;
    let late = format!("ticks,symbol=T1,exchange=new price=5 {}\n", START_US + 5 * HOUR_US + 1);
    assert_eq!(app.post("/write?precision=us", late.as_bytes()).status, 204);
    day.compare(&app, "a late row into a sealed chunk").await;
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn a_kill_while_blocks_are_written_leaves_nothing_wrong() {
    let day = Day::new(64).await;
    for (round, after_ms) in [0, 2, 5, 9, 14, 20, 30, 60].into_iter().enumerate() {
        let mut app = day.start();
        day.compare(&app, "after a kill").await;
        let sql = format!(
            "UPDATE public_store.ticks SET price = price + {round} WHERE time >= '{}'",
            text(START_US + i64::try_from(round).unwrap() * 2 * HOUR_US)
        );
        day.execute(&sql).await;
        day.compare(&app, "before a kill").await;
        // Everything is written at the end.
        app.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(after_ms));
        app.signal(Signal::KILL);
        app.wait(PATIENCE);
        day.execute("DELETE FROM public_store.ticks WHERE price > 98").await;
    }
    let app = day.start();
    day.compare(&app, "at last").await;
    assert_eq!(app.terminate(), 0);
}

/// Starts the service behind a shell command that sets limits.
fn start_behind(day: &Day, limits: &str, privileged: bool) -> App {
    let service = day.command();
    let script = format!("{limits} && exec \"$@\"");
    let mut command = Command::new(if privileged { "unshare" } else { "sh" });
    if privileged {
        command.args(["--mount", "sh"]);
    }
    command.args(["-c", &script]).arg(day.blocks()).arg(service.get_program()).args(service.get_args());
    for (name, value) in service.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    App::spawn(command.args(["--listen", "127.0.0.1:0"]))
}

async fn assert_answers_without_disk(day: &Day, limits: &str, privileged: bool) {
    let app = start_behind(day, limits, privileged);
    assert!(!no_rows_read(&day.compare(&app, "cold").await));
    let failures = "chunkwise_blocks_write_failures_total";
    block_until(failures, PATIENCE, || metric(&app, failures).is_some_and(|failures| failures > 0.0));
    assert!(no_rows_read(&day.compare(&app, "from memory").await));
    day.execute("UPDATE public_store.ticks SET price = price + 1 WHERE series_id % 5 = 0").await;
    day.compare(&app, "from the database").await;
    assert_eq!(app.get("/health").status, 200);
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn with_a_full_disk_under_the_folder_answers_come_all_the_same() {
    let day = Day::new(65).await;
    std::fs::create_dir_all(day.blocks()).unwrap();
    // No file may be larger than a few kilobytes: the system refuses the rest of a block.
    assert_answers_without_disk(&day, "trap '' XFSZ && ulimit -f 8", false).await;
    if !geteuid().is_root() {
        println!("SKIPPED: only root can give the blocks a small disk; files with a limit were tested instead");
        return;
    }
    assert_answers_without_disk(&day, "mount -t tmpfs -o size=64k tmpfs \"$0\"", true).await;
    assert!(!holds_panels(&day.blocks()), "the small disk has gone with the service");
    // With room again, on the disk itself, they are written.
    let app = day.start();
    day.compare(&app, "with room").await;
    assert_eq!(app.terminate(), 0);
    assert!(holds_panels(&day.blocks()));
}

fn holds_panels(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| entry.unwrap().path().join("index").exists())
}

#[tokio::test]
async fn warm_makes_ahead_what_the_service_finds() {
    let day = Day::new(66).await;
    let mut arguments = day.arguments();
    arguments[0] = "warm".to_owned();
    arguments.extend(["ticks", "price", "--bucket", "1m", "--transform", "diff"].map(str::to_owned));
    let warmed = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).successful();
    assert!(warmed.text().contains("panels"), "{}", warmed.text());
    let app = day.start();
    let began = Instant::now();
    assert!(no_rows_read(&day.compare(&app, "the first question").await), "{:?}", began.elapsed());
    assert_eq!(app.terminate(), 0);
}
