//! A view that is left while it waits for an answer leaves the next one alone.

use serde_json::json;

use super::Browser;
use crate::answers::real::Real;

/// Holds back the next answer about measurements until `window.release` is called.
const HOLD: &str = "(() => { const real = window.fetch; window.given = false; window.release = null; \
    window.fetch = (url, options) => { \
        if (!String(url).startsWith('/api/v1/measurements')) return real(url, options); \
        window.fetch = real; \
        return new Promise(resolve => { window.release = resolve; }).then(() => real(url, options)) \
            .finally(() => { window.given = true; }); }; return true; })()";

#[tokio::test]
async fn a_view_that_is_left_while_it_waits_neither_shows_itself_nor_changes_the_address() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    let settled = "['ready', 'empty'].includes(document.querySelector('main #reports')?.dataset.state)";
    browser.open(&format!("{}/#/benchmarks", real.app.base)).await;
    browser.wait(settled).await;
    for view in ["correlate", "explore"] {
        browser.eval(HOLD).await;
        browser.eval(&format!("location.hash = '#/{view}?m=prices'")).await;
        browser.wait("window.release").await;
        browser.eval("location.hash = '#/benchmarks'").await;
        browser.wait(settled).await;
        let address = browser.text("location.hash").await;
        browser.eval("window.release()").await;
        browser.wait("window.given").await;
        // What would come of the answer comes soon after it.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(browser.text("location.hash").await, address, "{view}");
        assert_eq!(browser.eval("document.querySelectorAll('main #reports').length").await, json!(1), "{view}");
        assert_eq!(browser.text("document.querySelector('main h1').textContent").await, "Benchmarks", "{view}");
    }
    assert_eq!(browser.complaints(), []);
}
