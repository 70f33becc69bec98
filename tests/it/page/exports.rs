//! What the page shows can be had elsewhere: as files, by curl, by Python.

use std::process::Command;

use serde_json::Value;

use super::Browser;
use crate::{answers::real::Real, support::python_command};

const LINK: &str =
    "/#/correlate?m=prices&bucket=1d&tag.symbol=AAPL&range=2019-01-01..2020-01-01&range=2020-01-01..2021-01-01";

/// Opens the menu, presses an item, and gives what the sheet of paper says.
async fn paper(browser: &mut Browser, item: &str) -> String {
    browser.click("#export").await;
    browser
        .eval(&format!(
            "[...document.querySelectorAll('.sheet .item')].find(one => one.textContent === '{item}').click()"
        ))
        .await;
    let text = browser.text("document.querySelector('dialog[open] code').textContent").await;
    browser.click("dialog[open] [aria-label=Close]").await;
    browser.wait("!document.querySelector('dialog')").await;
    text
}

#[tokio::test]
async fn the_answer_on_the_page_is_the_answer_of_its_files_of_curl_and_of_python() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}{LINK}", real.app.base)).await;
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    let shown = browser.text("document.querySelector('.ranking [data-r]').dataset.r").await;

    browser.click("#export").await;
    let links = browser
        .eval("[...document.querySelectorAll('.sheet a[download]')].map(a => [a.pathname + a.search, a.download])")
        .await;
    browser.press("Escape").await;
    let links: Vec<(String, String)> = serde_json::from_value(links).unwrap();
    let types = [
        ("csv", "text/csv"),
        ("npy", "application/x-npy"),
        ("npz", "application/x-npz"),
        ("arrows", "application/vnd.apache.arrow.stream"),
        ("json", "application/json"),
    ];
    assert_eq!(links.len(), types.len());
    for ((link, file), (ending, kind)) in links.iter().zip(types) {
        let answer = real.app.get(link);
        assert_eq!(answer.status, 200, "{link}");
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{link}");
        assert!(file.ends_with(ending), "{file}");
        if ending == "csv" {
            let text = String::from_utf8(answer.body).unwrap();
            assert!(text.contains(&shown) && text.lines().count() == 1 + 2 * 19, "{shown}: {text}");
        }
    }

    let command = paper(&mut browser, "As curl").await;
    let (begin, json) = command.split_once(" -d '").unwrap();
    assert_eq!(begin, format!("curl -s {}/api/v1/correlate -H 'Content-Type: application/json'", real.app.base));
    let asked: Value = serde_json::from_str(json.strip_suffix('\'').unwrap()).unwrap();
    let answer = real.app.ask("/api/v1/correlate", &asked).json();
    assert_eq!(answer["ranges"][0]["results"][0]["r"].to_string(), shown);

    let script = paper(&mut browser, "As Python").await;
    let ran: Command = python_command("-c", &[&script]);
    let ran = tokio::process::Command::from(ran).output().await.unwrap();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    // However wide the table is printed, it has a line for each range and series.
    assert!(text.contains("2019-01-01T00:00:00Z..2020-01-01T00:00:00Z") && text.lines().count() > 38, "{text}");
    assert_eq!(browser.complaints(), []);
}
