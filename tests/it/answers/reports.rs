//! Benchmark reports: what a run keeps is listed and served as it was written, and nothing else of the disk is.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{App, TestDatabase, run};

/// A run of a benchmark that needs no database, within seconds.
fn measured(data: &str) {
    let options = ["--from-blocks", "--quick", "--series", "20", "--buckets", "60", "--data-dir", data];
    let told = run(&[&["bench", "correlation"][..], &options].concat()).successful();
    assert!(told.stderr.contains("kept as "), "{}", told.stderr);
}

#[tokio::test]
async fn a_run_keeps_its_report_and_the_service_lists_and_serves_it() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let app = App::start(&["up", "--database-url", &database.url(), "--data-dir", data]);
    let none = app.get("/api/v1/reports");
    assert_eq!((none.status, none.json()), (200, json!({ "reports": [] })), "no run, and no folder");

    measured(data);
    measured(data);
    let reports = folder.path().join("reports");
    std::fs::write(reports.join("storage-20200101T000000Z.json"), "{\"environment\": \"none\"}").unwrap();
    std::fs::write(reports.join("<script>-20200101T000000Z.json"), "{}").unwrap();
    let listed = app.get("/api/v1/reports?namespace=public").json()["reports"].take();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let named = |at: usize| listed[at]["name"].as_str().unwrap();
    assert!(listed[0]["date"].as_str().unwrap() >= listed[1]["date"].as_str().unwrap() && named(0) != named(1));
    for report in listed {
        let name = report["name"].as_str().unwrap();
        let stored = std::fs::read(reports.join(format!("{name}.json"))).unwrap();
        let answer = app.get(&format!("/api/v1/reports/{name}"));
        assert_eq!((answer.status, &answer.body), (200, &stored));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let content = answer.json();
        assert_eq!(
            (&report["benchmark"], &report["date"], &report["bytes"], &report["figures"], &report["cores"]),
            (
                &json!("computing"),
                &content["environment"]["date"],
                &json!(stored.len()),
                &json!(content["metrics"].as_array().unwrap().len()),
                &content["environment"]["cores"],
            )
        );
    }
    compares(&app, &reports, [named(1), named(0)]);
    refuses(&app, folder.path());
}

/// Two of them: what `chunkwise bench compare` says.
fn compares(app: &App, reports: &Path, [a, b]: [&str; 2]) {
    let [of_a, of_b] = [a, b].map(|name| reports.join(format!("{name}.json")));
    let told = reports.join("compared");
    run(&["bench", "compare", of_a.to_str().unwrap(), of_b.to_str().unwrap(), "--json", told.to_str().unwrap()])
        .successful();
    let told: Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    let compared = app.get(&format!("/api/v1/reports/{a}?against={b}"));
    assert_eq!((compared.status, compared.json()), (200, told));
    assert_eq!(app.get(&format!("/api/v1/reports/{a}?against=computing-20200101T000000Z")).status, 404);
    // Of another benchmark: nothing in common.
    let mut other: Value = serde_json::from_slice(&std::fs::read(of_b).unwrap()).unwrap();
    other["metrics"] = json!([{ "name": "else", "value": 1.0, "unit": "ms", "better": "lower", "samples": [1.0] }]);
    std::fs::write(reports.join("window-20200101T000000Z.json"), other.to_string()).unwrap();
    let apart = app.get(&format!("/api/v1/reports/{a}?against=window-20200101T000000Z"));
    assert_eq!((apart.status, &apart.json()["error"]["details"]["path"]), (400, &json!("against")));
}

/// Names that lead elsewhere, and those of nothing.
fn refuses(app: &App, folder: &Path) {
    std::fs::write(folder.join("secret-20200101T000000Z.json"), "{}").unwrap();
    for name in [
        "computing-20200101T000000Z",
        "storage-20200101T000000Z",
        "%3Cscript%3E-20200101T000000Z",
        "..%2Fsecret-20200101T000000Z",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2Fetc%2Fpasswd",
        "..%5Csecret-20200101T000000Z",
        "secret-20200101T000000Z%00",
        "%2e%2e",
        ".",
    ] {
        let answer = app.get(&format!("/api/v1/reports/{name}"));
        assert_eq!(answer.status, 404, "{name}: {}", String::from_utf8_lossy(&answer.body));
        let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(code == "unknown_report" || code == "not_found", "{name}: {code}");
    }
    let unknown = app.get("/api/v1/reports/computing-20200101T000000Z").json();
    assert_eq!(unknown["error"]["details"]["name"], "computing-20200101T000000Z");
    assert!(unknown["error"]["message"].as_str().unwrap().contains("/api/v1/reports"));
    let wrong = app.get("/api/v1/reports?limit=5");
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (400, &json!("invalid_question")));
}
