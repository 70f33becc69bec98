//! The database is away for a while, and the feeds go on.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chunkwise::ingest::RequestId;
use rustix::process::Signal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Harness,
    feeds::{SILENCE, Sent},
    rounds,
};
use crate::{
    embedded::{
        alone,
        folder::{DataFolder, kill_9},
    },
    support::{Proxy, TestDatabase},
};

/// So much longer than one write's patience that most requests find the database known to be away.
const OUTAGE: Duration = Duration::from_secs(5);
/// Ten seconds for requests under way, and a little for a busy machine.
const STOP: Duration = Duration::from_secs(12);

/// Spooled requests of which a source's earlier one was committed after a later one.
async fn out_of_order(connection: &mut PgConnection, spooled: &[Sent]) -> Vec<Sent> {
    // The spool's writer begins a transaction when the one before is committed, so that their numbers tell the order.
    let ledger: HashMap<Uuid, i64> =
        sqlx::query_as::<_, (Uuid, i64)>("SELECT id, xmin::text::int8 FROM chunkwise.ledger")
            .fetch_all(connection)
            .await
            .unwrap()
            .into_iter()
            .collect();
    let committed = |sent: &Sent| {
        let id = RequestId::from_key("public", sent.id.to_string().as_bytes(), Uuid::nil(), Duration::ZERO).id;
        ledger[&id]
    };
    let pairs = spooled.windows(2).filter(|pair| pair[0].source == pair[1].source);
    pairs.filter(|pair| committed(&pair[0]) > committed(&pair[1])).map(|pair| pair[1].clone()).collect()
}

/// Times of writes of one row, in milliseconds: the median and the longest.
fn probe_while(harness: &Harness, mut goes_on: impl FnMut() -> bool) -> (u128, u128) {
    let mut times = Vec::new();
    while goes_on() || times.len() < 10 {
        let begun = Instant::now();
        let answer = harness.probe(0);
        assert_eq!((answer.status, answer.header("chunkwise-ack")), (204, Some("committed")));
        times.push(begun.elapsed().as_millis());
        std::thread::sleep(Duration::from_millis(10));
    }
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1])
}

#[tokio::test]
async fn f04_an_outage_is_made_up_for_in_order_while_the_load_goes_on() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let mut harness = Harness::spooling(&database, &proxy, "F04", &[]);
    // A request of a source at a time, so that there is an order to keep.
    const RATE: u32 = 12_000;
    harness.feed(&[
        ["--measurement", "trades"],
        ["--connections", "4"],
        ["--lines-per-request", "200"],
        ["--rate", "12000"],
        ["--in-flight", "4"],
        ["--duration", "1h"],
    ]);
    harness.wait_for_more(10);
    assert_eq!(harness.probe(0).status, 204);
    for _ in 0..rounds(1) {
        let (median, longest) = probe_while(&harness, || false);
        proxy.cut();
        let cut = Instant::now();
        harness.wait_for_spooled(1);
        std::thread::sleep(OUTAGE.saturating_sub(cut.elapsed()));
        let waiting = harness.spool("frames");
        let healed = Instant::now();
        proxy.heal();
        while harness.stats()["spool"]["database_away"] == true {
            assert!(healed.elapsed() < STOP);
        }
        let back = Instant::now();
        let (draining_median, draining_longest) = probe_while(&harness, || harness.spool("frames") > 0);
        let drain = back.elapsed();
        harness.wait_for_drain(healed);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = (waiting * 200) as f64 / drain.as_secs_f64();
        eprintln!(
            "F04: {waiting} requests drained at {rate:.0} rows/s, {:.1} times the live rate; a write took {median} ms \
             before (at most {longest}), {draining_median} ms meanwhile (at most {draining_longest})",
            rate / f64::from(RATE)
        );
        assert!(waiting >= 50, "only {waiting} requests were spooled");
        assert!(draining_longest < SILENCE.as_millis(), "{draining_longest} ms");
        harness.recover(healed);
    }
    harness.feeds.iter_mut().for_each(super::feeds::Feed::stop);
    harness.feeds.iter_mut().for_each(|feed| drop(feed.finish()));
    let spooled = harness.feeds[0].spooled();
    let late = out_of_order(&mut database.connect().await, &spooled).await;
    assert!(late.is_empty(), "{late:?}");
    let proven = harness.prove();
    assert!(proven.spooled_rows >= 10_000, "{proven:?}");
}

