//! What there is: measurements, series, chunks, as the contract fixes them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::real::Real;
use crate::support::wait_until;

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn measurements_have_the_contracts_fields_and_true_figures() {
    let real = Real::shared().await;
    // The server counts rows a moment after they are committed.
    wait_until("the estimate is near the count", async || {
        let answer = real.app.get("/api/v1/measurements").json();
        answer["measurements"][0]["rows"].as_i64().is_some_and(|rows| (rows - 166_260).abs() < 1_000)
    })
    .await;
    let answer = real.app.get("/api/v1/measurements").json();
    let [prices, stocks] = answer["measurements"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    let fields = [
        "name",
        "fields",
        "tags",
        "series",
        "rows",
        "bytes",
        "from",
        "to",
        "chunk_interval",
        "retention",
        "seal_after",
        "space_partitions",
        "on_duplicate",
    ];
    for measurement in [prices, stocks] {
        assert_eq!(keys(measurement), fields.into());
        assert!(measurement["bytes"].as_u64().unwrap() > 1_000_000, "{measurement}");
        assert_eq!((&measurement["retention"], &measurement["on_duplicate"]), (&Value::Null, &json!("keep")));
    }
    assert_eq!(prices["fields"], json!([{"name": "close", "type": "float8"}]));
    assert_eq!(
        (&prices["name"], &prices["tags"], &prices["series"]),
        (&json!("prices"), &json!(["symbol"]), &json!(20))
    );
    assert_eq!((&prices["from"], &prices["to"]), (&json!("1990-01-02T00:00:00Z"), &json!("2022-12-28T00:00:00Z")));
    assert_eq!(prices["chunk_interval"], "52w");
    let names: Vec<_> = stocks["fields"].as_array().unwrap().iter().map(|field| field["name"].clone()).collect();
    assert_eq!(names, ["Open", "High", "Low", "Close", "Volume", "Adj Close"]);
    assert_eq!(real.app.get("/api/v1/measurements?namespace=nowhere").json(), json!({"measurements": []}));
}

#[tokio::test]
async fn pages_of_series_follow_each_other() {
    let real = Real::shared().await;
    let (mut found, mut sizes, mut after) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = real.app.get(&format!("/api/v1/series?measurement=prices&limit=7{after}")).json();
        assert_eq!(keys(&page), ["series", "next", "total"].into());
        assert_eq!(page["total"], 20);
        let series = page["series"].as_array().unwrap();
        sizes.push(series.len());
        found.extend(series.iter().cloned());
        if page["next"].is_null() {
            break;
        }
        assert_eq!(page["next"], series.last().unwrap()["series_id"]);
        after = format!("&after={}", page["next"]);
    }
    assert_eq!(sizes, [7, 7, 6]);
    assert!(found.is_sorted_by_key(|series| series["series_id"].as_i64()));
    let symbols: BTreeSet<_> = found.iter().map(|series| series["tags"]["symbol"].as_str().unwrap()).collect();
    assert_eq!(symbols.len(), 20);
    for series in &found {
        assert_eq!(keys(series), ["series_id", "tags", "first", "last"].into());
        assert_eq!(
            (&series["first"], &series["last"]),
            (&json!("1990-01-02T00:00:00Z"), &json!("2022-12-28T00:00:00Z"))
        );
    }
}

#[tokio::test]
async fn series_are_found_by_word_and_by_tag() {
    let real = Real::shared().await;
    let symbols = |query: &str, tag: &str| -> Vec<String> {
        let page = real.app.get(&format!("/api/v1/series?{query}")).json();
        let series = page["series"].as_array().unwrap_or_else(|| panic!("{query}: {page}"));
        assert_eq!(page["total"], series.len(), "{query}");
        series.iter().map(|series| series["tags"][tag].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("search=a", &["AAPL", "AMD"][..]),
        ("search=Jn", &["JNJ"]),
        ("search=pl", &[]),
        ("search=%25", &[]),
        ("tag.symbol=XOM&tag.symbol=MSFT", &["MSFT", "XOM"]),
        ("tag.symbol=XOM&search=m", &[]),
        ("tag.symbol=nobody", &[]),
        ("series_id=1&series_id=2", &["AAPL", "AMD"]),
    ] {
        assert_eq!(symbols(&format!("measurement=prices&{query}"), "symbol"), expected, "{query}");
    }
    let facebook = real.app.get("/api/v1/series?measurement=stocks&tag.Ticker=FB").json();
    assert_eq!(facebook["series"][0]["first"], "2012-05-18T00:00:00Z");
    let csv = real.app.get("/api/v1/series?measurement=stocks&format=csv&search=fb");
    let id = &facebook["series"][0]["series_id"];
    let expected = format!("series_id,Ticker,first,last\n{id},FB,2012-05-18T00:00:00Z,2013-03-01T00:00:00Z\n");
    assert_eq!(String::from_utf8(csv.body).unwrap(), expected);
}

#[tokio::test]
async fn chunks_have_the_contracts_fields_and_cover_all_rows() {
    let real = Real::shared().await;
    let chunks = |query: &str| real.app.get(&format!("/api/v1/chunks?{query}")).json()["chunks"].take();
    let fields = [
        "measurement",
        "name",
        "from",
        "to",
        "state",
        "compressed",
        "rows",
        "bytes",
        "index_bytes",
        "partition",
        "blocks",
        "events",
    ];
    let is_apache = real.database.scalar::<String>("SHOW timescaledb.license").await == "apache";
    let of_prices = chunks("measurement=prices");
    let of_prices = of_prices.as_array().unwrap();
    for chunk in of_prices {
        assert_eq!(keys(chunk), fields.into());
        assert_eq!(chunk["measurement"], json!("prices"));
        // On the Community edition a sealed chunk is.
        assert!(chunk["compressed"] == json!(false) || (!is_apache && chunk["state"] == json!("sealed")), "{chunk}");
        assert!(["hot", "sealed"].contains(&chunk["state"].as_str().unwrap()), "{chunk}");
        assert!(chunk["bytes"].as_u64().unwrap() > chunk["index_bytes"].as_u64().unwrap(), "{chunk}");
        assert!(chunk["blocks"].is_u64() && chunk["events"].is_array(), "{chunk}");
    }
    assert!(of_prices.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]), "yearly chunks follow each other");
    let names: BTreeSet<_> = of_prices.iter().map(|chunk| chunk["name"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<String> = sqlx::query_scalar("SELECT c::text FROM show_chunks('public_store.prices') c")
        .fetch_all(&mut real.database.connect().await)
        .await
        .unwrap();
    assert_eq!(names, expected.into_iter().collect());
    wait_until("the estimates add up", async || {
        let chunks = chunks("measurement=prices");
        let rows: i64 = chunks.as_array().unwrap().iter().map(|chunk| chunk["rows"].as_i64().unwrap()).sum();
        (rows - 166_260).abs() < 1_000
    })
    .await;

    let of_2020 = chunks("from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z");
    let of_2020 = of_2020.as_array().unwrap();
    assert!((1..=3).contains(&of_2020.len()), "{of_2020:?}");
    assert!(of_2020.iter().all(|chunk| chunk["measurement"] == "prices"), "stocks end before 2020");
    assert!(of_2020.iter().all(|chunk| of_prices.contains(chunk)), "{of_2020:?}");
    assert_eq!(real.app.get("/api/v1/chunks?measurement=pricse").status, 404);
}
