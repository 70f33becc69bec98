//! Correlate: the question on the page is the question that the API is asked, and its answer is on the page.

use serde_json::{Value, json};

use super::Browser;
use crate::{answers::real::Real, support::App};

/// The whole of a question in an address.
const LINK: &str = "/#/correlate?m=prices&f=close&bucket=1d&transform=log_return&tag.symbol=AAPL\
                    &range=2019-01-01..2020-01-01&range=2020-01-01..2021-01-01";

/// Waits for the answer to the question that the page shows now.
const ANSWERED: &str = "document.querySelector('#ranking')?.dataset.state === 'ready' \
                        && !document.querySelector('#ranking').hasAttribute('aria-busy')";

/// The question that the page asks by its own word: what its CSV link asks.
async fn question(browser: &mut Browser) -> Value {
    browser.wait(ANSWERED).await;
    if browser.eval("document.querySelector('#export').getAttribute('aria-expanded')").await == "true" {
        browser.click("#export").await;
    }
    browser.click("#export").await;
    let href = browser.text("document.querySelector('a[download$=\".json\"]').href").await;
    browser.press("Escape").await;
    let url = url::Url::parse(&href).unwrap();
    let (_, asked) = url.query_pairs().find(|(name, _)| name == "q").unwrap();
    serde_json::from_str(&asked).unwrap()
}

/// A series as the page asks about it.
fn target(app: &App, symbol: &str) -> Value {
    let listed = app.get(&format!("/api/v1/series?measurement=prices&tag.symbol={symbol}")).json();
    json!({ "series_id": listed["series"][0]["series_id"] })
}

/// The table's rows: name, and r as text for each range.
async fn rows(browser: &mut Browser) -> Vec<(String, Vec<String>, Vec<String>)> {
    let script = "[...document.querySelectorAll('.ranking tbody tr')].map(row => [row.querySelector('th').textContent, \
                  [...row.querySelectorAll('[data-r]')].map(cell => cell.dataset.r + '|' + cell.textContent), \
                  [...row.querySelectorAll('[data-n]')].map(cell => cell.textContent)])";
    let texts = |value: &Value| value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let rows = browser.eval(script).await;
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (row[0].as_str().unwrap().to_owned(), texts(&row[1]), texts(&row[2]))).collect()
}

/// What the API says to a question, as the table should show it.
fn expected(app: &App, question: &Value) -> Vec<(String, Vec<String>, Vec<String>)> {
    let answer = app.ask("/api/v1/correlate", question);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let answer = answer.json();
    let ranges = answer["ranges"].as_array().unwrap();
    let rows = 0..ranges[0]["results"].as_array().unwrap().len();
    rows.map(|row| {
        let cells: Vec<&Value> = ranges.iter().map(|range| &range["results"][row]).collect();
        let r = |cell: &&Value| {
            let r = cell["r"].as_f64().unwrap();
            // As JavaScript writes the number, and as people read it.
            format!("{r}|{}", format!("{r:.4}").replace('-', "−"))
        };
        let name = cells[0]["series"]["symbol"].as_str().unwrap().to_owned();
        (name, cells.iter().map(r).collect(), cells.iter().map(|cell| cell["n"].to_string()).collect())
    })
    .collect()
}