#[tokio::test]
async fn f03_acknowledgements_while_the_server_is_killed_are_of_the_spool() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    folder.db("start").successful();
    let url = folder.db("url").successful().text().trim().to_owned();
    let mut harness =
        Harness::unstarted(["--database-url".to_owned(), url], "F03, spooled", &[]).with_spool().under_load();
    // SIGQUIT is what `pg_ctl stop -m immediate` sends.
    for signal in [Signal::KILL, Signal::QUIT].into_iter().cycle().take(rounds(1) as usize) {
        let server = folder.server().unwrap();
        let ended = Instant::now();
        match signal {
            Signal::KILL => kill_9(server),
            signal => rustix::process::kill_process(server, signal).unwrap(),
        }
        harness.wait_for_spooled(30);
        for value in 0..10 {
            let answer = harness.probe(value);
            assert_eq!((answer.status, answer.header("chunkwise-ack")), (204, Some("spooled")));
        }
        assert_eq!(folder.server(), None);
        folder.db("start").successful();
        harness.wait_for_drain(ended);
        harness.recover(ended);
    }
    let proven = harness.prove();
    assert!(proven.spooled_rows >= 5_000, "{proven:?}");
}

#[tokio::test]
async fn f14_sigterm_while_the_database_is_away_answers_what_was_accepted_and_the_next_start_writes_it() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let mut harness = Harness::spooling(&database, &proxy, "F14, away", &[]).under_load();
    let mut written = 0;
    for round in 0..rounds(2) {
        proxy.cut();
        let told = Instant::now();
        if round % 2 == 1 {
            harness.wait_for_spooled(30);
        }
        // In the first round nobody knows yet that the database is away: these wait for it when the signal comes.
        let (base, listen) = (harness.service().base.clone(), &harness.listen);
        let statuses = std::thread::scope(|scope| {
            let sent: Vec<_> = (0..8).map(|n| scope.spawn(move || probe_by_hand(listen, round * 8 + n))).collect();
            // All of them are there when the service begins to stop.
            std::thread::sleep(Duration::from_millis(300));
            for signal in [Signal::TERM, Signal::TERM] {
                harness.service().signal(signal);
            }
            sent.into_iter().map(|sent| sent.join().unwrap()).collect::<Vec<_>>()
        });
        let mut service = harness.service.take().unwrap();
        assert_eq!(service.wait(STOP), 0, "{base}");
        eprintln!("F14: {statuses:?}, ended after {:.1} s", told.elapsed().as_secs_f64());
        written += statuses.iter().filter(|status| **status == Some(204)).count();
        assert!(statuses.iter().all(|status| matches!(status, Some(204 | 503))), "silence: {statuses:?}");
        proxy.heal();
        harness.start();
        harness.wait_for_drain(told);
        harness.recover(told);
    }
    let proven = harness.prove();
    assert!(written > 0 && proven.spooled_rows > 0, "nothing was spooled: {proven:?}");
    let probes = database.scalar::<i64>("SELECT count(*) FROM probe").await;
    assert!(probes >= i64::try_from(written).unwrap(), "{written} of {probes}");
}

/// The status of the answer to a write on a connection of its own; `None` for silence.
fn probe_by_hand(listen: &str, value: u32) -> Option<u16> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(listen).unwrap();
    stream.set_read_timeout(Some(STOP)).unwrap();
    let body = format!("probe v={value}");
    let head = format!("POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut bytes = [0; 64];
    let read = stream.read(&mut bytes).ok()?;
    std::str::from_utf8(&bytes[..read]).ok()?.split(' ').nth(1)?.parse().ok()
}
