//! Every view fits a phone, names its controls, and has two themes.

use serde_json::json;

use super::Browser;
use crate::answers::real::Real;

/// What can be worked without a name that is said aloud.
const NAMELESS: &str = "[...document.querySelectorAll('button, input, select, a, [role=img], [tabindex=\"0\"]:not(tr)')] \
    .filter(one => one.offsetParent !== null && !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length)) \
    .map(one => one.outerHTML.slice(0, 120))";

#[tokio::test]
async fn every_view_fits_a_phone_and_says_what_its_controls_are() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    let ready = [
        ("correlate", "document.querySelector('#ranking')?.dataset.state === 'ready'"),
        ("explore", "document.querySelector('#explore-chart')?.dataset.state === 'ready'"),
        ("store", "document.querySelector('#measurements')?.dataset.state === 'ready'"),
        ("benchmarks", "['ready', 'empty'].includes(document.querySelector('#reports')?.dataset.state)"),
    ];
    for (width, height) in [(390, 844), (1440, 900)] {
        browser.resize(width, height).await;
        for (view, ready) in ready {
            browser.open(&format!("{}/#/{view}?m=prices", real.app.base)).await;
            browser.wait(ready).await;
            let overflow = browser.eval(&format!("document.documentElement.scrollWidth - {width}")).await;
            assert!(overflow.as_i64().unwrap() <= 0, "{view} at {width}: {overflow} pixels too wide");
            assert_eq!(browser.eval(NAMELESS).await, json!([]), "{view}");
            assert_eq!(browser.eval("document.querySelectorAll('h1').length").await, 1, "{view}");
            let current =
                browser.text("document.querySelector('.views [aria-current]').textContent.toLowerCase()").await;
            assert_eq!(current, view);
        }
    }
    // The switch changes the colours at once, and is remembered.
    let ground = "getComputedStyle(document.body).backgroundColor";
    let before = browser.text(ground).await;
    browser.click("#theme").await;
    let after = browser.text(ground).await;
    assert_ne!(before, after);
    browser.open(&format!("{}/#/store", real.app.base)).await;
    browser.wait(&format!("document.querySelector('#measurements') && {ground} === {}", json!(after))).await;
    // A view that is none says so, and the way on stays.
    browser.open(&format!("{}/#/nonsense", real.app.base)).await;
    browser.wait("document.querySelector('main [data-state=failed]')?.textContent.includes('nonsense')").await;
    browser.open(&format!("{}/#/correlate?m=nothing", real.app.base)).await;
    browser.wait("document.querySelector('main [data-state=failed]')?.textContent.includes('nothing')").await;
    browser.click("main [data-state=failed] button").await;
    browser.wait(ready[0].1).await;
    assert_eq!(browser.complaints(), []);
}
