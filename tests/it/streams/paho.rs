//! A client of MQTT as others wrote it, unmodified: `paho-mqtt`.

use super::setting::{Setting, wait_for_subscription};
use crate::support::{Broker, run_python, wait_until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/streams/publish_paho.py");
const MESSAGES: i64 = 300;

#[tokio::test]
async fn paho_publishes_lines_and_json_with_both_versions_and_each_row_is_there_once() {
    let Some(broker) = Broker::start() else { return };
    let url = broker.url();
    let config = format!(
        r#"
        [[mqtt]]
        url = "{url}"
        client_id = "lines"
        topics = ["lines/#"]
        [[mqtt]]
        url = "{url}"
        client_id = "sensors"
        topics = ["sensors/+/+"]
        payload = "json"
        topic_tags = "sensors/{{place}}/{{device}}"
        [mqtt.mapping]
        measurement = "climate"
        time = {{ path = "at", unit = "s" }}
        fields = {{ temperature = "t", ok = "ok" }}
        "#
    );
    let setting = Setting::new(&config).await;
    let app = setting.start();
    let mut publisher = broker.publisher();
    wait_for_subscription(&setting, &mut publisher, "lines/a").await;
    let mut at = 1_600_000_000;
    while setting.rows("climate").await < 1 {
        at += 1;
        publisher.publish("sensors/first/one", &format!(r#"{{"at": {at}, "t": 0.5, "ok": true}}"#)).await;
    }

    let (host, port) = url.trim_start_matches("mqtt://").rsplit_once(':').unwrap();
    run_python(SCRIPT, &[host, port, &MESSAGES.to_string()]);
    setting.wait_for_rows("paho", 2 * MESSAGES).await;
    let right = "SELECT count(DISTINCT (version, n)) FROM paho WHERE version IN ('4', '5') AND value = n / 8.0
                 AND text = 'ä ' || n AND time = to_timestamp(1700000000 + n)";
    assert_eq!(setting.database.scalar::<i64>(right).await, 2 * MESSAGES);
    let readings = "SELECT count(DISTINCT (device, time)) FROM climate WHERE place = 'roof' AND device IN ('t4', 't5')
                    AND temperature = (extract(epoch FROM time) - 1700000000) / 4
                    AND ok = (extract(epoch FROM time)::int8 % 2 = 0)";
    wait_until("the readings are there", async || setting.database.scalar::<i64>(readings).await == 2 * MESSAGES).await;
    let roof = "SELECT count(*) FROM climate WHERE place = 'roof'";
    assert_eq!(setting.database.scalar::<i64>(roof).await, 2 * MESSAGES);
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let refused = metrics.lines().find(|line| line.starts_with("chunkwise_subscription_lines_refused_total"));
    assert!(refused.is_some_and(|line| line.ends_with(" 6")), "three bad lines with each version: {refused:?}");
    assert_eq!(app.terminate(), 0);
}
