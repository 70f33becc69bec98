//! The same feed over every protocol, proven against the database.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::Stand;
use crate::support::{App, Broker, TestDatabase, run, wait_until};

const LINES: i64 = 6_000;

/// Sends a feed over a protocol to `address`, waits for its rows, and proves it.
async fn prove(stand: &Stand, protocol: &str, address: &str) {
    let journal = stand.file("journal").to_str().unwrap().to_owned();
    let lines = LINES.to_string();
    let more = ["--protocol", protocol, "--lines", &lines, "--connections", "2", "--lines-per-request", "250"];
    let finished = run(&Stand::arguments(&journal, address, &more));
    let summary: Value = serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
    assert_eq!(finished.code, 0, "{protocol}: {summary:#}");
    let acknowledges = matches!(protocol, "line-protocol-http" | "opentsdb-http" | "websocket");
    let (counted, other) =
        if acknowledges { ("committed_lines", "handed_over_lines") } else { ("handed_over_lines", "committed_lines") };
    assert_eq!((&summary[counted], &summary[other]), (&LINES.into(), &0.into()), "{protocol}: {summary:#}");

    let there = async || {
        let is_made = "SELECT to_regclass('public_store.fed') IS NOT NULL";
        stand.database.scalar::<bool>(is_made).await
            && stand.database.scalar::<i64>("SELECT count(*) FROM public_store.fed").await >= LINES
    };
    wait_until(&format!("every row over {protocol} is there"), there).await;
    let proof = stand.assert_found(&[]);
    let (acknowledged, unacknowledged) = if acknowledges { (LINES, 0) } else { (0, LINES) };
    assert_eq!(proof["rows"], LINES, "{protocol}");
    assert_eq!(proof["acknowledged_rows"], acknowledged, "{protocol}");
    assert_eq!((&proof["unacknowledged_rows"], &proof["missing"]), (&unacknowledged.into(), &0.into()), "{protocol}");

    // A row that is gone is lost where it was promised, and counted where it was not.
    let one =
        "DELETE FROM public_store.fed WHERE (ctid, tableoid) IN (SELECT ctid, tableoid FROM public_store.fed LIMIT 1)";
    assert_eq!(stand.execute(one).await, 1);
    if acknowledges {
        stand.assert_found(&[("lost", 1)]);
    } else {
        assert_eq!(stand.assert_found(&[])["missing"], 1, "{protocol}");
    }
}

#[tokio::test]
async fn every_protocol_of_the_service_takes_a_feed_to_the_last_bit() {
    for protocol in ["line-protocol-http", "opentsdb-http", "websocket", "line-protocol-tcp", "opentsdb-telnet"] {
        let stand = Stand::new().await;
        let address = match protocol {
            "line-protocol-tcp" => stand.app.said("listening for line protocol on "),
            "opentsdb-telnet" => stand.app.said("listening for OpenTSDB on "),
            "opentsdb-http" => format!("http://{}", stand.app.said("listening for OpenTSDB on ")),
            "websocket" => stand.app.base.replacen("http", "ws", 1),
            _ => stand.app.base.clone(),
        };
        prove(&stand, protocol, &address).await;
    }
}

#[tokio::test]
async fn a_broker_in_between_passes_a_feed_on_to_the_last_bit() {
    let Some(broker) = Broker::start() else { return };
    let (database, folder) = (TestDatabase::new().await, TempDir::new().unwrap());
    let config = folder.path().join("chunkwise.toml");
    fs::write(&config, format!("[[mqtt]]\nurl = \"{}\"\ntopics = [\"chunkwise/feed\"]\n", broker.url())).unwrap();
    let app = App::start(&["up", "--config", config.to_str().unwrap(), "--database-url", &database.url()]);
    let stand = Stand { database, app, folder };
    // The broker keeps nothing for a subscription that does not stand yet.
    let mut publisher = broker.publisher();
    let mut time = 0;
    wait_until("the subscription stands", async || {
        time += 1;
        publisher.publish("chunkwise/feed", &format!("ready v=1 {time}")).await;
        stand.database.scalar::<bool>("SELECT to_regclass('ready') IS NOT NULL").await
    })
    .await;
    prove(&stand, "mqtt", &broker.url()).await;
}
