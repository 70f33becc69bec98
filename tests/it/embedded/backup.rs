//! docs/operations.md, carried out: a logical backup and its restore, a physical one, a replica that answers questions.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use chunkwise::local::{Installation, LocalConfig};
use rustix::process::{Signal, geteuid};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use super::{LOOK, STOP, alone, folder::DataFolder};
use crate::support::{App, Process, run};

const PATIENCE: Duration = Duration::from_secs(60);
/// What a database must answer wherever it was brought.
const FIGURES: &str = "SELECT count(*)::text || ' ' || sum(v) || ' ' || count(DISTINCT s) || ' ' || max(time) FROM m";

/// Rows of two series on three days from 2024-01-01, then one more series with a row.
fn lines() -> String {
    (0..3 * 24 * 60)
        .flat_map(|minute| ["a", "b"].map(|s| format!("m,s={s} v={minute} {}\n", 1_704_067_200 + minute * 60)))
        .collect()
}

/// PostgreSQL's own programs, of the installation that the server is of.
struct Programs(Installation);

impl Programs {
    async fn of(folder: &DataFolder) -> Self {
        let usual = LocalConfig::default_for_this_user().unwrap();
        let config = LocalConfig { data_dir: folder.path().into(), ..usual };
        Self(Installation::find(&config).await.found.expect("the server was started from an installation"))
    }

    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let done = Command::new(self.0.program(name)).args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{name} {arguments:?}: {stderr}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn psql(&self, url: &str, statements: &[&str]) -> String {
        // The driver's own parameters are none of libpq's.
        let url = url.split('?').next().unwrap();
        let commands = statements.iter().flat_map(|statement| ["-c", *statement]);
        self.run("psql", &["-XAtq", "-v", "ON_ERROR_STOP=1", url].into_iter().chain(commands).collect::<Vec<_>>())
    }

    /// A server on a copied cluster, on a port of its own.
    fn serve(&self, cluster: &Path, settings: &[&str]) -> Copied {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let owner = fs::metadata(cluster).unwrap();
        let mut command = Command::new(self.0.program("postgres"));
        let (listen, sockets) = (format!("port={port}"), format!("unix_socket_directories={}", cluster.display()));
        let own = [listen.as_str(), &sockets, "log_directory=log"];
        let settings = own.into_iter().chain(settings.iter().copied()).flat_map(|setting| ["-c", setting]);
        command.arg("-D").arg(cluster).args(settings).current_dir(cluster);
        if geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        Copied { process: Process::spawn(&mut command), port }
    }
}

/// A running server on a copied cluster; ended with the test.
struct Copied {
    process: Process,
    port: u16,
}

impl Copied {
    async fn url(&self, original: &str) -> String {
        let options: PgConnectOptions = original.parse().unwrap();
        let options = options.port(self.port);
        eventually("the copied server answers", async || options.connect().await.is_ok()).await;
        options.to_url_lossy().to_string()
    }

    /// A fast shutdown, which leaves nothing to recover.
    fn stop(mut self) {
        self.process.signal(Signal::INT);
        self.process.wait(STOP);
    }
}

/// Jobs let a measurement grow before they make bars of it, and here two servers share the machine.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "after {PATIENCE:?} still not: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn figures(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(FIGURES).fetch_one(&mut connection).await.unwrap()
}

