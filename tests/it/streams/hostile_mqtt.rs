//! Messages that are none, or come twice.

use std::time::Duration;

use rustix::process::Signal;
use sqlx::Executor;

use super::{
    mqtt::lines,
    setting::{Setting, wait_for_subscription},
};
use crate::support::{Broker, Proxy, wait_until};

#[tokio::test]
async fn payloads_and_topics_that_are_none_cost_nothing_but_themselves() {
    let Some(broker) = Broker::start() else { return };
    let setting = Setting::new(&lines(&broker.url(), "5")).await;
    let app = setting.start();
    let mut publisher = broker.publisher();
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    let long_topic = format!("lines/{}", "x".repeat(60_000));
    for payload in [
        Vec::new(),
        vec![0],
        vec![0xff; 1_000],
        b"m,s=a v=1 1700000000000000000\0".to_vec(),
        b"m,s=a v=\"open 1700000000000000000".to_vec(),
        b"{\"rows\": []}".to_vec(),
        b"\n\n# nothing\n".to_vec(),
        vec![b'x'; 2 << 20],
        [&b"m,s=\xff v=1 1700000000000000000\n"[..], b"m,s=good v=1 1700000000000000001"].concat(),
    ] {
        publisher.publish_bytes("lines/a", payload, false).await;
    }
    publisher.publish(&long_topic, "m,s=far v=1 1700000000000000002000").await;
    publisher.publish(&long_topic, "m,s=long v=1 1700000000000000002").await;
    publisher.publish("lines/a", "last v=1 1700000000000000000").await;
    setting.wait_for_rows("last", 1).await;
    setting.wait_for_rows("m", 2).await;
    let series: String = setting.database.scalar("SELECT string_agg(s, ' ' ORDER BY s) FROM m").await;
    assert_eq!(series, "good long");
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn a_retained_message_is_one_row_however_often_the_broker_gives_it() {
    let Some(broker) = Broker::start() else { return };
    let setting = Setting::new(&lines(&broker.url(), "5")).await;
    let mut publisher = broker.publisher();
    publisher.publish_bytes("lines/state", b"m v=1 1700000000000000000".to_vec(), true).await;
    for round in 0..3 {
        let app = setting.start();
        setting.wait_for_rows("m", 1).await;
        publisher.publish("lines/a", &format!("last v={round} {}", 1_700_000_000_000_000_000_i64 + round)).await;
        setting.wait_for_rows("last", round + 1).await;
        assert_eq!(app.terminate(), 0);
    }
    assert_eq!(setting.rows("m").await, 1);
}

#[tokio::test]
async fn the_broker_s_own_topics_are_not_among_all_topics() {
    let Some(broker) = Broker::start() else { return };
    let config = lines(&broker.url(), "5").replace("lines/#", "#");
    let setting = Setting::new(&config).await;
    let app = setting.start();
    let mut publisher = broker.publisher();
    wait_for_subscription(&setting, &mut publisher, "any/where").await;
    let refused = || {
        let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
        let line = metrics.lines().find(|line| line.starts_with("chunkwise_subscription_lines_refused_total"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    assert_eq!(refused(), 0, "what mosquitto says of itself is no line");
    assert_eq!(app.terminate(), 0);
}

/// The message was committed and its acknowledgement never reached the broker: it comes again, marked as a duplicate.
async fn a_kill_between_commit_and_acknowledgement_doubles_nothing(version: &str) {
    let Some(broker) = Broker::start() else { return };
    let proxy = Proxy::before(&broker.address());
    let setting = Setting::new(&lines(&broker.url_through(&proxy), version)).await;
    let mut publisher = broker.publisher();
    let mut app = setting.start();
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    publisher.publish("lines/a", "m n=0i 1700000000000000000").await;
    setting.wait_for_rows("m", 1).await;

    let mut locker = setting.database.connect().await;
    locker.execute("BEGIN; LOCK TABLE public_store.m IN ACCESS EXCLUSIVE MODE").await.unwrap();
    publisher.publish("lines/a", "m n=1i 1700000000000000001").await;
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'public_store.m'::regclass)";
    wait_until("its transaction waits", async || setting.database.scalar::<bool>(waits).await).await;
    // What the program says to the broker from here on is never heard.
    proxy.strand();
    locker.execute("COMMIT").await.unwrap();
    setting.wait_for_rows("m", 2).await;
    app.signal(Signal::KILL);
    app.wait(Duration::from_secs(10));

    let app = setting.start();
    publisher.publish("lines/a", "last v=1 1700000000000000000").await;
    setting.wait_for_rows("last", 1).await;
    // It does come again: the ledger knows it.
    let is_known = async || app.get("/api/v1/stats").json()["ingest"]["duplicate"] == 1;
    wait_until("the message has come again", is_known).await;
    assert_eq!(setting.rows("m").await, 2);
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn a_kill_between_commit_and_acknowledgement_doubles_nothing_with_version_5() {
    a_kill_between_commit_and_acknowledgement_doubles_nothing("5").await;
}

#[tokio::test]
async fn a_kill_between_commit_and_acknowledgement_doubles_nothing_with_version_3_1_1() {
    a_kill_between_commit_and_acknowledgement_doubles_nothing("3.1.1").await;
}
