//! Parquet files that pyarrow wrote, beside the same rows as CSV.

use std::fs;

use crate::support::{TestDatabase, run, run_python};

const ROWS: i64 = 120_000;

#[tokio::test]
async fn parquet_that_pyarrow_wrote_gives_the_rows_of_the_same_csv() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/answers/make_parquet.py");
    run_python(script, &[folder.path()]);
    let url = database.url();
    run(&["load", folder.path().to_str().unwrap(), "--database-url", &url]).successful();
    for measurement in ["trades", "zstd", "naive"] {
        let differing = format!(
            "SELECT count(*) FROM {measurement} p FULL JOIN csv c USING (time, symbol)
             WHERE p.price IS DISTINCT FROM c.price OR p.size::float8 IS DISTINCT FROM c.size OR p.open IS DISTINCT FROM c.open"
        );
        assert_eq!(database.scalar::<i64>(&differing).await, 0, "{measurement}");
        assert_eq!(database.scalar::<i64>(&format!("SELECT count(*) FROM {measurement}")).await, ROWS);
        let kind = format!("SELECT pg_typeof(size)::text FROM {measurement} LIMIT 1");
        assert_eq!(database.scalar::<String>(&kind).await, "bigint");
    }

    // The same again writes nothing; a damaged file says so, and what was loaded of it before is not written again.
    let path = folder.path().join("trades.parquet");
    let again = run(&["load", path.to_str().unwrap(), "--database-url", &url]).successful();
    assert!(
        again.text().contains(&format!(": 0 rows written, 0 left out as bad, {ROWS} were there")),
        "{}",
        again.text()
    );
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let damaged = run(&["load", path.to_str().unwrap(), "--database-url", &url]);
    assert_eq!(damaged.code, 1);
    assert!(
        damaged.stderr.contains("trades.parquet: reading the Parquet file failed after 0 rows"),
        "{}",
        damaged.stderr
    );
}