fn window(app: &App) -> Value {
    let question = json!({
        "measurement": "m", "field": "v", "bucket": "1h", "aggregate": "mean",
        "from": "2024-01-01T00:00:00Z", "to": "2024-01-04T00:00:00Z",
    });
    let answer = app.ask("/api/v1/window", &question);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// From blocks, where there are some.
fn correlations(app: &App) -> Value {
    let question = json!({
        "measurement": "m", "field": "v", "bucket": "1h", "target": {"s": "a"}, "min_overlap": 2,
        "ranges": [{"from": "2024-01-01T00:00:00Z", "to": "2024-01-04T00:00:00Z"}],
    });
    let answer = app.ask("/api/v1/correlate", &question);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["ranges"].take()
}

/// A program on a server of its own, with the rows and bars made of them.
async fn filled(folder: &DataFolder) -> (App, String) {
    let app = folder.up(&[]);
    assert_eq!(app.post("/write?precision=s", lines().as_bytes()).status, 204);
    let url = folder.db("url").successful().text().trim().to_owned();
    eventually("there are bars", async || {
        let there = "SELECT count(*) FROM pg_views WHERE viewname = 'm_bars_1h'";
        folder.count(there).await == 1 && folder.count("SELECT count(*) FROM public_store.m__bars_1h").await > 100
    })
    .await;
    (app, url)
}

#[tokio::test]
async fn a_dump_is_restored_into_another_database_and_writing_goes_on() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let (app, url) = filled(&folder).await;
    let programs = Programs::of(&folder).await;
    let dump = format!("{}/chunkwise.dump", folder.path());
    programs.run("pg_dump", &[&url, "-Fc", "-f", &dump]);

    let restored: PgConnectOptions = url.parse().unwrap();
    let restored = restored.database("restored").to_url_lossy();
    let restored = restored.as_str().split('?').next().unwrap().to_owned();
    programs.psql(&url, &["CREATE DATABASE restored TEMPLATE template0"]);
    let before = ["CREATE EXTENSION timescaledb SCHEMA public", "SELECT timescaledb_pre_restore()"];
    programs.psql(&restored, &before);
    programs.run("pg_restore", &["-d", &restored, "--no-owner", "--exit-on-error", &dump]);

    // Between the two calls rows would land in the wrong tables.
    let refused = run(&["ingest", "--listen", "127.0.0.1:0", "--database-url", &restored]);
    assert!(refused.code != 0 && refused.stderr.contains("timescaledb_post_restore"), "{}", refused.stderr);
    let doctor = run(&["db", "doctor", "--database-url", &restored]);
    assert!(doctor.code == 1 && doctor.text().contains("restoring"), "{}", doctor.text());

    programs.psql(&restored, &["SELECT timescaledb_post_restore()", "ANALYZE"]);
    assert_eq!(figures(&restored).await, figures(&url).await);
    let bars = "SELECT count(*) || ' ' || sum(v_mean * v_count) FROM m_bars_1h";
    assert_eq!(programs.psql(&restored, &[bars]), programs.psql(&url, &[bars]));
    // Blocks of the database that was dumped are none of this one.
    let elsewhere = format!("{}/elsewhere", folder.path());
    assert_eq!(correlations(&app)[0]["results"].as_array().unwrap().len(), 2);
    let blocks = Path::new(folder.path()).join("blocks");
    eventually("blocks are written", async || {
        fs::read_dir(&blocks).unwrap().flatten().any(|entry| entry.path().join("index").exists())
    })
    .await;
    fs::create_dir(&elsewhere).unwrap();
    let copied = Command::new("cp").args(["-r", &format!("{}/blocks", folder.path()), &elsewhere]).status().unwrap();
    assert!(copied.success());
    programs.psql(
        &restored,
        &["UPDATE public_store.m SET v = v * v WHERE series_id = (SELECT min(series_id) FROM public_store.m__series)"],
    );
    let squared = App::start(&["serve", "--database-url", &restored, "--data-dir", &elsewhere]);
    assert_ne!(correlations(&squared), correlations(&app), "those of the first one are not believed");
    assert_eq!(squared.terminate(), 0);
    programs.psql(&restored, &["UPDATE public_store.m SET v = sqrt(v) WHERE series_id = (SELECT min(series_id) FROM public_store.m__series)"]);
    let second = App::start(&["up", "--database-url", &restored, "--data-dir", &elsewhere]);
    assert_eq!(correlations(&second), correlations(&app));
    assert_eq!(window(&second)["values"], window(&app)["values"]);
    // To an old series, into an old chunk; to a new one, into a new chunk.
    let written =
        second.post("/write?precision=s", b"m,s=a v=7 1704067205\nm,s=c v=8 1714067200\nn,s=a v=1 1714067200");
    assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
    assert_eq!(programs.psql(&restored, &["SELECT count(*) FROM m WHERE v IN (7, 8)"]), "6\n");
    let ids = "SELECT count(*) || ' ' || count(DISTINCT series_id) FROM public_store.m__series";
    assert_eq!(programs.psql(&restored, &[ids]), "3 3\n", "no id is given twice");
    assert_eq!(programs.psql(&url, &["SELECT count(*) FROM m WHERE v IN (7, 8)"]), "4\n", "the first is untouched");
    // The bars follow what was written after the restore, whatever numbers transactions had before.
    eventually("the late row is in its bar", async || {
        programs.psql(&restored, &["SELECT v_count FROM m_bars_1h WHERE s = 'a' AND time = '2024-01-01 00:00+00'"])
            == "61\n"
    })
    .await;
    assert!(run(&["db", "doctor", "--database-url", &restored]).text().contains("have the rights"));
    assert_eq!(second.terminate(), 0);
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn a_physical_copy_starts_and_a_replica_answers_what_the_primary_does() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let (app, url) = filled(&folder).await;
    let programs = Programs::of(&folder).await;
    let copy = |name: &str, arguments: &[&str]| -> PathBuf {
        let cluster = Path::new(folder.path()).join(name);
        let target = cluster.to_str().unwrap();
        let usual = ["-d", &url, "-D", target, "-X", "stream", "-c", "fast"];
        programs.run("pg_basebackup", &usual.into_iter().chain(arguments.iter().copied()).collect::<Vec<_>>());
        programs.run("pg_verifybackup", &[target]);
        give_away(&cluster, &Path::new(folder.path()).join("postgres"));
        cluster
    };

    // A copy of its own.
    let twin = programs.serve(&copy("base", &[]), &[]);
    let twin_url = twin.url(&url).await;
    assert_eq!(figures(&twin_url).await, figures(&url).await);
    let copied = App::start(&["up", "--database-url", &twin_url]);
    assert_eq!(copied.post("/write?precision=s", b"m,s=c v=1 1714067200").status, 204);
    assert_eq!(copied.terminate(), 0);
    twin.stop();

    // A copy that follows.
    let replica = programs.serve(&copy("replica", &["-R", "-C", "-S", "replica_1"]), &["hot_standby_feedback=on"]);
    let replica_url = replica.url(&url).await;
    let reader = App::start(&["serve", "--read-database-url", &replica_url]);
    assert_eq!(window(&reader)["values"], window(&app)["values"]);
    let before = window(&reader)["as_of"].clone();
    assert_eq!(correlations(&reader), correlations(&app));
    assert_eq!(app.post("/write?precision=s", b"m,s=c v=1 1704067200\nm,s=a v=9999 1704067201").status, 204);
    eventually("the replica has what was written", async || window(&reader)["values"].as_array().unwrap().len() == 3)
        .await;
    assert_eq!(window(&reader)["values"], window(&app)["values"], "also what was cached before");
    assert_ne!(window(&reader)["as_of"], before);
    assert_eq!(correlations(&reader), correlations(&app), "also from blocks of before");
    // Each change by another client is in the replica's next answer once it has replayed it.
    for statement in [
        "UPDATE public_store.m SET v = v * v WHERE time < '2024-01-02' AND series_id = (SELECT min(series_id) FROM public_store.m__series)",
        "DELETE FROM public_store.m WHERE v > 2000 AND series_id = (SELECT min(series_id) FROM public_store.m__series)",
        "INSERT INTO public_store.m (time, series_id, v) SELECT '2024-01-03'::timestamptz + n * interval '7 minutes', (SELECT min(series_id) FROM public_store.m__series), n
         FROM generate_series(0, 50) n",
    ] {
        let old = correlations(&reader);
        programs.psql(&url, &[statement]);
        let new = correlations(&app);
        assert_ne!(new, old, "{statement}");
        eventually(statement, async || correlations(&reader) == new).await;
    }
    let latest = [&app, &reader].map(|app| app.get("/api/v1/latest?measurement=m&field=v").json()["latest"].take());
    assert_eq!(latest[0], latest[1]);
    let commands = run(&["series", "list", "m", "--read-database-url", &replica_url]).successful();
    assert!(commands.text().contains("3 of 3 series"), "{}", commands.text());
    // It takes nothing away and writes nothing.
    assert_eq!(reader.delete("/api/v1/measurements/m").status, 404);
    assert_eq!(reader.post("/write", b"m,s=a v=1").status, 404);
    // While the primary is away it answers.
    assert_eq!(app.terminate(), 0);
    assert_eq!(folder.db_with("stop", &["--force"]).code, 0);
    reader.wait_for("/health", 200, LOOK);
    assert_eq!(window(&reader)["values"].as_array().unwrap().len(), 3);
    assert_eq!(reader.terminate(), 0);
    replica.stop();
}

/// The account that servers run as is not that of whoever copies.
fn give_away(cluster: &Path, like: &Path) {
    if !geteuid().is_root() {
        return;
    }
    let owner = fs::metadata(like.join("data")).or_else(|_| fs::metadata(like)).unwrap();
    let owner = format!("{}:{}", owner.uid(), owner.gid());
    assert!(Command::new("chown").args(["-R", &owner]).arg(cluster).status().unwrap().success());
}
