//! Ten chunks from the first tick to the drop; what was done is printed, as `docs/operations.md` shows it.

use std::time::{Duration, Instant};

use super::{EAGER, assert_sealed_once, chunks, count};
use crate::support::{App, TestDatabase, run, run_within};

const CHUNKS: i64 = 10;
const ROWS: i64 = 100_000;
const LIMIT: Duration = Duration::from_secs(120);

async fn wait_for(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < LIMIT, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn ten_chunks_from_the_first_tick_to_the_drop() {
    let test = TestDatabase::new().await;
    let mut variables = vec![("CHUNKWISE_MEASUREMENT__TICKS__CHUNK_INTERVAL", "1d")];
    variables.extend(EAGER);
    let app = App::start_with(&["up", "--database-url", &test.url()], &variables);
    // A tick each 8.64 seconds: ten thousand a day.
    let feed = [
        "feed",
        "--measurement",
        "ticks",
        "--series",
        "100",
        "--start",
        "2024-01-01T00:00:00Z",
        "--step",
        "8640000",
        "--lines",
        "100000",
        "--url",
        &app.base,
    ];
    run_within(&feed, LIMIT).successful();
    assert_eq!(count(&test, "ticks").await, ROWS);
    wait_for("ten chunks are sealed", async || count(&test, "chunkwise.chunks WHERE state = 'sealed'").await == CHUNKS)
        .await;
    let sealed = chunks(&test).await;
    for chunk in &sealed {
        assert_sealed_once(&test, chunk).await;
    }
    wait_for("all ticks are in the bars", async || {
        test.scalar::<bool>("SELECT to_regclass('public.ticks_bars_1d') IS NOT NULL").await
            && count(&test, "chunkwise.rollup_pending").await == 0
            && test.scalar::<Option<i64>>("SELECT sum(price__count)::int8 FROM public_store.ticks__bars_1d").await
                == Some(ROWS)
    })
    .await;
    let bars = count(&test, "ticks_bars_1d").await;

    let url = test.url();
    run(&["measurement", "set", "ticks", "--retention", "30d", "--database-url", &url]).successful();
    wait_for("they are dropped", async || count(&test, "chunkwise.chunks").await == 0).await;
    assert_eq!(count(&test, "ticks").await, 0);
    assert_eq!(count(&test, "ticks_bars_1d").await, bars, "bars outlive rows");

    let events: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' | ', event, chunk, to_char(took, 'SS.MS'), bytes_before, bytes_after, note)
         FROM chunkwise.chunk_event ORDER BY id",
    )
    .fetch_all(&mut test.connect().await)
    .await
    .unwrap();
    println!("event | chunk | took, s | bytes before | bytes after | note\n{}", events.join("\n"));
    for chunk in &sealed {
        let of_chunk: Vec<&str> =
            events.iter().filter(|event| event.contains(chunk)).map(|event| &event[..7]).collect();
        assert_eq!(of_chunk, ["sealed ", "dropped"], "{events:#?}");
    }
}
