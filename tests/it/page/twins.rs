//! Series whose tags are among another's: each is asked about alone, and shown with its own values.

use serde_json::{Value, json};

use super::Browser;
use crate::support::{App, TestDatabase};

/// Tags as they are written, as JSON, as a link has them, and as they are read.
const SERIES: [[&str; 4]; 4] = [
    ["", "{}", "tag=", "(no tags)"],
    [",host=a", r#"{"host":"a"}"#, "tag.host=a", "a"],
    [",host=a,region=eu", r#"{"host":"a","region":"eu"}"#, "tag.host=a&tag.region=eu", "a · eu"],
    [",host=b", r#"{"host":"b"}"#, "tag.host=b", "b"],
];

/// A value of a series; no two series have one in common.
fn value(series: usize, minute: usize) -> usize {
    series * 100 + 1 + (minute * (series + 3)) % 17
}

fn write(app: &App) {
    let mut lines = String::new();
    for (number, [tags, ..]) in SERIES.iter().enumerate() {
        for minute in 0..60 {
            lines += &format!("twin{tags} v={} {}\n", value(number, minute), 1_700_000_040 + minute * 60);
        }
    }
    assert_eq!(app.post("/write?precision=s", lines.as_bytes()).status, 204);
}

/// The id of the series that has exactly these tags.
fn id_of(app: &App, tags: &str) -> Value {
    let tags: Value = serde_json::from_str(tags).unwrap();
    let listed = app.get("/api/v1/series?measurement=twin").json();
    let found = listed["series"].as_array().unwrap().iter().find(|one| one["tags"] == tags);
    found.unwrap_or_else(|| panic!("{tags} is not in {listed}"))["series_id"].clone()
}

#[tokio::test]
async fn a_series_whose_tags_another_has_too_is_shown_alone() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let Some(mut browser) = Browser::start().await else { return };
    write(&app);
    let series = SERIES.map(|[_, tags, ..]| ("series", tags));
    let link = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(series).finish();
    let range = "from=2023-11-14T22:00&to=2023-11-15";
    explore(&mut browser, &app, &format!("{}/#/explore?m=twin&{link}&{range}", app.base)).await;
    for [_, tags, link, name] in SERIES {
        let ranges = "range=2023-11-14T22:00:00Z..2023-11-15T00:00:00Z";
        browser.open(&format!("{}/#/correlate?m=twin&bucket=1m&transform=level&{link}&{ranges}", app.base)).await;
        correlate(&mut browser, &app, tags, name).await;
    }
    assert_eq!(browser.complaints(), []);
}

/// Each line's first and last value are those that the API has for the series of exactly these tags.
async fn explore(browser: &mut Browser, app: &App, link: &str) {
    browser.open(link).await;
    browser.wait("document.querySelector('#explore-chart')?.dataset.state === 'ready'").await;
    let bucket = browser.text("document.querySelector('#explore-chart').dataset.bucket").await;
    let expected = SERIES.map(|[_, tags, _, name]| {
        let question = json!({ "measurement": "twin", "field": "v", "bucket": bucket, "series": { "series_id": id_of(app, tags) },
            "from": "2023-11-14T22:00:00Z", "to": "2023-11-15T00:00:00Z" });
        let answer = app.ask("/api/v1/window", &question).json();
        let values: Vec<f64> = answer["values"][0].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        json!([name, values[0].to_string(), values[values.len() - 1].to_string()])
    });
    let script = "[...document.querySelectorAll('#figures tbody tr')].map(row => [row.querySelector('bdi').textContent, \
                  ...[...row.querySelectorAll('td.number')].slice(0, 2).map(cell => cell.textContent)])";
    assert_eq!(browser.eval(script).await, json!(expected));
}

/// The table is the API's answer about the series of exactly these tags.
async fn correlate(browser: &mut Browser, app: &App, tags: &str, name: &str) {
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    assert_eq!(browser.text("document.querySelector('#chart-title bdi').textContent").await, name);
    let question = json!({ "measurement": "twin", "field": "v", "bucket": "1m", "target": { "series_id": id_of(app, tags) },
        "ranges": [{ "from": "2023-11-14T22:00:00Z", "to": "2023-11-15T00:00:00Z" }], "top": 100 });
    let answer = app.ask("/api/v1/correlate", &question).json();
    let results = answer["ranges"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), SERIES.len() - 1, "{answer}");
    let expected: Vec<_> = results.iter().map(|one| json!([one["series_id"], one["r"]])).collect();
    let script = "[...document.querySelectorAll('.ranking tbody tr')].map(row => \
                  [Number(row.dataset.series), Number(row.querySelector('[data-r]').dataset.r)])";
    assert_eq!(browser.eval(script).await, json!(expected), "{name}");
}
