//! Subscriptions to a real MQTT broker.

use std::time::Duration;

use rustix::process::Signal;

use super::setting::{Setting, wait_for_subscription};
use crate::support::{Broker, Proxy, wait_until};

pub(super) fn lines(url: &str, version: &str) -> String {
    format!("[[mqtt]]\nurl = \"{url}\"\nversion = \"{version}\"\nclient_id = \"it\"\ntopics = [\"lines/#\"]\n")
}

async fn lines_arrive_and_bad_ones_do_not_block(version: &str) {
    let Some(broker) = Broker::start() else { return };
    let setting = Setting::new(&lines(&broker.url(), version)).await;
    let app = setting.start();
    let mut publisher = broker.publisher();
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    publisher.publish("lines/a", "no line at all").await;
    publisher.publish("lines/a", "m,s=a v=1 1700000000000000000\nm,s=a v= 2\nm,s=b v=2 1700000000000000000").await;
    publisher.publish("elsewhere", "m,s=a v=3 1800000000000000000").await;
    // Without times the same message twice is two rows.
    for _ in 0..2 {
        publisher.publish("lines/b/c", "untimed v=1").await;
    }
    publisher.publish("lines/a", "last v=1 1700000000000000000").await;
    setting.wait_for_rows("last", 1).await;
    setting.wait_for_rows("untimed", 2).await;
    setting.wait_for_rows("m", 2).await;
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let refused = metrics.lines().find(|line| line.starts_with("chunkwise_subscription_lines_refused_total"));
    assert!(refused.is_some_and(|line| line.ends_with(" 2")), "{refused:?}");
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn lines_arrive_and_bad_ones_do_not_block_with_version_5() {
    lines_arrive_and_bad_ones_do_not_block("5").await;
}

#[tokio::test]
async fn lines_arrive_and_bad_ones_do_not_block_with_version_3_1_1() {
    lines_arrive_and_bad_ones_do_not_block("3.1.1").await;
}

async fn what_was_published_meanwhile_arrives_afterwards(version: &str) {
    let Some(broker) = Broker::start() else { return };
    let setting = Setting::new(&lines(&broker.url(), version)).await;
    let mut publisher = broker.publisher();
    let app = setting.start();
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    assert_eq!(app.terminate(), 0);
    let messages: Vec<_> = (0..100).map(|n| ("lines/a".to_owned(), format!("m n={n}i"))).collect();
    publisher.publish_all(&messages).await;
    let app = setting.start();
    setting.wait_for_rows("m", 100).await;
    // All is acknowledged: a third process gets nothing again.
    assert_eq!(app.terminate(), 0);
    let app = setting.start();
    publisher.publish("lines/a", "last v=1").await;
    setting.wait_for_rows("last", 1).await;
    setting.wait_for_rows("m", 100).await;
    assert_eq!(setting.database.scalar::<i64>("SELECT count(DISTINCT n) FROM m").await, 100);
    drop(app);
}

#[tokio::test]
async fn what_was_published_meanwhile_arrives_afterwards_with_version_5() {
    what_was_published_meanwhile_arrives_afterwards("5").await;
}

#[tokio::test]
async fn what_was_published_meanwhile_arrives_afterwards_with_version_3_1_1() {
    what_was_published_meanwhile_arrives_afterwards("3.1.1").await;
}

#[tokio::test]
async fn json_is_read_by_its_mapping_with_tags_of_the_topic() {
    let Some(broker) = Broker::start() else { return };
    let config = format!(
        r#"
        [[mqtt]]
        url = "{}"
        topics = ["sensors/+/+", "sensors/odd"]
        payload = "json"
        topic_tags = "sensors/{{place}}/{{device}}"
        [mqtt.mapping]
        measurement = "climate"
        time = {{ path = "at", unit = "s" }}
        tags = {{ kind = "kind" }}
        fields = {{ temperature = {{ path = "values/t", type = "float" }}, ok = "ok" }}
        "#,
        broker.url()
    );
    let setting = Setting::new(&config).await;
    let app = setting.start();
    let mut publisher = broker.publisher();
    let reading = |at: u32| format!(r#"{{"at": {at}, "kind": "x", "ok": true, "values": {{"t": "20.5"}}}}"#);
    let mut at = 1_700_000_000;
    while setting.rows("climate").await < 1 {
        at += 1;
        publisher.publish("sensors/roof/t1", &reading(at)).await;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    publisher.publish("sensors/odd", &reading(1)).await;
    publisher.publish("sensors/roof/t1", "no JSON").await;
    publisher.publish("sensors/cellar/t2", &reading(1_600_000_000)).await;
    let cellar = "SELECT count(*) FROM climate WHERE place = 'cellar' AND device = 't2' AND kind = 'x' AND ok \
                  AND temperature = 20.5 AND time = to_timestamp(1600000000)";
    wait_until("the row of the cellar is there", async || setting.database.scalar::<i64>(cellar).await == 1).await;
    assert_eq!(setting.database.scalar::<i64>("SELECT count(*) FROM climate WHERE place = 'odd'").await, 0);
    assert_eq!(app.terminate(), 0);
}

async fn a_kill_loses_nothing_and_doubles_nothing(version: &str) {
    const MESSAGES: i64 = 5_000;
    let Some(broker) = Broker::start() else { return };
    let setting = Setting::new(&lines(&broker.url(), version)).await;
    let mut publisher = broker.publisher();
    let mut app = setting.start();
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    let message = |n: i64| ("lines/a".to_owned(), format!("m n={n}i {}", 1_700_000_000_000_000_000 + n * 1_000));
    let messages: Vec<_> = (0..MESSAGES).map(message).collect();
    let publishing = tokio::spawn(async move { publisher.publish_all(&messages).await });
    for share in [10, 4] {
        wait_until("some have arrived", async || setting.rows("m").await > MESSAGES / share).await;
        app.signal(Signal::KILL);
        app.wait(Duration::from_secs(10));
        app = setting.start();
    }
    publishing.await.unwrap();
    setting.wait_for_rows("m", MESSAGES).await;
    assert_eq!(setting.database.scalar::<i64>("SELECT count(DISTINCT n) FROM m").await, MESSAGES);
    // Nothing is left that could still double.
    assert_eq!(app.terminate(), 0);
    assert_eq!(setting.rows("m").await, MESSAGES);
}

#[tokio::test]
async fn a_kill_loses_nothing_and_doubles_nothing_with_version_5() {
    a_kill_loses_nothing_and_doubles_nothing("5").await;
}

#[tokio::test]
async fn a_kill_loses_nothing_and_doubles_nothing_with_version_3_1_1() {
    a_kill_loses_nothing_and_doubles_nothing("3.1.1").await;
}

async fn a_connection_that_breaks_doubles_nothing_also_without_times(version: &str) {
    const MESSAGES: i64 = 3_000;
    let Some(broker) = Broker::start() else { return };
    let proxy = Proxy::before(&broker.address());
    let setting = Setting::new(&lines(&broker.url_through(&proxy), version)).await;
    let mut publisher = broker.publisher();
    let app = setting.start();
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    let messages: Vec<_> = (0..MESSAGES).map(|n| ("lines/a".to_owned(), format!("m n={n}i"))).collect();
    let publishing = tokio::spawn(async move { publisher.publish_all(&messages).await });
    for share in [10, 5, 3] {
        wait_until("some have arrived", async || setting.rows("m").await > MESSAGES / share).await;
        let before = proxy.accepted();
        proxy.reset();
        wait_until("it connects again", async || proxy.accepted() > before).await;
    }
    publishing.await.unwrap();
    setting.wait_for_rows("m", MESSAGES).await;
    assert_eq!(setting.database.scalar::<i64>("SELECT count(DISTINCT n) FROM m").await, MESSAGES);
    assert_eq!(app.terminate(), 0);
    assert_eq!(setting.rows("m").await, MESSAGES);
}

#[tokio::test]
async fn a_connection_that_breaks_doubles_nothing_also_without_times_with_version_5() {
    a_connection_that_breaks_doubles_nothing_also_without_times("5").await;
}

#[tokio::test]
async fn a_connection_that_breaks_doubles_nothing_also_without_times_with_version_3_1_1() {
    a_connection_that_breaks_doubles_nothing_also_without_times("3.1.1").await;
}

#[tokio::test]
async fn messages_wait_while_the_database_is_away_also_over_a_stop() {
    let Some(broker) = Broker::start() else { return };
    let setting = Setting::new(&lines(&broker.url(), "5")).await;
    let proxy = Proxy::before(&setting.database.options());
    let mut publisher = broker.publisher();
    let app = setting.start_on(proxy.url());
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    proxy.cut();
    let messages: Vec<_> = (0..400).map(|n| ("lines/a".to_owned(), format!("m n={n}i"))).collect();
    publisher.publish_all(&messages[..200]).await;
    // A message that was never written is not acknowledged at the end either.
    assert_eq!(app.terminate(), 0);
    proxy.heal();
    let app = setting.start_on(proxy.url());
    setting.wait_for_rows("m", 200).await;
    proxy.cut();
    publisher.publish_all(&messages[200..]).await;
    proxy.heal();
    setting.wait_for_rows("m", 400).await;
    assert_eq!(setting.database.scalar::<i64>("SELECT count(DISTINCT n) FROM m").await, 400);
    assert_eq!(app.terminate(), 0);
}
