//! What the page shows can be had elsewhere: as files, by curl, by Python.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Browser;
use crate::{
    answers::real::Real,
    support::{python_command, run_python},
};

const LINK: &str =
    "/#/correlate?m=prices&bucket=1d&tag.symbol=AAPL&range=2019-01-01..2020-01-01&range=2020-01-01..2021-01-01";
/// Endings and types of the files, in the menu's order.
const FILES: [(&str, &str); 5] = [
    ("csv", "text/csv"),
    ("npy", "application/x-npy"),
    ("npz", "application/x-npz"),
    ("arrows", "application/vnd.apache.arrow.stream"),
    ("json", "application/json"),
];

/// Opens the menu, presses an item, and gives what the sheet of paper says.
async fn paper(browser: &mut Browser, item: &str) -> String {
    browser.click("#export").await;
    let press =
        format!("[...document.querySelectorAll('.sheet .item')].find(one => one.textContent === '{item}').click()");
    browser.eval(&press).await;
    let text = browser.text("document.querySelector('dialog[open] code').textContent").await;
    browser.click("dialog[open] [aria-label=Close]").await;
    browser.wait("!document.querySelector('dialog')").await;
    text
}

/// A file that a browser is downloading, once it is there.
async fn downloaded(file: &Path) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(30);
    // Until then it has another name.
    while !file.exists() {
        assert!(Instant::now() < deadline, "{} is not downloaded", file.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    std::fs::read(file).unwrap()
}

fn output(mut command: Command) -> String {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[tokio::test]
async fn downloads_hold_the_apis_answer_to_the_last_bit() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    browser.download_to(folder.path()).await;
    browser.open(&format!("{}{LINK}", real.app.base)).await;
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    for (ending, kind) in FILES {
        browser.click("#export").await;
        let selector = format!(".sheet a[download$=\".{ending}\"]");
        let quoted = serde_json::json!(selector);
        let link = browser.text(&format!("(a => a.pathname + a.search)(document.querySelector({quoted}))")).await;
        browser.click(&selector).await;
        let saved = downloaded(&folder.path().join(format!("correlation.{ending}"))).await;
        let answer = real.app.get(&link);
        assert_eq!(answer.status, 200, "{link}");
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{link}");
        match ending {
            // The receipt says how long it took this time.
            "json" => {
                let saved: Value = serde_json::from_slice(&saved).unwrap();
                let answer = answer.json();
                assert_eq!((&saved["target"], &saved["ranges"]), (&answer["target"], &answer["ranges"]));
                let shown = browser.text("document.querySelector('.ranking [data-r]').dataset.r").await;
                assert_eq!(shown, answer["ranges"][0]["results"][0]["r"].to_string());
            }
            _ => assert!(saved == answer.body, "{ending}: {} and {} bytes", saved.len(), answer.body.len()),
        }
    }
    run_python(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/page/exports.py"), &[folder.path()]);
    assert_eq!(browser.complaints(), []);
}

#[tokio::test]
async fn curl_and_python_as_the_page_writes_them_get_the_same_answer() {
    let real = Real::shared().await;
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}{LINK}", real.app.base)).await;
    browser.wait("document.querySelector('#ranking')?.dataset.state === 'ready'").await;
    let shown = browser.text("document.querySelector('.ranking [data-r]').dataset.r").await;

    let text = paper(&mut browser, "As curl").await;
    let (_, json) = text.split_once(" -d '").unwrap();
    let asked: Value = serde_json::from_str(json.strip_suffix('\'').unwrap()).unwrap();
    let expected = real.app.ask("/api/v1/correlate", &asked).json();
    assert_eq!(expected["ranges"][0]["results"][0]["r"].to_string(), shown);
    if Command::new("curl").arg("--version").output().is_ok() {
        let mut shell = Command::new("sh");
        shell.args(["-c", &text]).env("NO_PROXY", "127.0.0.1");
        let answer: Value = serde_json::from_str(&output(shell)).unwrap();
        assert_eq!((&answer["target"], &answer["ranges"]), (&expected["target"], &expected["ranges"]));
    } else {
        println!("SKIPPED: curl is not installed (apt-get install curl)");
    }

    let text = paper(&mut browser, "As Python").await;
    // As it stands it prints a table; with a line more, what it was made of.
    let told = output(python_command("-c", &[format!("{text}\nprint(json.dumps(answer))\n")]));
    let (table, answer) = told.trim_end().rsplit_once('\n').unwrap();
    assert!(table.contains("2019-01-01T00:00:00Z..2020-01-01T00:00:00Z") && table.contains("38 rows"), "{table}");
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!((&answer["target"], &answer["ranges"]), (&expected["target"], &expected["ranges"]));
    assert_eq!(browser.complaints(), []);
}
