//! A hundred thousand series: found while one types, and ranked while one drags, without anything that one would wait for.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Browser;
use crate::support::{App, TestDatabase};

const SERIES: usize = 100_000;
/// A frame that takes longer is seen as a stutter.
const FRAME: f64 = 100.0;
/// The first of the buckets of a minute.
const BEGIN: i64 = 1_700_000_040;
/// As many are made where nobody asks for more.
const BUCKETS: i64 = 45;
/// So many rows are made by one statement.
const STATEMENT_ROWS: i64 = 5_000_000;

/// Notes the longest time between two frames, and the longest task.
const WATCH: &str = "window.worst = 0; window.watching = true; { let last = performance.now(); \
    const frame = now => { window.worst = Math.max(window.worst, now - last); last = now; if (window.watching) requestAnimationFrame(frame); }; \
    requestAnimationFrame(now => { last = now; requestAnimationFrame(frame); }); } \
    window.tasks = []; window.observer ??= new PerformanceObserver(list => list.getEntries().forEach(e => window.tasks.push(e.duration)));
    window.observer.observe({entryTypes: ['longtask']});";

/// Notes how long it takes from an event of a kind until the table that it asks for has been painted.
const CLOCK: &str = "window.trips = []; performance.setResourceTimingBufferSize(10000); window.clock = kind => addEventListener(kind, event => { \
    const card = document.querySelector('#ranking'); const wanted = card.dataset.wanted; \
    const painted = () => requestAnimationFrame(() => { const channel = new MessageChannel(); \
        channel.port1.onmessage = () => { const now = performance.now(); \
            const asked = performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('/api/v1/correlate')).at(-1); \
            window.trips.push({ms: now - event.timeStamp, server: Number(document.querySelector('#receipt').dataset.server), \
                before: asked.startTime - event.timeStamp, asked: asked.responseEnd - asked.startTime, after: now - asked.responseEnd}); }; \
        channel.port2.postMessage(0); }); \
    const look = () => card.dataset.shown === wanted && (watch.disconnect(), painted()); \
    const watch = new MutationObserver(look); watch.observe(card, {attributes: true}); look(); }, {once: true});";

fn at(bucket: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp(BEGIN + bucket * 60, 0).unwrap();
    time.format("%Y-%m-%dT%H:%M").to_string()
}

/// How many buckets there are to be: `CHUNKWISE_TEST_PAGE_BUCKETS`.
fn buckets() -> i64 {
    let asked = std::env::var("CHUNKWISE_TEST_PAGE_BUCKETS").ok();
    asked.map_or(BUCKETS, |text| text.parse().expect("CHUNKWISE_TEST_PAGE_BUCKETS is a number")).max(BUCKETS)
}

/// A row a series through the port, so that they are there; all others by SQL.
async fn fill(database: &TestDatabase, app: &App, buckets: i64) {
    for part in 0..10 {
        let lines = (part * SERIES / 10..(part + 1) * SERIES / 10).fold(String::new(), |lines, number| {
            lines + &format!("many,symbol=S{number:06} v={} {BEGIN}\n", number % 23 + 1)
        });
        assert_eq!(app.post("/write?precision=s", lines.as_bytes()).status, 204);
    }
    let mut from = 1;
    while from < buckets {
        let to = (from + STATEMENT_ROWS / SERIES as i64).min(buckets);
        let sql = format!(
            "WITH made AS (INSERT INTO public_store.many (\"time\", series_id, v)
             SELECT to_timestamp({BEGIN} + 60 * minute), series_id, 1 + (hashint8(series_id * 7919 + minute) & 1023) / 64.0
             FROM generate_series({from}, {to} - 1) minute, public_store.many__series RETURNING 1)
             SELECT count(*) FROM made"
        );
        let made: i64 = database.scalar(&sql).await;
        assert_eq!(made, (to - from) * SERIES as i64);
        from = to;
    }
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

#[tokio::test]
async fn a_hundred_thousand_series_are_searched_and_ranked_without_a_wait() {
    let database = TestDatabase::new().await;
    let app = App::start_with(
        &["up", "--database-url", &database.url()],
        // Bars of as many rows would be made meanwhile.
        &[
            ("CHUNKWISE_INGEST__MAX_NEW_SERIES_PER_MINUTE", "1000000"),
            ("CHUNKWISE_ROLLUPS", "[]"),
            // What it would come to by itself at such a rate.
            ("CHUNKWISE_MEASUREMENT__MANY__CHUNK_INTERVAL", "2h"),
        ],
    );
    let Some(mut browser) = Browser::start().await else { return };
    let buckets = buckets();
    fill(&database, &app, buckets).await;
    // Three ranges of a third each.
    let ranges: String =
        (0..3).map(|k| format!("&range={}..{}", at(buckets * k / 3), at(buckets * (k + 1) / 3))).collect();
    // All rows are read once; of very many that takes longer than one question may.
    let first = question(7, (0..3).map(|k| [buckets * k / 3, buckets * (k + 1) / 3]));
    let deadline = Instant::now() + Duration::from_secs(600);
    while app.ask("/api/v1/correlate", &first).status != 200 {
        assert!(Instant::now() < deadline, "the first question has no answer");
    }
    let link = format!("/#/correlate?m=many&f=v&bucket=1m&transform=level&tag.symbol=S000007{ranges}");
    browser.open(&format!("{}{link}", app.base)).await;
    browser.wait_long("document.querySelector('#ranking')?.dataset.state === 'ready'", Duration::from_secs(600)).await;
    search(&mut browser).await;
    click(&mut browser, &app, buckets).await;
    assert_eq!(browser.complaints(), []);
}

