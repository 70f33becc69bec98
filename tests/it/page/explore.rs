//! Explore: lines and candles of the API's values; looking closer asks for finer buckets.

use serde_json::{Value, json};

use super::Browser;
use crate::answers::real::Real;

/// The buckets that the shown chart has.
const BUCKET: &str = "document.querySelector('#explore-chart').dataset.bucket";
const READY: &str = "document.querySelector('#explore-chart')?.dataset.state === 'ready' \
                     && !document.querySelector('#explore-chart').hasAttribute('aria-busy')";

async fn figures(browser: &mut Browser) -> Value {
    let script = "[...document.querySelectorAll('#figures tbody tr')].map(row => [row.querySelector('bdi').textContent, \
                  ...[...row.querySelectorAll('td.number')].map(cell => cell.textContent)])";
    browser.eval(script).await
}

#[tokio::test]
async fn looking_closer_asks_for_finer_buckets_and_the_link_brings_it_back() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}/#/explore?m=prices&series=%7B%22symbol%22:%22AAPL%22%7D", real.app.base)).await;
    browser.wait(READY).await;
    assert_eq!(browser.text(BUCKET).await, "1w");
    browser.type_into("[role=combobox]", "msft").await;
    browser.wait("document.querySelector('.option bdi')?.textContent === 'MSFT'").await;
    browser.press("Enter").await;
    browser.wait("document.querySelectorAll('#figures tbody tr').length === 2").await;

    let box_of = browser.eval("(() => { const b = document.querySelector('#explore-chart canvas').getBoundingClientRect(); return [b.left, b.width, b.top + 150]; })()").await;
    let at =
        |part: f64| (box_of[0].as_f64().unwrap() + box_of[1].as_f64().unwrap() * part, box_of[2].as_f64().unwrap());
    browser.drag(at(0.5), at(0.6)).await;
    browser.wait(&format!("{BUCKET} === '1d' && {READY}")).await;

    // What the figures say of it is what the API says.
    let link = url::Url::parse(&browser.text("location.href").await.replace("/#/explore", "/")).unwrap();
    let time = |edge: &str| {
        let (_, value) = link.query_pairs().find(|(name, _)| name == edge).unwrap();
        if value.len() == 10 { format!("{value}T00:00:00Z") } else { format!("{value}Z") }
    };
    let asked = json!({ "measurement": "prices", "field": "close", "bucket": "1d", "from": time("from"), "to": time("to"),
                        "series": { "symbol": "MSFT" } });
    let answer = real.app.ask("/api/v1/window", &asked).json();
    let values: Vec<f64> = answer["values"][0].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    let shown = figures(&mut browser).await;
    assert_eq!(shown[1][0], "MSFT");
    assert_eq!(shown[1][7], values.len().to_string());
    let close = |text: &Value, value: f64| {
        let text: f64 = text.as_str().unwrap().replace(',', "").parse().unwrap();
        assert!((text - value).abs() <= 0.0051, "{text} {value}");
    };
    close(&shown[1][1], values[0]);
    close(&shown[1][2], values[values.len() - 1]);

    let seen = browser.text("location.href").await;
    browser.open(&seen).await;
    browser.wait(READY).await;
    assert_eq!(figures(&mut browser).await, shown);
    // Wider again, and as bars of prices.
    browser.click("#zoom-out").await;
    browser.wait(&format!("location.href !== {} && {READY}", json!(seen))).await;
    browser.eval("document.querySelector('.segments button[value=candles]').click()").await;
    browser.wait(&format!("location.hash.includes('kind=candles') && {READY}")).await;
    browser.wait("document.querySelectorAll('#figures tbody tr').length === 1").await;
    assert_eq!(browser.complaints(), []);
}
