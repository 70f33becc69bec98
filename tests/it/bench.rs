//! `chunkwise bench`: it runs, its figures are whole, and nothing is left on the server.

mod all;
mod compare;
mod queries;
mod steadiness;
mod tsbs;

use serde_json::Value;

use crate::support::{TestDatabase, run, run_within};

#[tokio::test]
async fn bench_ingest_reports_service_and_controls_and_drops_its_database() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ingest.json");
    let file = file.to_str().unwrap();
    let arguments = [
        "bench",
        "ingest",
        "--quick",
        "--rows",
        "20000",
        "--many-series",
        "5000",
        "--steady",
        "100000",
        "--json",
        file,
    ];
    let told = run(&[&arguments[..], &["--database-url", &database.url()]].concat()).successful();

    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("null"), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let metrics = report["metrics"].as_array().unwrap();
    let value = |name: &str| -> f64 {
        let metric = metrics.iter().find(|metric| metric["name"] == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in {text}"));
        assert!(matches!(metric["better"].as_str(), Some("higher" | "lower")) && metric["unit"].is_string());
        assert!(!metric["samples"].as_array().unwrap().is_empty(), "{name}");
        metric["value"].as_f64().unwrap()
    };
    assert_eq!(metrics[0]["name"], "service_to_ceiling");
    for name in [
        "service_to_naive",
        "many_series_to_service",
        "many_series_rate",
        "service_rate",
        "ceiling_rate",
        "naive_rate",
        "http_1_connections_1000_lines_rate",
        "http_4_connections_10000_lines_ack_p99",
        "http_rate",
        "single_line_rate",
        "single_line_ack_p50",
        "single_line_ack_max",
        "steady_service_rate",
        "steady_ceiling_rate",
        "service_row_bytes",
        "ceiling_row_bytes",
        "naive_row_bytes",
        "service_memory_peak_bytes",
    ] {
        assert!(value(name) > 0.0, "{name} in {text}");
    }
    // The system's clock of CPU time ticks too slowly for so few rows.
    for name in ["cpu_generator", "cpu_service"] {
        assert!(value(name) >= 0.0, "{name} in {text}");
    }
    assert!(value("naive_row_bytes") > value("ceiling_row_bytes"), "two indexes take room");
    assert!(value("steady_service_slope_low") <= value("steady_service_slope_high"));
    for name in ["cpu", "kernel", "postgres", "timescaledb", "edition", "chunkwise", "date", "build"] {
        assert!(report["environment"][name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert_eq!(report["environment"]["settings"]["fsync"], "on");
    assert!(told.text().contains("service_to_ceiling"), "{}", told.text());

    let said = told.stderr.lines().find_map(|line| line.strip_prefix("in the database ")?.split_once(','));
    let (name, _) = said.unwrap_or_else(|| panic!("{}", told.stderr));
    assert!(name.starts_with("chunkwise_bench_"), "{name}");
    let left: i64 = database.scalar(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn bench_storage_reports_each_figure_beside_its_control_and_drops_its_database() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("storage.json");
    let file = file.to_str().unwrap();
    let arguments = ["bench", "storage", "--quick", "--chunk-rows", "500000", "--chunks", "3", "--json", file];
    let limit = std::time::Duration::from_secs(600);
    let told = run_within(&[&arguments[..], &["--database-url", &database.url()]].concat(), limit).successful();

    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let metrics = report["metrics"].as_array().unwrap();
    let metric = |name: &str| metrics.iter().find(|metric| metric["name"] == name);
    let value = |name: &str| {
        let metric = metric(name).unwrap_or_else(|| panic!("{name} is not in {report:#}"));
        assert!(!metric["samples"].as_array().unwrap().is_empty(), "{name}");
        metric["value"].as_f64().unwrap()
    };
    assert_eq!(metrics[0]["name"], "all_costs_to_naive");
    for name in [
        "sealing_to_alone",
        "half_rate_ack_p99_growth",
        "alone_rate",
        "naive_rate",
        "all_costs_rate",
        "half_rate_alone_ack_p50",
        "half_rate_whole_ack_p99",
        "half_rate_seal_lag_max",
        "half_rate_rollup_lag_max",
        "delete_to_drop",
        "delete_and_vacuum_to_drop",
        "drop_gone_seconds",
        "drop_seconds",
        "delete_seconds",
        "delete_and_vacuum_seconds",
        "row_bytes_hot",
        "seal_seconds",
        "seal_control_seconds",
        "rollup_rate",
    ] {
        assert!(value(name) > 0.0, "{name} in {report:#}");
    }
    let lags = metric("half_rate_seal_lag").unwrap()["samples"].as_array().unwrap();
    assert_eq!(lags.len(), 3, "one a chunk: {lags:?}");
    assert!(value("row_bytes_with_rollups") > value("row_bytes_sealed"), "bars take room");
    assert!(value("row_bytes_naive") > value("row_bytes_hot"), "two indexes take room");
    assert!(told.text().contains("delete_to_drop"), "{}", told.text());

    let said = told.stderr.lines().find_map(|line| line.strip_prefix("in the database ")?.split_once(','));
    let (name, _) = said.unwrap_or_else(|| panic!("{}", told.stderr));
    let left: i64 = database.scalar(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn bench_correlation_and_window_report_each_figure_beside_its_control() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    for (kind, first, names) in [
        (
            "correlation",
            "compute_to_read_pass",
            &[
                "read_pass",
                "first_questions_without_blocks",
                "first_questions_read",
                "first_question_with_blocks",
                "any_ranges_top_50_p90",
                "three_ranges_top_50_p99",
                "250_buckets_top_50_p50",
                "compute",
                "all_results_npy_p50",
                "all_results_json_p50",
                "live_three_ranges_top_50_p90",
                "service_memory_max",
                "further_chunks_0_first_question",
                "further_chunks_0_three_ranges_top_50_p50",
                "further_chunks_2_three_ranges_top_50_p50",
                "further_chunks_20_first_question",
                "further_chunks_20_three_ranges_top_50_p50",
                "further_chunks_20_service_memory",
            ][..],
        ),
        ("window", "frame_to_copy", &["frame", "window_npy", "two_copies", "one_series_p90"]),
    ] {
        let file = folder.path().join(format!("{kind}.json"));
        let file = file.to_str().unwrap();
        let arguments =
            ["bench", kind, "--quick", "--series", "60", "--buckets", "300", "--questions", "3", "--json", file];
        let of_correlations = ["--live", "2000", "--further-chunks", "20"];
        let more: &[&str] = if kind == "correlation" { &of_correlations } else { &[] };
        let limit = std::time::Duration::from_secs(300);
        let url = database.url();
        let told = run_within(&[&arguments[..], more, &["--database-url", &url]].concat(), limit).successful();
        let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let metrics = report["metrics"].as_array().unwrap();
        assert_eq!(metrics[0]["name"], first);
        for name in names {
            let metric = metrics.iter().find(|metric| metric["name"] == *name);
            let metric = metric.unwrap_or_else(|| panic!("{name} is not in {report:#}"));
            assert!(metric["value"].as_f64().unwrap() > 0.0, "{name} in {report:#}");
        }
        if kind == "correlation" {
            let read = metrics.iter().find(|metric| metric["name"] == "first_question_with_blocks_rows_read").unwrap();
            assert_eq!(read["value"], 0.0, "blocks were on disk");
            // Of so few and so short questions the slope may be anything.
            let slope = |end: &str| {
                let name = format!("further_chunks_log_log_slope{end}");
                let found = metrics.iter().find(|metric| metric["name"] == name.as_str());
                found.unwrap_or_else(|| panic!("{name} is not in {report:#}"))["value"].as_f64().unwrap()
            };
            assert!(slope("_low") <= slope("") && slope("") <= slope("_high"));
            let value = |name: &str| &metrics.iter().find(|metric| metric["name"] == name).unwrap()["value"];
            assert_eq!(value("further_chunks_0_first_question_rows_read"), 0.0, "all was warm");
        }
        let said = told.stderr.lines().find_map(|line| line.strip_prefix("in the database ")?.split_once(','));
        let (name, _) = said.unwrap_or_else(|| panic!("{}", told.stderr));
        let left: i64 = database.scalar(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).await;
        assert_eq!(left, 0);
    }
}

#[test]
fn bench_correlation_from_blocks_needs_no_database_and_reports_each_figure_beside_its_control() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blocks.json");
    let data = folder.path().join("data");
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let arguments = [
        "bench",
        "correlation",
        "--from-blocks",
        "--quick",
        "--series",
        "60",
        "--buckets",
        "100",
        "--json",
        file,
        "--data-dir",
        data,
        // Nobody listens there.
        "--database-url",
        "postgres://nobody@127.0.0.1:1/nothing",
    ];
    let told = run(&arguments).successful();
    assert!(!std::path::Path::new(data).join("postgres").exists(), "a database was made");
    let kept: Vec<_> = std::fs::read_dir(std::path::Path::new(data).join("reports")).unwrap().collect();
    let [Ok(kept)] = &kept[..] else { panic!("{kept:?}") };
    assert!(kept.file_name().to_str().is_some_and(|name| name.starts_with("computing-2") && name.ends_with("Z.json")));
    assert_eq!(std::fs::read(kept.path()).unwrap(), std::fs::read(file).unwrap(), "the same as --json has");

    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let metrics = report["metrics"].as_array().unwrap();
    let metric = |name: &str| {
        let metric = metrics.iter().find(|metric| metric["name"] == name);
        metric.unwrap_or_else(|| panic!("{name} is not in {report:#}"))
    };
    let ratios = ["one_range", "five_ranges", "missing_5_percent", "chunks_of_5"];
    for (at, name) in ratios.iter().enumerate() {
        for (control, kind) in ["read_pass", "widest_read_pass"].iter().enumerate() {
            let ratio = metric(&format!("{name}_to_{kind}"));
            assert_eq!(
                (&metrics[2 * at + control], &ratio["unit"]),
                (ratio, &Value::from("ratio")),
                "ratios come first"
            );
            assert_eq!(ratio["samples"].as_array().unwrap().len(), 5, "{ratio}");
            assert!(ratio["value"].as_f64().unwrap() > 0.0, "{ratio}");
        }
        assert!(metric(name)["value"].as_f64().unwrap() > 0.0, "{name}");
    }
    for name in [
        "read_pass",
        "widest_read_pass",
        "missing_5_percent_read_pass",
        "missing_5_percent_widest_read_pass",
        "chunks_of_5_read_pass",
        "chunks_of_5_widest_read_pass",
        "series_5",
        "series_60",
        "series_60_read_pass",
        "series_60_memory",
        "buckets_250",
        "buckets_2000",
        "buckets_2000_read_pass",
        "buckets_2000_memory",
        "series_of_buckets",
    ] {
        assert!(metric(name)["value"].as_f64().unwrap() > 0.0, "{name} in {report:#}");
    }
    for name in ["series", "series_read_pass", "buckets", "buckets_read_pass"] {
        let slope = |end: &str| metric(&format!("{name}_log_log_slope{end}"))["value"].as_f64().unwrap();
        assert!(slope("_low") <= slope("") && slope("") <= slope("_high"), "{name}");
    }
    let environment = report["environment"].as_object().unwrap();
    assert!(environment.contains_key("cpu") && !environment.contains_key("postgres"), "{environment:?}");
    assert!(told.text().contains("one_range_to_read_pass"), "{}", told.text());
}

#[test]
fn bench_correlation_from_blocks_that_do_not_fit_says_what_to_lower() {
    let arguments = ["bench", "correlation", "--from-blocks", "--series", "1000000", "--buckets", "1000000"];
    let told = run(&arguments);
    assert_eq!(told.code, 2, "{}", told.stderr);
    assert!(told.stderr.contains("1000000 series over 1000000 buckets take"), "{}", told.stderr);
    assert!(told.stderr.contains("lower --series or --buckets"), "{}", told.stderr);
}

/// A report that was written with `--json`.
struct Told {
    report: Value,
}

impl Told {
    fn read(file: &std::path::Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains(": null"), "{text}");
        Self { report: serde_json::from_str(&text).unwrap() }
    }

    fn metrics(&self) -> &[Value] {
        self.report["metrics"].as_array().unwrap()
    }

    fn metric(&self, name: &str) -> &Value {
        let found = self.metrics().iter().find(|metric| metric["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is not in {:#}", self.report))
    }

    /// The names of the figures that have a plan.
    fn plans(&self) -> Vec<&str> {
        let plans = self.report["plans"].as_array().unwrap();
        plans.iter().map(|plan| plan["name"].as_str().unwrap()).collect()
    }

    fn value(&self, name: &str) -> f64 {
        self.metric(name)["value"].as_f64().unwrap()
    }

    fn samples(&self, name: &str) -> &[Value] {
        self.metric(name)["samples"].as_array().unwrap()
    }
}
