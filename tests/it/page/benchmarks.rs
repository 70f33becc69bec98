//! Benchmarks: kept reports side by side, with the verdicts that the command for it gives.

use std::path::Path;

use serde_json::{Value, json};

use super::Browser;
use crate::support::{App, TestDatabase, run};

const READY: &str = "document.querySelector('#figures-of-reports')?.dataset.state === 'ready'";

/// Runs a benchmark that needs no database, with more series each time so that something changes.
fn measured(data: &Path, series: &str) {
    let options = ["--from-blocks", "--quick", "--series", series, "--buckets", "60", "--data-dir"];
    run(&[&["bench", "correlation"][..], &options, &[data.to_str().unwrap()]].concat()).successful();
}

/// The page's rows: name, A, B and verdict, as data.
async fn rows(browser: &mut Browser) -> Vec<Value> {
    let script = "[...document.querySelectorAll('.figures tr[data-figure]')].map(row => \
                  [row.dataset.figure, row.dataset.a ? Number(row.dataset.a) : null, row.dataset.b ? Number(row.dataset.b) : null, row.dataset.verdict ?? null])";
    browser.eval(script).await.as_array().unwrap().clone()
}

#[tokio::test]
async fn two_reports_stand_side_by_side_with_the_verdicts_of_bench_compare() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let app = App::start(&["up", "--database-url", &database.url(), "--data-dir", data.to_str().unwrap()]);
    let Some(mut browser) = Browser::start().await else { return };
    browser.open(&format!("{}/#/benchmarks", app.base)).await;
    browser.wait("document.querySelector('#reports')?.dataset.state === 'empty'").await;
    let said = browser.text("document.querySelector('#reports .state').textContent").await;
    assert!(said.contains("chunkwise bench"), "{said}");

    measured(data, "20");
    measured(data, "200");
    std::fs::write(data.join("reports/<b>-20200101T000000Z.json"), "{}").unwrap();
    browser.open(&format!("{}/#/benchmarks", app.base)).await;
    browser.wait(READY).await;
    let reports = app.get("/api/v1/reports").json()["reports"].take();
    let name = |at: usize| reports[at]["name"].as_str().unwrap().to_owned();
    let report = |name: &str| app.get(&format!("/api/v1/reports/{name}")).json();
    let shown =
        browser.eval("[...document.querySelectorAll('#reports tr[data-report]')].map(r => r.dataset.report)").await;
    assert_eq!(shown, json!([name(0), name(1)]));

    // Nothing was chosen: the newest alone, each figure as the API has it.
    let newest = report(&name(0));
    let alone = rows(&mut browser).await;
    let metrics = newest["metrics"].as_array().unwrap();
    assert_eq!(alone.len(), metrics.len());
    for metric in metrics {
        let row = alone.iter().find(|row| row[0] == metric["name"]);
        let row = row.unwrap_or_else(|| panic!("{metric} is not in {alone:?}"));
        assert_eq!((row[1].as_f64(), &row[2], &row[3]), (metric["value"].as_f64(), &Value::Null, &Value::Null));
    }

    // The older one first, the newer one beside it: what `chunkwise bench compare` says.
    let (a, b) = (name(1), name(0));
    browser.click(&format!("tr[data-report=\"{a}\"] button[value=a]")).await;
    browser.click(&format!("tr[data-report=\"{b}\"] button[value=b]")).await;
    browser.wait(&format!("location.hash.includes('a={a}') && location.hash.includes('b={b}')")).await;
    browser.wait(&format!("{READY} && document.querySelector('.figures [data-verdict]')")).await;
    let file = |name: &str| data.join("reports").join(format!("{name}.json")).to_str().unwrap().to_owned();
    let compared = data.join("compared.json");
    run(&["bench", "compare", &file(&a), &file(&b), "--json", compared.to_str().unwrap()]).successful();
    let compared: Value = serde_json::from_slice(&std::fs::read(compared).unwrap()).unwrap();
    let shown = rows(&mut browser).await;
    let mut verdicts = 0;
    for one in compared["metrics"].as_array().unwrap() {
        let row = shown.iter().find(|row| row[0] == one["name"]).unwrap_or_else(|| panic!("{one} is not shown"));
        assert_eq!(row[3], one["judgement"], "{one}");
        assert_eq!([row[1].as_f64(), row[2].as_f64()], [one["a"]["value"].as_f64(), one["b"]["value"].as_f64()]);
        verdicts += usize::from(one["judgement"] != "unknown");
    }
    assert!(verdicts > 5, "{compared:#}");
    assert!(shown[0][0].as_str().unwrap().contains("_to_"), "ratios come first: {shown:?}");
    let charts = browser.eval("document.querySelectorAll('#report-charts .chart').length").await;
    assert!(charts.as_u64().unwrap() >= 2, "{charts}");

    // On a phone too.
    browser.resize(390, 844).await;
    browser.wait("innerWidth === 390").await;
    assert_eq!(browser.eval("document.documentElement.scrollWidth").await, 390);
    browser.resize(1440, 900).await;

    // Filtered; and whoever gets the link sees the same.
    browser.type_into("#figure-filter", "read_pass").await;
    browser.wait("location.hash.includes('filter=read_pass')").await;
    let filtered = rows(&mut browser).await;
    assert!(filtered.len() < shown.len() && filtered.iter().all(|row| row[0].as_str().unwrap().contains("read_pass")));
    let link = browser.text("location.href").await;
    browser.open(&link).await;
    browser.wait(&format!("{READY} && document.querySelector('.figures [data-verdict]')")).await;
    assert_eq!(rows(&mut browser).await, filtered);
    assert_eq!(browser.complaints(), []);

    // One that is gone is said to be, and the others stay.
    std::fs::remove_file(file(&a)).unwrap();
    browser.open(&link).await;
    browser.wait("document.querySelector('#figures-of-reports')?.dataset.state === 'failed'").await;
    let said = browser.text("document.querySelector('#figures-of-reports .state').textContent").await;
    assert!(said.contains(&a), "{said}");
    browser.click(&format!("tr[data-report=\"{b}\"] button[value=a]")).await;
    browser.wait(READY).await;
}