#[tokio::test]
async fn a_link_shows_the_apis_answer_and_every_control_asks_another_question() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}{LINK}", real.app.base)).await;
    let asked = question(&mut browser).await;
    assert_eq!(asked["target"], target(&real.app, "AAPL"));
    assert_eq!(asked["ranges"].as_array().unwrap().len(), 2);
    let shown = rows(&mut browser).await;
    assert_eq!(shown.len(), 19);
    assert_eq!(shown, expected(&real.app, &asked));

    for (control, value, field, sent) in [
        ("#transform", "pct", "transform", json!("pct")),
        ("#method", "spearman", "method", json!("spearman")),
        ("#bucket", "1w", "bucket", json!("1w")),
        ("#rank-by", "1", "rank_by", json!(1)),
        ("#order", "asc", "order", json!("asc")),
        ("#method", "ewma", "method", json!({ "ewma": { "half_life": 20 } })),
    ] {
        let before = browser.eval("document.querySelector('#ranking').dataset.answered").await;
        browser.choose(control, value).await;
        browser.wait(&format!("document.querySelector('#ranking').dataset.answered !== {before}")).await;
        let asked = question(&mut browser).await;
        assert_eq!(asked[field], sent);
        assert_eq!(rows(&mut browser).await, expected(&real.app, &asked), "{control} {value}");
    }

    // Whoever gets the link sees the same.
    browser.wait("location.hash.includes('method=ewma')").await;
    let (link, seen) = (browser.text("location.href").await, rows(&mut browser).await);
    let asked = question(&mut browser).await;
    browser.open(&link).await;
    assert_eq!(question(&mut browser).await, asked);
    assert_eq!(rows(&mut browser).await, seen);
    assert_eq!(browser.text("location.href").await, link);
    assert_eq!(browser.complaints(), []);
}

/// The bounds of the ranges that the page shows.
async fn ranges(browser: &mut Browser) -> Vec<[String; 2]> {
    let shown = browser
        .eval("[...document.querySelectorAll('.range')].map(r => [...r.querySelectorAll('input')].map(i => i.value))")
        .await;
    serde_json::from_value(shown).unwrap()
}

#[tokio::test]
async fn ranges_are_drawn_moved_resized_typed_and_removed() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}{LINK}&zoom=2015-01-01..2022-01-01", real.app.base)).await;
    browser.wait(ANSWERED).await;
    browser.wait("document.querySelectorAll('.band').length === 2 && document.querySelector('.series-chart').dataset.buckets").await;
    let bands = browser.eval("[...document.querySelectorAll('.band')].map(b => { const r = b.getBoundingClientRect(); return [r.left, r.right, r.top + r.height / 2]; })").await;
    let at = |band: usize, edge: usize| bands[band][edge].as_f64().unwrap();
    let year = at(0, 1) - at(0, 0);
    let y = at(0, 2);

    // Drawn where there is none yet: about 2016.
    browser.drag((at(0, 0) - 3.0 * year, y), (at(0, 0) - 2.0 * year, y)).await;
    browser.wait("document.querySelectorAll('.range').length === 3").await;
    let drawn = ranges(&mut browser).await;
    assert!(drawn[2][0].starts_with("2015-12") || drawn[2][0].starts_with("2016-01"), "{drawn:?}");
    assert!(drawn[2][1].starts_with("2016-12") || drawn[2][1].starts_with("2017-01"), "{drawn:?}");

    // Moved by a year: as long as before.
    browser.drag((at(0, 0) - 2.5 * year, y), (at(0, 0) - 1.5 * year, y)).await;
    browser.wait("/^201(6-12|7-01)/.test(document.querySelectorAll('.range')[2].querySelector('input').value)").await;
    // Its end pulled.
    let end =
        browser.eval("document.querySelectorAll('.band')[2].getBoundingClientRect().right").await.as_f64().unwrap();
    let before = ranges(&mut browser).await;
    browser.drag((end, y), (end - year / 2.0, y)).await;
    browser.wait("/^2017-0/.test(document.querySelectorAll('.range')[2].querySelectorAll('input')[1].value)").await;
    let after = ranges(&mut browser).await;
    assert_eq!(after[2][0], before[2][0]);

    // What is on the page is what is asked.
    let asked = question(&mut browser).await;
    for (range, shown) in asked["ranges"].as_array().unwrap().iter().zip(&after) {
        assert_eq!(range["from"].as_str().unwrap()[..10], shown[0]);
        assert_eq!(range["to"].as_str().unwrap()[..10], shown[1]);
    }
    assert_eq!(rows(&mut browser).await, expected(&real.app, &asked));

    // Typed; what is no time is marked and not asked.
    let from = ".range[data-range=\"2\"] [data-edge=\"from\"]";
    browser.type_into(from, "2015-06").await;
    browser.press("Enter").await;
    browser.wait("document.querySelectorAll('.range')[2].querySelector('input').value === '2015-06-01'").await;
    browser.type_into(from, "2015-13-01").await;
    browser.press("Enter").await;
    browser.wait(&format!("document.querySelector({}).getAttribute('aria-invalid') === 'true'", json!(from))).await;
    assert_eq!(question(&mut browser).await["ranges"][2]["from"], "2015-06-01T00:00:00Z");

    // By keyboard: to the right, and away.
    browser.eval("document.querySelectorAll('.band')[2].focus()").await;
    browser.press("ArrowRight").await;
    browser.wait("document.querySelectorAll('.range')[2].querySelector('input').value > '2015-06-01'").await;
    browser.press("Delete").await;
    browser.wait("document.querySelectorAll('.range').length === 2").await;
    browser.click("[aria-label=\"Remove range 1\"]").await;
    browser.wait("document.querySelectorAll('.range').length === 1").await;
    let asked = question(&mut browser).await;
    assert_eq!(asked["ranges"].as_array().unwrap().len(), 1);
    assert_eq!(rows(&mut browser).await, expected(&real.app, &asked));
    assert_eq!(browser.complaints(), []);
}

