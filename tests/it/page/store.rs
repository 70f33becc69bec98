//! Store: what there is, and what comes in while one looks.

use serde_json::json;

use super::Browser;
use crate::{answers::real::loaded, support::App};

#[tokio::test]
async fn measurements_chunks_and_what_comes_in_are_shown_as_the_api_has_them() {
    let database = loaded().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}/#/store?m=prices", app.base)).await;
    for card in ["measurements", "chunks", "ingestion"] {
        browser.wait(&format!("document.querySelector('#{card}')?.dataset.state === 'ready'")).await;
    }
    browser.wait("document.querySelector('#dead-letters').dataset.state === 'empty'").await;
    let names =
        browser.eval("[...document.querySelectorAll('#measurements tbody a')].map(name => name.textContent)").await;
    assert_eq!(names, json!(["prices", "stocks"]));
    let chunks = app.get("/api/v1/chunks?measurement=prices").json()["chunks"].as_array().unwrap().len();
    let label = browser.text("document.querySelector('#chunks .chart').getAttribute('aria-label')").await;
    assert!(label.starts_with(&format!("{chunks} chunks")), "{label}");

    // Two lines are good, one is not.
    let written =
        app.post("/write?precision=s", b"room,place=a t=1 1700000000\nroom,place=b t=2 1700000000\nroom,place= t=2");
    assert_eq!(written.status, 400);
    browser.wait("document.querySelector('#ingestion').dataset.committed === '2'").await;
    browser.wait("document.querySelector('[aria-label=\"Refused lines by reason\"]')").await;
    browser
        .wait("[...document.querySelectorAll('#ingestion .legend span')].some(one => one.textContent.includes('/s'))")
        .await;
    assert_eq!(browser.complaints(), []);
}
