//! `chunkwise load`: files into a database.

use std::{fs, io::Write, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::real::{SP500, STOCKS};
use crate::support::{Finished, TestDatabase, run};

/// A folder of files to load.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn add(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.into_os_string().into_string().unwrap()
    }
}

fn load(database: &TestDatabase, arguments: &[&str]) -> Finished {
    run(&[&["load", "--database-url", &database.url()], arguments].concat())
}

const WITH_BAD_ROWS: &str = "\
time,symbol,price
2020-01-01,A,1
2020-01-02,A,abc
2020-13-03,A,3
2020-01-04,A,4,5
2020-01-05,B,5
2020-01-06,B,
2020-01-07,B,7
2020-01-08,B,8
2020-01-09,B,9
2020-01-10,B,10
";

#[tokio::test]
async fn a_dry_run_tells_what_would_be_written_and_writes_nothing() {
    let database = TestDatabase::new().await;
    let told = load(&database, &["--dry-run", SP500, "--wide-tag", "symbol", "--field", "close"]).successful();
    let text = told.text();
    assert!(text.contains("measurement  sp500_prices"), "{text}");
    assert!(
        text.contains("would write 166260 rows of 20 series, 1990-01-02T00:00:00Z to 2022-12-28T00:00:00Z; 0 bad"),
        "{text}"
    );
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM chunkwise.measurement").await, 0);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM timescaledb_information.hypertables").await, 0);
    // It needs no database either.
    let nowhere = ["--database-url", "postgresql://nobody@127.0.0.1:1/none"];
    run(&[&["load", "--dry-run", STOCKS], &nowhere[..]].concat()).successful();
}

#[tokio::test]
async fn bad_rows_are_told_with_file_line_and_column_and_the_rest_is_loaded() {
    let (database, files) = (TestDatabase::new().await, Files::new());
    let path = files.add("few.csv", WITH_BAD_ROWS);
    let told = load(&database, &[&path]);
    assert_eq!(told.code, 4, "{}", told.stderr);
    assert_eq!(told.text(), format!("{path}: 6 rows written, 3 left out as bad, 0 were there already\n"));
    let left_out: Vec<&str> = told.stderr.lines().filter_map(|line| line.strip_prefix("left out: ")).collect();
    let expected = [
        format!("{path}, line 3, column 3 (`price`): `abc` is not a number"),
        format!("{path}, line 4, column 1 (`time`): `2020-13-03` is not a time"),
        format!("{path}, line 5: the record has 4 cells, the header 3"),
    ];
    assert_eq!(left_out.len(), expected.len(), "{left_out:?}");
    for (line, expected) in left_out.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    let rows: Vec<(String, f64)> = sqlx::query_as("SELECT symbol, price FROM few ORDER BY time")
        .fetch_all(&mut database.connect().await)
        .await
        .unwrap();
    let expected = [("A", 1.0), ("B", 5.0), ("B", 7.0), ("B", 8.0), ("B", 9.0), ("B", 10.0)];
    assert_eq!(rows, expected.map(|(symbol, price)| (symbol.to_owned(), price)));
}

#[tokio::test]
async fn a_load_that_stops_at_a_bad_row_fails_and_names_it() {
    let (database, files) = (TestDatabase::new().await, Files::new());
    let path = files.add("few.csv", WITH_BAD_ROWS);
    let told = load(&database, &[&path, "--stop-at-bad-row"]);
    assert_eq!(told.code, 4);
    assert!(told.stderr.contains(&path) && told.stderr.contains("line 3, column 3 (`price`)"), "{}", told.stderr);
}

#[tokio::test]
async fn a_file_that_is_loaded_again_writes_nothing_twice() {
    let (database, files) = (TestDatabase::new().await, Files::new());
    let lines: String = (0..1_000).map(|i| format!("2024-01-01T00:00:{:02}Z,{},{i}\n", i % 60, i % 7)).collect();
    let path = files.add("again.csv", format!("time,device,value\n{lines}"));
    let told = [(); 3].map(|()| load(&database, &[&path, "--tag-columns", "device"]).successful());
    assert!(told[0].text().ends_with(": 1000 rows written, 0 left out as bad, 0 were there already\n"));
    for again in &told[1..] {
        assert!(again.text().ends_with(": 0 rows written, 0 left out as bad, 1000 were there already\n"));
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM again").await, 1_000);
    // Of two different files with equal rows both are loaded: which rows are the same, only their owner knows.
    let twin = files.add("twin.csv", format!("time,device,value\n{lines}"));
    let told = load(&database, &[&twin, "--tag-columns", "device", "--measurement", "twin"]).successful();
    assert!(told.text().contains(": 1000 rows written"), "{}", told.text());
}

#[tokio::test]
async fn line_protocol_is_loaded_plain_and_gzipped_and_its_bad_lines_are_told() {
    let (database, files) = (TestDatabase::new().await, Files::new());
    let plain = files.add(
        "cpu.lp",
        "# a comment\n\
         cpu,host=a,region=eu usage=1.5,count=3i,busy=t,note=\"a b\" 1600000000000000000\n\
         cpu,host=b usage= 1600000000000000000\n\
         cpu,host=b usage=\"text\" 1600000001000000000\n\
         cpu,host=b usage=2.5 1600000002000000000\n",
    );
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(b"mem,host=a free=7i 1600000000000000000\nmem,host=b free=8i 1600000000000000000\n").unwrap();
    let gzip = files.add("mem.lp.gz", gzip.finish().unwrap());
    let told = load(&database, &[&plain, &gzip]);
    assert_eq!(told.code, 4, "{}", told.stderr);
    let expected = format!(
        "{plain}: 2 rows written, 2 left out as bad, 0 were there already\n\
         {gzip}: 2 rows written, 0 left out as bad, 0 were there already\n"
    );
    assert_eq!(told.text(), expected);
    for bad in ["line 3, column 18: ", "line 4, column 12: "] {
        assert!(told.stderr.contains(&format!("left out: {plain}, {bad}")), "{}", told.stderr);
    }
    let row: (String, String, f64, i64, bool, String, i64) = sqlx::query_as(
        "SELECT host, region, usage, count, busy, note, extract(epoch FROM time)::int8 FROM cpu WHERE host = 'a'",
    )
    .fetch_one(&mut database.connect().await)
    .await
    .unwrap();
    assert_eq!(row, ("a".into(), "eu".into(), 1.5, 3, true, "a b".into(), 1_600_000_000));
    assert_eq!(database.scalar::<i64>("SELECT sum(free)::int8 FROM mem").await, 15);
}

#[tokio::test]
async fn a_mistake_about_the_last_file_shows_before_the_first_is_loaded() {
    let (database, files) = (TestDatabase::new().await, Files::new());
    let good = files.add("good.csv", "time,value\n2020-01-01,1\n2020-01-02,2\n");
    let told = load(&database, &[&good, "/nowhere/at/all.csv"]);
    assert_eq!(told.code, 2);
    assert!(told.stderr.contains("/nowhere/at/all.csv"), "{}", told.stderr);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM chunkwise.measurement").await, 0);
}