#[tokio::test]
async fn a_series_is_searched_a_row_compared_and_the_table_sorted_and_filtered() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}{LINK}", real.app.base)).await;
    browser.wait(ANSWERED).await;
    browser.type_into("[role=combobox]", "xo").await;
    browser.wait("document.querySelectorAll('.option').length === 1 && document.querySelector('.option bdi').textContent === 'XOM'").await;
    browser.press("Enter").await;
    browser.wait("document.querySelector('#chart-title').textContent.startsWith('XOM')").await;
    browser.wait("location.hash.includes('tag.symbol=XOM')").await;
    let asked = question(&mut browser).await;
    assert_eq!(asked["target"], target(&real.app, "XOM"));
    let shown = rows(&mut browser).await;
    assert_eq!(shown, expected(&real.app, &asked));

    // A row: its figures beside the charts are the API's.
    browser.click(".ranking tbody tr:nth-child(3)").await;
    let name = json!(shown[2].0);
    browser.wait(&format!("document.querySelector('#detail h2 bdi')?.textContent === {name}")).await;
    browser.wait("document.querySelector('#detail').dataset.state === 'ready'").await;
    let r = browser.text("document.querySelector('.stats dd').textContent").await;
    assert_eq!(r, shown[2].1[0].split('|').nth(1).unwrap());
    browser.wait(&format!("location.hash.includes('with.symbol=' + {name})")).await;
    browser.wait("document.querySelector('#heat').dataset.state === 'ready'").await;
    assert_eq!(browser.eval("document.querySelectorAll('.pairs tbody tr').length").await, 20);

    // Sorted by the second range's r.
    browser.eval("document.querySelectorAll('.ranking thead th.starts button')[1].click()").await;
    browser
        .wait("document.querySelectorAll('.ranking thead th.starts')[1].getAttribute('aria-sort') === 'descending'")
        .await;
    let sorted = rows(&mut browser).await;
    let r = |row: &(String, Vec<String>, Vec<String>)| row.1[1].split('|').next().unwrap().parse::<f64>().unwrap();
    assert!(sorted.is_sorted_by(|a, b| r(a) >= r(b)), "{sorted:?}");
    browser.type_into(".filter", "jp").await;
    browser.wait("document.querySelectorAll('.ranking tbody tr').length === 1").await;
    assert_eq!(rows(&mut browser).await[0].0, "JPM");
    assert_eq!(browser.complaints(), []);
}
