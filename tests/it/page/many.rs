//! A hundred thousand series: found while one types, without a frame that anybody would notice.

use std::time::{Duration, Instant};

use super::Browser;
use crate::support::{App, TestDatabase};

const SERIES: usize = 100_000;
/// A frame that takes longer is seen as a stutter.
const FRAME: f64 = 100.0;

/// Notes the longest time between two frames, and the longest task.
const WATCH: &str = "window.worst = 0; window.watching = true; { let last = performance.now(); \
    const frame = now => { window.worst = Math.max(window.worst, now - last); last = now; if (window.watching) requestAnimationFrame(frame); }; \
    requestAnimationFrame(now => { last = now; requestAnimationFrame(frame); }); } \
    window.tasks = []; new PerformanceObserver(list => list.getEntries().forEach(e => window.tasks.push(e.duration))).observe({entryTypes: ['longtask']});";

#[tokio::test]
async fn a_series_is_found_among_a_hundred_thousand_without_a_long_frame() {
    let database = TestDatabase::new().await;
    let app = App::start_with(
        &["up", "--database-url", &database.url()],
        &[("CHUNKWISE_INGEST__MAX_NEW_SERIES_PER_MINUTE", "1000000")],
    );
    let Some(mut browser) = Browser::start().await else { return };
    for part in 0..10 {
        let mut lines = String::new();
        for number in part * SERIES / 10..(part + 1) * SERIES / 10 {
            for minute in 0..3 {
                lines += &format!(
                    "many,symbol=S{number:06} v={} {}\n",
                    (number + minute * 7) % 23,
                    1_700_000_000 + minute * 60
                );
            }
        }
        assert_eq!(app.post("/write?precision=s", lines.as_bytes()).status, 204);
    }
    browser.open(&format!("{}/#/correlate?m=many&bucket=1m&range=2023-11-14..2023-11-16", app.base)).await;
    browser.wait("document.querySelector('#chart')").await;
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
    browser.eval("window.watching = false").await;
    let tasks: Vec<f64> = serde_json::from_value(browser.eval("window.tasks").await).unwrap();
    let worst = browser.eval("window.worst").await.as_f64().unwrap();
    println!("found after {found:?}; longest frame {worst:.0} ms, long tasks {tasks:?}");
    // The page's own work, whatever else the machine does meanwhile, which the time between frames has in it.
    assert!(tasks.iter().all(|task| *task < FRAME), "{tasks:?}");
    assert_eq!(browser.complaints(), []);
}
