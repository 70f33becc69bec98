//! While the database is away the page says so, keeps what it has, and goes on by itself when it is back.

use super::Browser;
use crate::{
    answers::real,
    support::{App, Proxy},
};

#[tokio::test]
async fn an_outage_is_shown_and_recovered_from_without_a_hand() {
    let database = real::loaded().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    let Some(mut browser) = Browser::start().await else { return };
    let link = "/#/correlate?m=prices&f=close&bucket=1d&tag.symbol=AAPL&range=2020-01-01..2021-01-01";
    browser.open(&format!("{}{link}", app.base)).await;
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    browser.wait("document.querySelector('#health').dataset.health === 'well'").await;

    proxy.cut();
    browser.choose("#transform", "pct").await;
    browser.wait("document.querySelector('#ranking').dataset.state === 'failed'").await;
    browser.wait("document.querySelector('#health').dataset.health === 'away'").await;
    assert!(browser.text("document.querySelector('#outage').textContent").await.contains("database"));
    let said = browser.text("document.querySelector('#ranking .state').textContent").await;
    assert!(said.contains("away"), "{said}");
    // A page that is opened now says so too.
    browser.open(&format!("{}{link}", app.base)).await;
    browser.wait("document.querySelector('main [data-code=database_unavailable]')").await;

    proxy.heal();
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    browser
        .wait("document.querySelector('#health').dataset.health === 'well' && document.querySelector('#outage').hidden")
        .await;
    assert_eq!(browser.eval("document.querySelectorAll('.ranking tbody tr').length").await, 19);
    // Answers of 503 are in the console, as they should be; nothing else is.
    let complaints: Vec<_> = browser.complaints().iter().filter(|complaint| complaint.source != "network").collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
