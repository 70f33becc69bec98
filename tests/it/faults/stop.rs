//! SIGTERM, whatever goes on.

use std::{
    net::TcpStream,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sqlx::Executor;

use super::{
    clients::{Batch, Log, Otherwise, assert_each_once, assert_present, block_until, clients, join},
    locks::{lock, wait_for_waiting_writers},
    raw,
};
use crate::support::{App, Process, Proxy, TestDatabase, command};

/// Ten seconds for requests under way, and a little for a busy machine.
const LIMIT: Duration = Duration::from_secs(12);

fn stops_listening(app: &App) {
    let address: std::net::SocketAddr = app.base.trim_start_matches("http://").parse().unwrap();
    block_until("no new connections", LIMIT, || TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err());
}

#[tokio::test]
async fn requests_under_way_are_answered_and_a_second_signal_changes_nothing() {
    let database = TestDatabase::new().await;
    let mut app = App::start(&["up", "--database-url", &database.url()]);
    Batch::new(0, 20).send_until_committed(&app);
    let (mut locker, mut watcher) = (database.connect().await, database.connect().await);
    lock(&mut locker).await;

    let batch = Batch::new(1, 20);
    let body = batch.body();
    let mut client = raw::connect(&app, LIMIT);
    raw::send(&mut client, &raw::post("/write?precision=us", body.len() as u64));
    raw::send(&mut client, &body);
    wait_for_waiting_writers(&mut watcher, 1).await;
    app.signal(Signal::TERM);
    stops_listening(&app);
    for signal in [Signal::TERM, Signal::INT] {
        app.signal(signal);
    }
    locker.execute("ROLLBACK").await.unwrap();
    assert_eq!(raw::read_status(&mut client), Some(204));
    assert_eq!(app.wait(LIMIT), 0);
    assert_each_once(&database, &[Batch::new(0, 20), batch]).await;
}

#[tokio::test]
async fn under_load_it_ends_in_order_and_keeps_what_it_acknowledged() {
    let database = TestDatabase::new().await;
    let app = Arc::new(App::start(&["up", "--database-url", &database.url()]));
    let log = Arc::new(Log::default());
    let writing = clients(8, &app, &log, Otherwise::End);
    block_until("the load", LIMIT, || log.acknowledged().len() > 40);
    app.signal(Signal::TERM);
    join(writing);
    let mut app = Arc::into_inner(app).unwrap();
    assert_eq!(app.wait(LIMIT), 0);
    assert_present(&database, &log.acknowledged()).await;

    let app = App::start(&["up", "--database-url", &database.url()]);
    log.begun().iter().for_each(|batch| batch.send_until_committed(&app));
    assert_each_once(&database, &log.begun()).await;
}

#[tokio::test]
async fn neither_a_client_that_never_ends_its_request_nor_a_silent_database_holds_it_up() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let mut app = App::start(&["up", "--database-url", proxy.url()]);
    Batch::new(0, 20).send_until_committed(&app);
    let mut endless = raw::connect(&app, LIMIT);
    raw::send(&mut endless, &raw::post("/write", 1_000));
    raw::send(&mut endless, b"m v=1 ");
    proxy.pause();
    let mut waiting = raw::connect(&app, LIMIT);
    let body = Batch::new(1, 20).body();
    raw::send(&mut waiting, &raw::post("/write?precision=us", body.len() as u64));
    raw::send(&mut waiting, &body);
    let begun = Instant::now();
    app.signal(Signal::TERM);
    let code = app.wait(Duration::from_secs(20));
    assert_eq!(code, 0, "after {:?}", begun.elapsed());
    assert_each_once(&database, &[Batch::new(0, 20)]).await;
}

#[tokio::test]
async fn a_signal_while_it_starts_ends_it_at_once() {
    let database = TestDatabase::new().await;
    for service in ["up", "ingest", "serve"] {
        let proxy = Proxy::before(&database.options());
        proxy.pause();
        let mut starting = Process::spawn(
            command(&[service, "--listen", "127.0.0.1:0", "--database-url", proxy.url()])
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        block_until("it connects to the database", LIMIT, || proxy.accepted() > 0);
        starting.signal(Signal::TERM);
        let status = starting.wait(Duration::from_secs(3));
        assert_eq!(status.code(), Some(0), "{service}: {status}");
    }
}
