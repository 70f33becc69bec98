//! `chunkwise bench tsbs`, and TSBS's files.

use std::{io::Write, time::Duration};

use super::Told;
use crate::support::{TestDatabase, run, run_within};

const KINDS: [&str; 15] = [
    "single-groupby-1-1-1",
    "single-groupby-1-1-12",
    "single-groupby-1-8-1",
    "single-groupby-5-1-1",
    "single-groupby-5-1-12",
    "single-groupby-5-8-1",
    "cpu-max-all-1",
    "cpu-max-all-8",
    "double-groupby-1",
    "double-groupby-5",
    "double-groupby-all",
    "high-cpu-all",
    "high-cpu-1",
    "groupby-orderby-limit",
    "lastpoint",
];

#[tokio::test]
async fn bench_tsbs_reports_rates_and_every_type_of_question() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tsbs.json");
    let url = database.url();
    let arguments =
        ["bench", "tsbs", "--quick", "--queries", "3", "--json", file.to_str().unwrap(), "--database-url", &url];
    let said = run_within(&arguments, Duration::from_secs(300)).successful();
    let told = Told::read(&file);
    let rows = 20.0 * 13.0 * 360.0;
    assert_eq!([told.value("rows"), told.value("metrics"), told.value("hosts")], [rows, rows * 10.0, 20.0]);
    let per_row = told.value("insert_metrics_rate") / told.value("insert_rate");
    assert!((per_row - 10.0).abs() < 1e-6 && told.value("insert_ack_p50") > 0.0, "{per_row}");
    for kind in KINDS {
        assert_eq!(told.samples(&format!("{kind}_sql_p50")).len(), 3, "{kind}");
        for percent in [50, 90, 99] {
            assert!(told.value(&format!("{kind}_sql_p{percent}")) > 0.0, "{kind}");
        }
        let has_bars = kind.contains("groupby-") && kind != "groupby-orderby-limit" || kind.starts_with("cpu-max");
        for (path, has_path) in [("bars", has_bars), ("rest", has_bars || kind == "lastpoint")] {
            let name = format!("{kind}_{path}_p90");
            assert_eq!(told.metrics().iter().any(|metric| metric["name"] == name.as_str()), has_path, "{name}");
        }
    }
    // An hour has 61 minutes where it begins within one.
    assert_eq!(told.value("single-groupby-1-1-1_sql_rows"), 61.0);
    assert_eq!(told.value("single-groupby-1-1-1_bars_rows"), 60.0);
    assert_eq!(told.value("double-groupby-all_bars_rows"), 12.0 * 20.0);
    assert_eq!(told.value("lastpoint_sql_rows"), 20.0);

    let database_name = said.stderr.lines().find_map(|line| line.strip_prefix("in the database ")?.split_once(','));
    let (name, _) = database_name.unwrap_or_else(|| panic!("{}", said.stderr));
    let left: i64 = database.scalar(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).await;
    assert_eq!(left, 0);
}

const FIELDS: [&str; 10] = [
    "usage_user",
    "usage_system",
    "usage_idle",
    "usage_nice",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
];

/// 40 rows of two hosts, in TSBS's format for TimescaleDB and in its line protocol.
fn files(folder: &std::path::Path) -> [String; 2] {
    let mut tsbs = format!("tags,hostname string,region string\ncpu,{}\n\n", FIELDS.join(","));
    let mut influx = String::new();
    for row in 0..40_u64 {
        let (tags, time) = (format!("hostname=host_{},region=eu-west-1", row % 2), 1_451_606_400 + row / 2 * 10);
        let values: Vec<String> = (0..10).map(|field| (row * 7 + field * 13).rem_euclid(100).to_string()).collect();
        let named: Vec<String> = FIELDS.iter().zip(&values).map(|(name, value)| format!("{name}={value}i")).collect();
        tsbs.push_str(&format!("tags,{tags}\ncpu,{time}000000000,{}\n", values.join(",")));
        influx.push_str(&format!("cpu,{tags} {} {time}000000000\n", named.join(",")));
    }
    [("timescaledb-data.gz", tsbs), ("influx-data", influx)].map(|(name, text)| {
        let path = folder.join(name);
        let bytes = if name.ends_with(".gz") {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        } else {
            text.into_bytes()
        };
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

#[tokio::test]
async fn both_formats_of_tsbs_are_loaded_as_the_same_rows_once() {
    let database = TestDatabase::new().await;
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    for (file, namespace) in files(folder.path()).iter().zip(["from_tsbs", "from_influx"]) {
        let arguments = ["load", file, "--namespace", namespace, "--database-url", &url];
        let said = run(&arguments).successful();
        assert!(said.text().contains("40 rows written, 0 left out"), "{}", said.text());
        let again = run(&arguments).successful();
        assert!(again.text().contains("0 rows written, 0 left out as bad, 40 were there already"), "{}", again.text());
        let sql = format!(
            "SELECT md5(string_agg(concat_ws(' ', time, hostname, region, {}), '|' ORDER BY time, hostname))
             FROM {namespace}.cpu",
            FIELDS.join(", ")
        );
        let digest: String = database.scalar(&sql).await;
        rows.push(digest);
    }
    assert_eq!(rows[0], rows[1]);

    let json = folder.path().join("tsbs.json");
    let [file, _] = files(folder.path());
    let arguments = ["bench", "tsbs", "--file", &file, "--queries", "2", "--json", json.to_str().unwrap()];
    let said = run_within(&[&arguments[..], &["--database-url", &url]].concat(), Duration::from_secs(200)).successful();
    assert!(
        said.stderr.contains("double-groupby-1: left out, the data have too few hosts or hours"),
        "{}",
        said.stderr
    );
    let told = Told::read(&json);
    assert_eq!([told.value("rows"), told.value("metrics")], [40.0, 400.0]);
    assert!(told.value("insert_rate") > 0.0 && told.value("lastpoint_sql_rows") == 2.0);

    let other = folder.path().join("other");
    std::fs::write(&other, "cpu,hostname=h usage_user=1i 1451606400000000000\n").unwrap();
    let refused = run(&["bench", "tsbs", "--file", other.to_str().unwrap(), "--database-url", &url]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("take those of the use cases cpu-only or devops"), "{}", refused.stderr);
}