/// One series against all others over ranges of buckets, as the page asks it.
fn question(series: i64, ranges: impl Iterator<Item = [i64; 2]>) -> Value {
    let ranges: Vec<_> = ranges
        .map(|[from, to]| json!({ "from": format!("{}:00Z", at(from)), "to": format!("{}:00Z", at(to)) }))
        .collect();
    json!({ "measurement": "many", "field": "v", "bucket": "1m", "transform": "level", "top": 100,
        "stats": ["p_value", "ci95"], "target": { "symbol": format!("S{series:06}") }, "ranges": ranges })
}

async fn search(browser: &mut Browser) {
    browser.click("[role=combobox]").await;
    browser.wait("document.querySelectorAll('.option').length > 5").await;
    assert!(browser.text("document.querySelector('.picker .foot').textContent").await.contains("100,000"));

    browser.eval(WATCH).await;
    let begun = Instant::now();
    browser.type_into("[role=combobox]", "S0777").await;
    browser.wait("document.querySelector('.option bdi')?.textContent === 'S077700'").await;
    let found = begun.elapsed();
    browser.type_into("[role=combobox]", "S").await;
    browser.wait("document.querySelector('.option bdi')?.textContent === 'S000000'").await;
    // Ten thousand rows down, page after page.
    for _ in 0..40 {
        browser.eval("document.querySelector('.picker .rows').scrollTop += 2500").await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let rows = browser.eval("document.querySelectorAll('.option').length").await.as_u64().unwrap();
    assert!(rows < 40, "{rows} rows are in the document");
    browser.press("Escape").await;
    let tasks = long_tasks(browser, &format!("found after {found:?}")).await;
    assert!(tasks.iter().all(|task| *task < FRAME), "{tasks:?}");
}

/// The page's own work, whatever else the machine does meanwhile, which the time between frames has in it.
async fn long_tasks(browser: &mut Browser, what: &str) -> Vec<f64> {
    browser.eval("window.watching = false").await;
    let tasks: Vec<f64> = serde_json::from_value(browser.eval("window.tasks").await).unwrap();
    let worst = browser.eval("window.worst").await.as_f64().unwrap();
    println!("{what}; longest frame {worst:.0} ms, long tasks {tasks:?}");
    tasks
}

/// Twelve ranges are let go of and twelve other series chosen; each time the table is waited for.
async fn click(browser: &mut Browser, app: &App, buckets: i64) {
    browser.eval(CLOCK).await;
    browser.eval(WATCH).await;
    let expected = |browser_trips: usize| format!("window.trips.length === {browser_trips}");
    // Whoever clicks has looked at what is there.
    let rests = "document.querySelectorAll('#chart .band').length === 3 && !document.querySelector('[aria-busy]')";
    for step in 0..12_usize {
        browser.wait_long(rests, Duration::from_secs(60)).await;
        let place = browser.eval("(b => [b.left + b.width / 2, b.top + b.height / 2, b.width])(document.querySelectorAll('.band')[2].getBoundingClientRect())").await;
        let [x, y, width] = [0, 1, 2].map(|k| place[k].as_f64().unwrap());
        // To the left and back, each time by another part of its width.
        let by = width * (0.2 + 0.03 * step as f64) * if step % 2 == 0 { -1.0 } else { 1.0 };
        browser.eval("window.clock('pointerup')").await;
        browser.drag((x, y), (x + by, y)).await;
        browser.wait(&expected(step + 1)).await;
    }
    for step in 0..12_usize {
        let name = format!("S{:06}", 1 + step * 8_111);
        browser.type_into("[role=combobox]", &name).await;
        browser.wait(&format!("document.querySelector('.option bdi')?.textContent === '{name}'")).await;
        browser.wait_long(rests, Duration::from_secs(60)).await;
        browser.eval("window.clock('click')").await;
        browser.click(".option").await;
        browser.wait(&expected(step + 13)).await;
    }
    // Told and not judged: the server computes on all cores meanwhile, and whatever waits for one looks long.
    long_tasks(browser, "24 questions").await;
    let of = async |browser: &mut Browser, field: &str| -> Vec<f64> {
        serde_json::from_value(browser.eval(&format!("window.trips.map(trip => trip.{field})")).await).unwrap()
    };
    let (trips, receipts) = (of(browser, "ms").await, of(browser, "server").await);
    let parts = [of(browser, "before").await, of(browser, "asked").await, of(browser, "after").await];

    // What the server takes for the same kind of question, asked by nobody else.
    let mut server = Vec::new();
    for step in 0..24 {
        let bound = |part: i64| (buckets * part / 3 - step % 3).max(0);
        let question = question(2 + step * 4_001, (0..3).map(|k| [bound(k), bound(k + 1)]));
        let begun = Instant::now();
        assert_eq!(app.ask("/api/v1/correlate", &question).status, 200);
        server.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let line = |what: &str, values: &[f64]| {
        println!(
            "{what}: p50 {:.1} ms, p90 {:.1} ms, most {:.1} ms",
            percentile(values, 50),
            percentile(values, 90),
            percentile(values, 100)
        );
    };
    println!("{SERIES} series x {buckets} buckets, three ranges, {} questions", trips.len());
    line("from click to painted table", &trips);
    for (what, part) in ["until it is asked", "until the answer is there", "until it is painted"].iter().zip(&parts) {
        line(what, part);
    }
    line("the server, by its receipts", &receipts);
    line("the server alone, over HTTP", &server);
    println!("p90 to p90: {:.2}", percentile(&trips, 90) / percentile(&server, 90));
}
