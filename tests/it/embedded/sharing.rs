//! Several processes, one server.

use rustix::process::Signal;

use super::{LOOK, START, STOP, alone, folder::DataFolder};
use crate::{
    faults::clients::block_until,
    support::{App, TestDatabase, run_within},
};

#[tokio::test]
async fn the_server_goes_on_while_anybody_uses_it_and_ends_with_the_last() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let mut first = folder.up(&[]);
    let mut second = folder.up(&[]);
    let server = folder.server().unwrap();

    let refused = folder.db("stop");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("in use") && refused.stderr.contains("--force"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&first.pid().to_string()), "{}", refused.stderr);

    first.signal(Signal::INT);
    assert_eq!(first.wait(STOP), 0);
    assert_eq!(folder.server(), Some(server), "the second one still uses it");
    assert_eq!(second.post("/write?precision=s", b"w n=1i 1700000000").status, 204);
    second.signal(Signal::INT);
    assert_eq!(second.wait(STOP), 0);
    assert!(folder.db("status").text().starts_with("stopped"));

    // One that was started to go on does so, whoever leaves it.
    assert_eq!(folder.db("start").code, 0);
    let mut third = folder.up(&[]);
    third.signal(Signal::INT);
    assert_eq!(third.wait(STOP), 0);
    assert!(folder.server().is_some());
    assert_eq!(folder.db("stop").code, 0);
}

#[tokio::test]
async fn a_server_that_is_stopped_by_force_stays_so_until_it_is_started_on_purpose() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let app = folder.up(&[]);
    let stopped = folder.db_with("stop", &["--force"]);
    assert_eq!((stopped.code, stopped.text()), (0, "stopped\n"), "{}", stopped.stderr);
    // Its supervisor has looked when the service itself says that the database is away, twice at least.
    app.wait_for("/health", 503, LOOK);
    let looked = std::time::Instant::now();
    block_until("the supervisor's looks", LOOK, || {
        assert_eq!(folder.server(), None);
        looked.elapsed() > std::time::Duration::from_secs(2)
    });
    assert_eq!(folder.db("start").code, 0);
    app.wait_for("/health", 200, LOOK);
    assert_eq!(app.terminate(), 0);
    assert!(folder.server().is_some());
}

#[tokio::test]
async fn a_folder_that_was_used_with_another_server_takes_one_of_its_own() {
    let _turn = alone().await;
    let (folder, database) = (DataFolder::new(), TestDatabase::new().await);
    let below = format!("{}/below", folder.path());
    let app = App::start(&["up", "--data-dir", &below, "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", b"w n=1i 1700000000").status, 204);
    assert_eq!(app.terminate(), 0);
    // What it has left there must not be in the way of the server's account.
    let _ = run_within(&["db", "start", "--data-dir", &below], START).successful();
    let _ = run_within(&["db", "stop", "--data-dir", &below], LOOK).successful();
}
