//! `chunkwise bench queries`: each cell by each path, with plans, at rest and while rows come in.

use std::time::Duration;

use super::Told;
use crate::support::{TestDatabase, run_within};

#[tokio::test]
async fn bench_queries_reports_each_cell_by_each_path_with_its_plan() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.json");
    let url = database.url();
    let arguments = ["bench", "queries", "--quick", "--json", file.to_str().unwrap(), "--database-url", &url];
    let said = run_within(&arguments, Duration::from_secs(400)).successful();
    let told = Told::read(&file);

    let records = [10_982, 14_313, 17_904, 21_525, 24_985];
    for records in records {
        for question in ["q1", "q2", "q3"] {
            for path in ["sql", "window", "rollup", "plain"] {
                let name = format!("{question}_{records}_{path}");
                assert_eq!(told.samples(&name).len(), 2, "{name}");
                assert!(told.value(&format!("live_{name}")) > 0.0);
                assert!(told.plans().contains(&name.as_str()), "{name} has no plan");
            }
            assert!(told.value(&format!("{question}_{records}_sql_to_rollup")) > 0.0);
            assert!(told.value(&format!("live_{question}_{records}_window_growth")) > 0.0);
            assert!(told.value(&format!("{question}_{records}_rows")) >= 20.0);
            let chunks = |path: &str, what: &str| told.value(&format!("{question}_{records}_{path}_chunks_{what}"));
            // An hour a chunk, two hours each.
            assert_eq!(chunks("sql", "touched"), 2.0, "{question} {records}");
            assert_eq!(chunks("sql", "excluded"), 108.0);
            assert_eq!(chunks("window", "touched"), 2.0);
            // Of the last minute or two there may be no bars yet.
            assert!(chunks("rollup", "touched") <= 1.0, "bars are enough");
        }
    }
    for name in ["store_1x_q1_sql", "store_10x_q2_window", "store_100x_q1_rollup", "store_100x_to_1x_q2_sql"] {
        assert!(told.value(name) > 0.0, "{name}");
    }
    for path in ["sql", "window"] {
        for (times, excluded) in [(1, 0.0), (10, 9.0), (100, 99.0)] {
            let chunks = |what: &str| told.value(&format!("store_{times}x_q2_{path}_chunks_{what}"));
            assert_eq!((chunks("touched"), chunks("excluded")), (1.0, excluded), "{path} {times}");
        }
    }
    assert!((0.0..=1.0).contains(&told.value("live_rate_kept")) && told.value("live_ack_p99") > 0.0);
    for name in ["sql_to_rollup_least", "plain_to_window_least", "live_window_growth_most", "live_window_slowest"] {
        assert!(told.value(name) > 0.0, "{name}");
    }
    assert_eq!(told.report["published"]["software"], "TimescaleDB 0.4.2, 2018");
    assert!(said.text().contains("published, not measured here:"), "{}", said.text());

    let database_name = said.stderr.lines().find_map(|line| line.strip_prefix("in the database ")?.split_once(','));
    let (name, _) = database_name.unwrap_or_else(|| panic!("{}", said.stderr));
    let left: i64 = database.scalar(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).await;
    assert_eq!(left, 0);
}
