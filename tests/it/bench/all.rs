//! `chunkwise bench all`: every benchmark's figures in one report, and the page.

use std::time::Duration;

use super::Told;
use crate::support::{TestDatabase, run, run_within};

#[tokio::test]
async fn bench_all_writes_every_benchmark_s_figures_and_a_page_that_opens_offline() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (json, html) = (folder.path().join("all.json"), folder.path().join("all.html"));
    let url = database.url();
    let files = ["--json", json.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let arguments = [&["bench", "all", "--quick", "--database-url", &url][..], &files].concat();
    let said = run_within(&arguments, Duration::from_secs(600)).successful();
    assert!(said.text().contains("steadiness.chunkwise_to_plain"), "{}", said.text());

    let told = Told::read(&json);
    for name in [
        "ingest.service_to_ceiling",
        "steadiness.chunkwise_rate",
        "queries.q1_10982_window",
        "correlation.three_ranges_top_50_p90",
        "computing.one_range_to_read_pass",
        "storage.delete_to_drop",
    ] {
        assert!(told.value(name) > 0.0, "{name}");
        let part = name.split_once('.').unwrap().0;
        assert!(told.report["parts"][part]["cpu"].is_string(), "{part}");
    }
    assert!(told.plans().contains(&"queries.q1_10982_sql"));
    assert_eq!(told.report["environment"]["seed"], 1);

    let page = std::fs::read_to_string(&html).unwrap();
    for wanted in ["At a glance", "Rows a second as the data grow", "Q3:", "plain read: the floor", "TimescaleDB 0.4.2"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(page.matches("<svg").count() >= 6, "{}", page.matches("<svg").count());
    for foreign in ["http:", "https:", "<script", "<link", "@import", "url(", "NaN", "inf "] {
        assert!(!page.contains(foreign), "{foreign}");
    }

    // A report is compared with itself: nothing has changed.
    let file = json.to_str().unwrap();
    let compared = run(&["bench", "compare", file, file]).successful();
    assert!(compared.text().contains(" 0 worse,") && !compared.text().contains("differs:"), "{}", compared.text());
}
