//! The life of chunks: from the first row to the drop, killed on the way, by several at once.

mod commands;
mod jobs;
mod kill;
mod partitions;
mod passing;
mod retention;
mod sealing;
mod settings;
mod story;

use sqlx::{Executor, PgConnection};

use crate::support::{App, TestDatabase, wait_until};

/// The first of three days of which each has a chunk, 2020-01-01, in seconds.
const DAY_S: i64 = 1_577_836_800;

/// Chunks are finished as soon as they may be.
const EAGER: [(&str, &str); 2] = [("CHUNKWISE_CHUNK__QUIET_PERIOD", "500ms"), ("CHUNKWISE_CHUNK__SEAL_AFTER", "1s")];
/// Chunks are finished by whoever asks for it.
const PATIENT: [(&str, &str); 1] = [("CHUNKWISE_CHUNK__QUIET_PERIOD", "1h")];

/// The program on the database, with a day a chunk.
fn app(database: &TestDatabase, life: &[(&str, &str)]) -> App {
    let mut variables = vec![("CHUNKWISE_MEASUREMENT__M__CHUNK_INTERVAL", "1d")];
    variables.extend(life);
    App::start_with(&["up", "--database-url", &database.url()], &variables)
}

/// A row an hour on each of the first `days` days.
fn lines(days: i64) -> Vec<u8> {
    let line = |hour: i64| format!("m,s=a v={hour} {}\n", DAY_S + 3_600 * hour);
    (0..24 * days).map(line).collect::<String>().into_bytes()
}

fn write(app: &App, body: &[u8]) {
    let answer = app.post("/write?precision=s", body);
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}

async fn count(database: &TestDatabase, what: &str) -> i64 {
    database.scalar(&format!("SELECT count(*) FROM {what}")).await
}

/// Waits until so many chunks are sealed.
async fn wait_for_sealed(database: &TestDatabase, chunks: i64) {
    wait_until(&format!("{chunks} chunks are sealed"), async || {
        count(database, "chunkwise.chunks WHERE state = 'sealed'").await == chunks
    })
    .await;
}

/// Waits until a session waits for a lock in a statement that begins so.
async fn wait_for_waiting(watcher: &mut PgConnection, statement: &str) {
    wait_until(&format!("{statement} waits"), async || {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                            AND wait_event_type = 'Lock' AND query LIKE $1 || '%')",
        )
        .bind(statement)
        .fetch_one(&mut *watcher)
        .await
        .unwrap()
    })
    .await;
}

/// What an undisturbed run leaves behind, of one chunk.
async fn assert_sealed_once(database: &TestDatabase, chunk: &str) {
    let events: Vec<String> =
        sqlx::query_scalar("SELECT event FROM chunkwise.chunk_event WHERE chunk = $1 ORDER BY id")
            .bind(chunk)
            .fetch_all(&mut database.connect().await)
            .await
            .unwrap();
    let is_compressed: bool =
        database.scalar(&format!("SELECT compressed FROM chunkwise.chunks WHERE chunk = '{chunk}'")).await;
    // Of the columnstore a transaction that was there before, and stays for seconds, makes another round necessary.
    let again = usize::from(is_compressed && events.len() == 2);
    assert_eq!(events, ["sealed", "resealed"][..=again], "{chunk}");
    let indexes = format!("pg_index WHERE indrelid = '{chunk}'::regclass");
    assert_eq!(count(database, &format!("{indexes} AND NOT indisvalid")).await, 0, "{chunk}");
    if !is_compressed {
        assert_eq!(count(database, &format!("{indexes} AND indkey::text = '2 1'")).await, 1, "{chunk}");
    }
}

/// What there is to see of chunks and rows, whatever names the chunks have.
async fn end_state(database: &TestDatabase) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', c.\"from\", c.state, c.compressed,
                (SELECT string_agg(am.amname || ' ' || i.indkey::text || ' ' || i.indisvalid, ', ' ORDER BY am.amname)
                 FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam
                 WHERE i.indrelid = c.chunk::regclass),
                -- What older transactions see is for them to end, so it is not asked for whether all rows are frozen.
                c.compressed OR pg_stat_get_vacuum_count(r.oid) > 0, k.failures, k.sealed_at IS NOT NULL,
                (SELECT string_agg(e.event, ',' ORDER BY e.id) FROM chunkwise.chunk_event e WHERE e.chunk = c.chunk),
                (SELECT count(*) || ' ' || md5(string_agg(d.time || ' ' || d.v, ',' ORDER BY d.time, d.v))
                 FROM m d WHERE d.time >= c.\"from\" AND d.time < c.\"to\"))
         FROM chunkwise.chunks c JOIN pg_class r ON r.oid = c.chunk::regclass
         LEFT JOIN chunkwise.chunk k ON k.chunk = c.chunk ORDER BY c.\"from\"",
    )
    .fetch_all(&mut database.connect().await)
    .await
    .unwrap()
}

/// [What is left](end_state) of so many chunks by one process that nobody disturbs, of rows that were all there before it began.
async fn undisturbed(bodies: &[&[u8]], sealed: i64) -> Vec<String> {
    let database = TestDatabase::new().await;
    let writing = app(&database, &PATIENT);
    for body in bodies {
        write(&writing, body);
    }
    drop(writing);
    let _sealing = app(&database, &EAGER);
    wait_for_sealed(&database, sealed).await;
    end_state(&database).await
}

async fn chunks(database: &TestDatabase) -> Vec<String> {
    sqlx::query_scalar("SELECT chunk FROM chunkwise.chunks ORDER BY \"from\"")
        .fetch_all(&mut database.connect().await)
        .await
        .unwrap()
}

/// A session in a transaction that has done this.
async fn holding(database: &TestDatabase, statement: &str) -> PgConnection {
    let mut connection = database.connect().await;
    connection.execute(format!("BEGIN; {statement}").as_str()).await.unwrap();
    connection
}

/// A database with a day's rows that nobody seals, and their chunk; on the Apache edition.
async fn a_day_on_apache() -> Option<(TestDatabase, String)> {
    let test = TestDatabase::new().await;
    if !is_apache(&test).await {
        return None;
    }
    write(&app(&test, &PATIENT), &lines(1));
    let chunk = chunks(&test).await.remove(0);
    Some((test, chunk))
}

/// The program, whose plain build of the chunk's index has the chunk locked; and the session that the build waits for, as long
/// as its deadline allows.
async fn building_alone(test: &TestDatabase, chunk: &str) -> (App, PgConnection) {
    let holder = holding(test, "LOCK TABLE pg_catalog.pg_index IN SHARE MODE").await;
    let app = app(test, &EAGER);
    let locked = format!("pg_locks WHERE relation = '{chunk}'::regclass AND mode = 'ShareLock' AND granted");
    wait_until("the chunk is locked by the build", async || count(test, &locked).await == 1).await;
    (app, holder)
}

/// Sealing on the other edition is one statement, with no steps to be killed between.
async fn is_apache(database: &TestDatabase) -> bool {
    let apache = database.scalar::<String>("SHOW timescaledb.license").await == "apache";
    if !apache {
        println!("SKIPPED: the steps are those of the Apache edition, and this server's is Community");
    }
    apache
}
