//! The program is killed in the middle of sealing, and another finishes it: what is left is what an undisturbed run leaves.

use rustix::process::Signal;
use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;

use super::{
    EAGER, PATIENT, a_day_on_apache, app, assert_sealed_once, building_alone, chunks, count, end_state, holding, lines,
    wait_for_sealed, wait_for_waiting, write,
};
use crate::support::{App, TestDatabase, wait_until};

/// The program, killed while it waits in a statement that begins so because of what a session does to the chunk; and the
/// database, with that session gone.
async fn killed_at(statement: &str, held: impl Fn(&str) -> String) -> Option<(TestDatabase, String)> {
    let (test, _) = a_day_on_apache().await?;
    Some(killed_again(test, statement, held).await)
}

/// The same on either edition.
async fn killed_in(test: TestDatabase, statement: &str, held: impl Fn(&str) -> String) -> (TestDatabase, String) {
    write(&app(&test, &PATIENT), &lines(1));
    killed_again(test, statement, held).await
}

/// The same where there are rows already.
async fn killed_again(test: TestDatabase, statement: &str, held: impl Fn(&str) -> String) -> (TestDatabase, String) {
    let chunk = chunks(&test).await.remove(0);
    let mut watcher = test.connect().await;
    let holder = holding(&test, &held(&chunk)).await;
    let killed = app(&test, &EAGER);
    wait_for_waiting(&mut watcher, statement).await;
    kill(&test, killed, holder).await;
    (test, chunk)
}

/// Kills a program that waits for what the holder holds.
async fn kill(test: &TestDatabase, mut killed: App, holder: PgConnection) {
    killed.signal(Signal::KILL);
    killed.wait(std::time::Duration::from_secs(10));
    wait_until_gone(test).await;
    holder.close().await.unwrap();
    assert_eq!(count(test, "chunkwise.chunk_event").await, 0, "it was killed too late");
}

/// The server notices in the middle of a statement that its client has gone.
async fn wait_until_gone(test: &TestDatabase) {
    wait_until("the killed sessions are gone", async || {
        let sessions = "pg_stat_activity WHERE datname = current_database() AND application_name = 'chunkwise-owner'";
        count(test, sessions).await == 0
    })
    .await;
}

async fn assert_finished(test: &TestDatabase, chunk: &str) {
    let _app = app(test, &EAGER);
    wait_for_sealed(test, 1).await;
    assert_sealed_once(test, chunk).await;
    assert_eq!(count(test, "m").await, 24);
    assert_eq!(count(test, "chunkwise.chunk WHERE failures > 0").await, 0);
    assert_eq!(end_state(test).await, *undisturbed().await);
}

static UNDISTURBED: OnceCell<Vec<String>> = OnceCell::const_new();

/// What a run leaves in which nothing is killed.
async fn undisturbed() -> &'static Vec<String> {
    UNDISTURBED.get_or_init(async || super::undisturbed(&[&lines(1)], 1).await).await
}

#[tokio::test]
async fn before_the_index_is_begun() {
    let held = |chunk: &str| format!("LOCK TABLE {chunk} IN SHARE UPDATE EXCLUSIVE MODE");
    let Some((test, chunk)) = killed_at("CREATE INDEX CONCURRENTLY", held).await else { return };
    assert_finished(&test, &chunk).await;
}

#[tokio::test]
async fn while_the_index_is_built_which_leaves_an_invalid_one() {
    let held = |chunk: &str| format!("UPDATE {chunk} SET v = v WHERE v = 0");
    let Some((test, chunk)) = killed_at("CREATE INDEX CONCURRENTLY", held).await else { return };
    let invalid = format!("pg_index WHERE indrelid = '{chunk}'::regclass AND NOT indisvalid");
    assert_eq!(count(&test, &invalid).await, 1);
    assert_finished(&test, &chunk).await;
}

#[tokio::test]
async fn while_the_index_is_built_with_the_chunk_alone_which_leaves_nothing() {
    let Some((test, chunk)) = a_day_on_apache().await else { return };
    let (killed, holder) = building_alone(&test, &chunk).await;
    wait_for_waiting(&mut test.connect().await, "SET LOCAL lock_timeout").await;
    kill(&test, killed, holder).await;
    assert_eq!(
        count(&test, &format!("pg_index WHERE indrelid = '{chunk}'::regclass AND indkey::text = '2 1'")).await,
        0
    );
    assert_finished(&test, &chunk).await;
}

#[tokio::test]
async fn while_the_invalid_index_of_an_earlier_attempt_is_dropped() {
    let held = |chunk: &str| format!("UPDATE {chunk} SET v = v WHERE v = 0");
    let Some((test, _)) = killed_at("CREATE INDEX CONCURRENTLY", held).await else { return };
    let (test, chunk) = killed_again(test, "DROP INDEX CONCURRENTLY", held).await;
    assert_finished(&test, &chunk).await;
}

#[tokio::test]
async fn while_another_process_waits_which_takes_over() {
    let Some((test, chunk)) = a_day_on_apache().await else { return };
    let holder = holding(&test, &format!("UPDATE {chunk} SET v = v WHERE v = 0")).await;
    let mut killed = app(&test, &EAGER);
    wait_for_waiting(&mut test.connect().await, "CREATE INDEX CONCURRENTLY").await;
    let _other = app(&test, &EAGER);
    killed.signal(Signal::KILL);
    killed.wait(std::time::Duration::from_secs(10));
    holder.close().await.unwrap();
    assert_finished(&test, &chunk).await;
}

#[tokio::test]
async fn between_the_index_and_the_statistics() {
    // What VACUUM does last.
    let held = |_: &str| "LOCK TABLE pg_catalog.pg_statistic IN SHARE MODE".to_owned();
    let Some((test, chunk)) = killed_at("VACUUM", held).await else { return };
    let valid = format!("pg_index WHERE indrelid = '{chunk}'::regclass AND indkey::text = '2 1' AND indisvalid");
    assert_eq!(count(&test, &valid).await, 1);
    assert_finished(&test, &chunk).await;
}

#[tokio::test]
async fn while_the_chunk_moves_to_the_columnstore() {
    let test = TestDatabase::new().await;
    if test.scalar::<String>("SHOW timescaledb.license").await == "apache" {
        println!("SKIPPED: this server's TimescaleDB is the Apache edition, which has no columnstore");
        return;
    }
    let held = |chunk: &str| format!("LOCK TABLE {chunk} IN ROW EXCLUSIVE MODE");
    let (test, chunk) = killed_in(test, "CALL convert_to_columnstore", held).await;
    assert_finished(&test, &chunk).await;
}

#[tokio::test]
async fn while_it_is_noted() {
    let test = TestDatabase::new().await;
    let held = |_: &str| {
        "SELECT pg_advisory_lock(4711);
         CREATE FUNCTION public.wait_here() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END';
         CREATE TRIGGER wait_here BEFORE INSERT ON chunkwise.chunk_event
             FOR EACH ROW EXECUTE FUNCTION public.wait_here(); COMMIT"
            .to_owned()
    };
    let (test, chunk) = killed_in(test, "INSERT INTO chunkwise.chunk_event", held).await;
    assert_eq!(count(&test, "chunkwise.chunks WHERE state = 'sealed'").await, 0);
    assert_finished(&test, &chunk).await;
}
