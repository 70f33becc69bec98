//! An empty store, and one that is written to while somebody looks.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Browser;
use crate::support::{App, TestDatabase};

/// Three series' values of some seconds until now.
fn lines(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut lines = String::new();
    for ago in 0..seconds {
        for (number, name) in ["a", "b", "c"].iter().enumerate() {
            let at = now - ago;
            lines += &format!("live,name={name} v={} {at}\n", (at * 7 + number as u64 * (at % 5)) % 31 + 1);
        }
    }
    lines
}

#[tokio::test]
async fn an_empty_store_says_so_and_answers_follow_what_is_written() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&app.base).await;
    browser
        .wait("document.querySelector('main [data-state=empty]')?.textContent.includes('Nothing is stored yet')")
        .await;

    assert_eq!(app.post("/write?precision=s", lines(60).as_bytes()).status, 204);
    browser
        .open(&format!("{}/#/correlate?m=live&bucket=1s&transform=level&tag.name=a&range=last-10m&live=1", app.base))
        .await;
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    browser.wait("document.querySelector('#detail')?.dataset.state === 'ready'").await;
    let before = browser.eval("Number(document.querySelector('.ranking [data-n]').dataset.n)").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(app.post("/write?precision=s", lines(2).as_bytes()).status, 204);
    browser.wait(&format!("Number(document.querySelector('.ranking [data-n]').dataset.n) > {before}")).await;
    assert_eq!(browser.complaints(), []);
}
