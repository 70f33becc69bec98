//! `chunkwise bench steadiness`: three ways beside each other, interrupted and gone on with.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use super::Told;
use crate::support::{Process, TestDatabase, command, run, run_within};

const LIMIT: Duration = Duration::from_secs(300);

fn check(told: &Told) {
    assert_eq!(told.metrics()[0]["name"], "chunkwise_to_plain");
    for way in ["plain", "hypertable", "chunkwise"] {
        let samples = told.samples(&format!("{way}_rate"));
        assert_eq!(samples.len(), 10, "one a step: {samples:?}");
        for figure in ["rate", "worst_stall", "row_bytes"] {
            assert!(told.value(&format!("{way}_{figure}")) > 0.0, "{way} {figure}");
        }
        let slope = |end: &str| told.value(&format!("{way}_slope{end}"));
        assert!(slope("_low") <= slope("") && slope("") <= slope("_high"));
    }
    assert_eq!(told.samples("chunkwise_to_hypertable_at_the_end").len(), 1);
    // Of ten chunks the last one is still written to.
    assert_eq!(told.samples("chunkwise_seal_seconds").len(), 9);
}

#[tokio::test]
async fn bench_steadiness_goes_on_where_it_was_interrupted() {
    let database = TestDatabase::new().await;
    let url = database.url();
    let mut process = Process::spawn(
        command(&["bench", "steadiness", "--quick", "--database-url", &url])
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    let mut lines = BufReader::new(process.stderr()).lines().map(Result::unwrap);
    let first = lines.find_map(|line| Some(line.strip_prefix("in the database ")?.to_owned())).unwrap();
    let name = first.split_once(',').unwrap().0.to_owned();
    assert!(first.contains(&format!("--resume {name}")), "{first}");
    lines.find(|line| line.starts_with("step 3 of 10: plain ")).unwrap();
    process.signal(Signal::INT);
    let said: Vec<String> = lines.collect();
    assert_eq!(process.wait(LIMIT).code(), Some(1), "{said:?}");
    assert!(said.iter().any(|line| line.contains(&format!("--resume {name}"))), "{said:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("steadiness.json");
    let arguments =
        ["bench", "steadiness", "--resume", &name, "--json", file.to_str().unwrap(), "--database-url", &url];
    let said = run_within(&arguments, LIMIT).successful();
    assert!(said.stderr.contains("what an interrupted step has written is removed"), "{}", said.stderr);
    check(&Told::read(&file));
    let left: i64 = database.scalar(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).await;
    assert_eq!(left, 0);

    let again = run(&arguments);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("holds no unfinished run"), "{}", again.stderr);
}

#[tokio::test]
async fn bench_steadiness_runs_on_a_server_of_its_own_with_the_memory_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // The server may run as another account.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("steadiness.json"));
    let arguments = ["bench", "steadiness", "--quick", "--shared-buffers", "32MB"];
    let more = ["--data-dir", data.to_str().unwrap(), "--json", file.to_str().unwrap()];
    run_within(&[&arguments[..], &more].concat(), LIMIT).successful();
    let told = Told::read(&file);
    check(&told);
    assert_eq!(told.report["environment"]["settings"]["shared_buffers"], Value::from("32MB"));
    assert!(!data.join("bench").exists(), "the server's folder is left");

    let refused = run(&[&arguments[..], &["--database-url", "postgres://nobody@127.0.0.1:1/nothing"]].concat());
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("--shared-buffers: is for a server of the benchmark's own"), "{}", refused.stderr);
}

#[tokio::test]
async fn bench_steadiness_looks_at_the_free_disk_first() {
    if std::env::var_os("DATABASE_URL").is_some() {
        println!("SKIPPED: the disk of another machine's server cannot be seen, and the benchmark would begin");
        return;
    }
    let database = TestDatabase::new().await;
    let url = database.url();
    // Some terabytes.
    let refused = run(&["bench", "steadiness", "--rows", "10000000000", "--database-url", &url]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("GB are free in ") && refused.stderr.contains("lower --rows"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("in the database"), "{}", refused.stderr);
}
