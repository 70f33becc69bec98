//! Questions from a shell, and the program's own commands.

use std::{fs, process::Command};

use serde_json::json;

use super::real::{Real, ask, correlation};
use crate::support::{Finished, TestDatabase, run};

const QUESTION: &str = "window prices close --bucket 1d --series symbol=AAPL --series symbol=XOM --transform log_return \
                        --from 2020-01-01 --to 2020-02-01";

/// Runs a command line, whose words are apart by blanks, with more arguments behind.
fn shell(line: &str, more: &[&str]) -> Finished {
    run(&line.split_whitespace().chain(more.iter().copied()).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_window_is_written_as_the_port_writes_it() {
    let real = Real::shared().await;
    let url = real.database.url();
    let question = ask(json!({
        "series": {"symbol": ["AAPL", "XOM"]}, "transform": "log_return",
        "from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z",
    }));
    let asked = |parameters: &str| real.app.ask(&format!("/api/v1/window?{parameters}"), &question).body;
    let csv = shell(QUESTION, &["--format", "csv", "--database-url", &url]).successful();
    assert_eq!(csv.text(), String::from_utf8(asked("format=csv")).unwrap());
    assert!(csv.text().starts_with("series_id,symbol,time,value\n"));
    assert_eq!(csv.stderr, "", "a result that is piped on has nothing beside it");
    let wide = shell(QUESTION, &["--format", "csv", "--layout", "wide", "--database-url", &url]).successful();
    assert_eq!(wide.text(), String::from_utf8(asked("format=csv&layout=wide")).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("returns.npy");
    let path = file.to_str().unwrap();
    let told = shell(QUESTION, &["--format", "npy", "-o", path, "--database-url", &url]).successful();
    assert!(told.stdout.is_empty());
    assert_eq!(fs::read(&file).unwrap(), asked("format=npy"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
    let piped = shell(QUESTION, &["--format", "npy", "--database-url", &url]).successful();
    assert_eq!(piped.stdout, asked("format=npy"));
}

#[tokio::test]
async fn what_no_series_has_is_said_beside_the_answer() {
    let real = Real::shared().await;
    let url = real.database.url();
    let window =
        "window prices close --bucket 1d --series symbol=AAPL --series symbol=AAPLE --from 2020-01-01 --to 2020-01-04";
    let told = shell(window, &["--format", "csv", "--database-url", &url]).successful();
    assert_eq!(told.stderr, "note: no series that was found has symbol=AAPLE\n");
    let correlate = "correlate prices close --bucket 1d --target symbol=AAPL --against symbol=MSFT --against symbol=XOMM \
                     --range 2020-01-01..2021-01-01 --top 1";
    let told = shell(correlate, &["--database-url", &url]).successful();
    assert_eq!(told.stderr, "note: no series that was found has symbol=XOMM\n");
    assert!(told.text().starts_with("AAPL against 1 series\n"), "{}", told.text());
}

#[tokio::test]
async fn tables_are_for_people() {
    let real = Real::shared().await;
    let url = real.database.url();
    let line =
        "window prices close --bucket 1d --series symbol=AAPL --series symbol=XOM --from 2020-01-01 --to 2020-01-04";
    let long = shell(line, &["--database-url", &url]).successful();
    for cells in [["AAPL", "2020-01-02", "73.348"], ["XOM", "2020-01-03", "58.06"]] {
        assert!(long.text().lines().any(|line| cells.iter().all(|cell| line.contains(cell))), "{}", long.text());
    }
    assert!(long.text().contains("1 of 34 chunks read"), "{}", long.text());
    let wide = shell(line, &["--layout", "wide", "--database-url", &url]).successful();
    let row = ["2020-01-02", "73.348", "58.531"];
    assert!(wide.text().lines().any(|line| row.iter().all(|cell| line.contains(cell))), "{}", wide.text());

    let line = "correlate prices close --bucket 1d --transform log_return --target symbol=AAPL \
                --range 2020-01-01..2021-01-01 --top 3";
    let table = shell(line, &["--database-url", &url]).successful();
    assert!(table.text().starts_with("AAPL against 19 series, the top 3\n"), "{}", table.text());
    let best = real.app.ask("/api/v1/correlate", &correlation(json!({"top": 3}))).json();
    let mut lines = table.text().lines();
    for result in best["ranges"][0]["results"].as_array().unwrap() {
        let cells =
            [result["series"]["symbol"].as_str().unwrap().to_owned(), format!("{:.4}", result["r"].as_f64().unwrap())];
        assert!(lines.any(|line| cells.iter().all(|cell| line.contains(cell))), "{cells:?} in {}", table.text());
    }
}

const LOAD: &str = concat!("load ", env!("CARGO_MANIFEST_DIR"), "/tests/data/stocks_ohlcv.csv.gz");

#[tokio::test]
async fn a_load_that_refuses_rows_writes_the_others_and_says_so_by_its_exit_code() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.lp");
    fs::write(&file, "m,t=a v=1 1700000000000000000\nnonsense\nm,t=a v=2 1700000001000000000\n").unwrap();
    let told = run(&["load", file.to_str().unwrap(), "--database-url", &database.url()]);
    assert_eq!(told.code, 4, "{}", told.stderr);
    assert!(told.text().contains("2 rows written, 1 left out"), "{}", told.text());
    assert!(!told.stderr.contains("error:") && told.stderr.contains("line 2"), "{}", told.stderr);
}

#[test]
fn a_doctor_that_cannot_reach_the_database_says_so_by_its_exit_code() {
    let told = run(&["db", "doctor", "--database-url", "postgresql://nobody@127.0.0.1:1/none"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(told.text().contains("FAIL"), "{}", told.text());
}

#[tokio::test]
async fn the_exit_code_says_whose_fault_it_is() {
    let real = Real::shared().await;
    let url = real.database.url();
    let window = "window prices close --bucket 1d --from 2020-01-01 --to 2020-02-01";
    let nowhere = ["--database-url", "postgresql://nobody@127.0.0.1:1/none"];
    let here = ["--database-url", url.as_str()];
    for (line, more, code, advice) in [
        ("", &[][..], 2, "Usage"),
        ("frobnicate", &[], 2, "--help"),
        ("window prices close --bucket 5y --from 2020-01-01 --to 2020-02-01", &here, 2, "not a duration"),
        ("window prices close --bucket 1d --from 2020-02-01 --to 2020-01-01", &here, 2, "later"),
        ("window prices close --bucket 1d --from 2020-01-01 --to 2020-02-01 --series colour=red", &here, 2, "symbol"),
        ("window pricse close --bucket 1d --from 2020-01-01 --to 2020-02-01", &here, 2, "did you mean `prices`"),
        ("window prices closed --bucket 1d --from 2020-01-01 --to 2020-02-01", &here, 2, "did you mean `close`"),
        ("correlate prices close --bucket 1d --target symbol=AAPLE --range 2020-01-01..2021-01-01", &here, 2, "target"),
        (
            "correlate prices close --bucket 1d --target symbol=AAPL --target symbol=XOM --range 2020-01-01..2021-01-01",
            &here,
            2,
            "add tags",
        ),
        (
            "window prices close --bucket 1d --from 2020-01-01 --to 2020-02-01 --limit-bytes 9",
            &here,
            2,
            "shorter range",
        ),
        (window, &["--database-url", "nonsense"], 2, "--database-url"),
        (window, &["--format", "npy", "-o", "/nowhere/at/all.npy", "--database-url", &url], 1, "/nowhere/at/all.npy"),
        ("load /nowhere/at/all.csv", &here, 2, "/nowhere/at/all.csv"),
        (LOAD, &["--tag-columns", "colour", "--dry-run"], 2, "there is no column `colour`"),
        ("db start", &["--data-dir", "/proc/chunkwise"], 2, "--data-dir"),
        (window, &nowhere, 3, "connecting to the database"),
        (window, &here, 0, ""),
    ] {
        let told = shell(line, more);
        assert_eq!(told.code, code, "{line} {more:?}: {}", told.stderr);
        assert!(told.stderr.contains(advice), "{line} {more:?}: {}", told.stderr);
        assert_eq!(told.stdout.is_empty(), code != 0, "{line} {more:?}");
    }
}

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_subcommand_has_help_with_an_example() {
    let help = run(&["--help"]).successful();
    let commands = subcommands(help.text());
    for command in ["up", "ingest", "serve", "load", "window", "correlate", "db", "completions", "man"] {
        assert!(commands.iter().any(|listed| listed == command), "{command} in {commands:?}");
    }
    for command in &commands {
        let help = run(&[command, "--help"]).successful();
        let example = format!("\n  chunkwise {command} ");
        assert!(help.text().contains("\nExamples:\n") && help.text().contains(&example), "{command}: {}", help.text());
        for inner in subcommands(help.text()) {
            let help = run(&[command, &inner, "--help"]).successful();
            assert!(help.text().contains(&format!("Usage: chunkwise {command} {inner}")), "{command} {inner}");
        }
    }
    assert!(help.text().contains("Exit codes: 0 done"));
    assert_eq!(run(&["--version"]).successful().text(), format!("chunkwise {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_for_bash_are_a_script_that_completes() {
    let script = run(&["completions", "bash"]).successful();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chunkwise");
    fs::write(&file, &script.stdout).unwrap();
    let asked = r#"source "$1"; COMP_WORDS=(chunkwise corr); COMP_CWORD=1; _chunkwise chunkwise corr chunkwise; echo "${COMPREPLY[@]}""#;
    let output = Command::new("bash").args(["-c", asked, "bash"]).arg(&file).output().unwrap();
    assert_eq!(
        str::from_utf8(&output.stdout).unwrap().trim(),
        "correlate",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn there_is_a_manual_page_for_every_subcommand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1");
    run(&["man", "--dir", path.to_str().unwrap()]).successful();
    for command in subcommands(run(&["--help"]).successful().text()) {
        let page = fs::read_to_string(path.join(format!("chunkwise-{command}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(&format!("chunkwise\\-{command}")), "{command}: {page}");
    }
    assert!(run(&["man"]).successful().text().contains(".TH chunkwise 1"));
}
