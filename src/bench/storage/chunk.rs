//! One chunk from its last row to its drop, beside the same rows in a table that nobody takes care of.

use std::time::Instant;

use sqlx::Executor;

use super::stage::{Care, Stage};
use crate::{
    bench::{BenchError, Better, Report, control::Control},
    db::Edition,
    hypertable::time_literal,
    life::{LifeError, SealOutcome, Sealer, drop_chunk},
};

pub(super) async fn measure(
    stage: &mut Stage<'_>,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let rows = stage.options.chunk_rows;
    let row_bytes = |bytes: i64| bytes as f64 / rows as f64;
    let ceiling = Control::Ceiling.table();
    let storage = stage.measurement().await?.storage();

    tell(&format!("a chunk of {rows} rows, and the same in the controls' tables"));
    let service = stage.serve(Care::Nothing, rows).await?;
    let first = stage.take_rows(rows);
    stage.send_from(&service, first, rows).await?;
    service.stop().await;
    for control in [Control::Ceiling, Control::Naive] {
        stage.control(control, first, rows).await?;
    }
    let hot = stage.bytes(&storage, rows).await?;
    let naive = stage.bytes(Control::Naive.table(), rows).await?;

    tell("sealing it, and the control's index");
    let sealed_s = seal(stage).await?;
    let sealed = stage.bytes(&storage, rows).await?;
    let begun = Instant::now();
    stage.connection.execute("SET maintenance_work_mem = '256MB'; SET max_parallel_maintenance_workers = 0").await?;
    stage.connection.execute(format!("CREATE INDEX ON {ceiling} (series_id, \"time\")").as_str()).await?;
    stage.connection.execute(format!("VACUUM (FREEZE, ANALYZE) {ceiling}").as_str()).await?;
    let control_s = begun.elapsed().as_secs_f64();

    tell("its rows by series");
    let windows = windows(stage, &storage).await?;

    tell("its rollups");
    let begun = Instant::now();
    let service = stage.serve(Care::SealingAndRollups, rows).await?;
    stage.settle(0, rows).await?;
    let rolled_up_s = begun.elapsed().as_secs_f64();
    service.stop().await;
    let bars: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(hypertable_size(format('public_store.%I', hypertable_name)::regclass)), 0)::int8
                + coalesce(pg_total_relation_size(to_regclass('public_store.ticks__latest')), 0)
         FROM timescaledb_information.hypertables
         WHERE hypertable_schema = 'public_store' AND hypertable_name LIKE 'ticks\\_\\_%'",
    )
    .fetch_one(&mut stage.connection)
    .await?;

    tell("dropping it, and deleting the control's rows");
    let drop_s = drop_all(stage).await?;
    let begun = Instant::now();
    let deleted = stage.connection.execute(format!("DELETE FROM {ceiling}").as_str()).await?.rows_affected();
    let delete_s = begun.elapsed().as_secs_f64();
    if deleted != rows {
        return Err(BenchError::Miscounted { sent: rows, found: deleted });
    }

    report.add("delete_to_drop", delete_s / drop_s, "ratio", Better::Higher);
    report.add("drop_seconds", drop_s, "s", Better::Lower);
    report.add("delete_seconds", delete_s, "s", Better::Lower);
    if let Some(windows) = windows {
        windows.report(report);
    }
    report.add("row_bytes_hot", row_bytes(hot), "bytes", Better::Lower);
    report.add("row_bytes_sealed", row_bytes(sealed), "bytes", Better::Lower);
    report.add("row_bytes_with_rollups", row_bytes(sealed + bars), "bytes", Better::Lower);
    report.add("row_bytes_naive", row_bytes(naive), "bytes", Better::Lower);
    report.add("seal_seconds", sealed_s, "s", Better::Lower);
    report.add("seal_rate", rows as f64 / sealed_s, "rows/s", Better::Higher);
    report.add("seal_control_seconds", control_s, "s", Better::Lower);
    report.add("rollup_rate", rows as f64 / rolled_up_s, "rows/s", Better::Higher);
    Ok(())
}

/// Seals all chunks as the job does; returns how long it took, in seconds.
async fn seal(stage: &mut Stage<'_>) -> Result<f64, BenchError> {
    let sealer = Sealer { edition: stage.edition };
    let mut seconds = 0.0;
    for chunk in stage.chunks().await? {
        match sealer.seal(&mut stage.connection, &chunk).await.map_err(sqlx::Error::from)? {
            SealOutcome::Sealed(took) => seconds += took.as_secs_f64(),
            SealOutcome::Elsewhere => return Err(BenchError::Unsettled),
        }
    }
    Ok(seconds)
}

/// What is read of single series, a chunk of each, before and after its rows were rewritten by series.
#[derive(Debug)]
struct Windows {
    /// Rows a second, and pages of the table a series.
    arrival: (f64, f64),
    series: (f64, f64),
    rewrite_s: f64,
}

/// So many series are read, one after the other.
const WINDOWS: i64 = 200;

/// `None` where the columnstore keeps rows by series anyway.
async fn windows(stage: &mut Stage<'_>, storage: &str) -> Result<Option<Windows>, BenchError> {
    if stage.edition == Edition::Community {
        return Ok(None);
    }
    let arrival = read_windows(stage, storage).await?;
    let id = stage.measurement().await?.id;
    let set = |order: &'static str| {
        sqlx::query("UPDATE chunkwise.measurement SET row_order = $2 WHERE id = $1").bind(id).bind(order)
    };
    set("series").execute(&mut stage.connection).await?;
    let rewrite_s = seal(stage).await?;
    set("arrival").execute(&mut stage.connection).await?;
    Ok(Some(Windows { arrival, series: read_windows(stage, storage).await?, rewrite_s }))
}

async fn read_windows(stage: &mut Stage<'_>, storage: &str) -> Result<(f64, f64), BenchError> {
    let ids: Vec<i64> =
        sqlx::query_scalar("SELECT series_id FROM public_store.ticks__series ORDER BY tag_hash LIMIT $1")
            .bind(WINDOWS)
            .fetch_all(&mut stage.connection)
            .await?;
    let Some(chunk) = stage.chunks().await?.pop() else { return Err(BenchError::Unsettled) };
    let (from, to) = (time_literal(chunk.from_us), time_literal(chunk.facts.to_us));
    let of_series = |id: i64| format!("FROM {storage} WHERE series_id = {id} AND time >= {from} AND time < {to}");
    let (mut rows, mut pages) = (0, 0);
    for &id in &ids {
        let sql = format!("SELECT count(*), count(DISTINCT (ctid::text::point)[0]) {}", of_series(id));
        let (own_rows, own_pages): (i64, i64) = sqlx::query_as(&sql).fetch_one(&mut stage.connection).await?;
        rows += own_rows;
        pages += own_pages;
    }
    let begun = Instant::now();
    for &id in &ids {
        let sql = format!("SELECT sum(price) {}", of_series(id));
        stage.connection.execute(sql.as_str()).await?;
    }
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    Ok((rate, pages as f64 / ids.len().max(1) as f64))
}

impl Windows {
    fn report(&self, report: &mut Report) {
        let Self { arrival, series, rewrite_s } = self;
        report.add("window_by_series_to_arrival", series.0 / arrival.0, "ratio", Better::Higher);
        report.add("window_rate_arrival", arrival.0, "rows/s", Better::Higher);
        report.add("window_rate_by_series", series.0, "rows/s", Better::Higher);
        report.add("window_pages_arrival", arrival.1, "pages/series", Better::Lower);
        report.add("window_pages_by_series", series.1, "pages/series", Better::Lower);
        report.add("rewrite_seconds", *rewrite_s, "s", Better::Lower);
    }
}

/// Drops all chunks as the job does; returns how long it took, in seconds.
async fn drop_all(stage: &mut Stage<'_>) -> Result<f64, BenchError> {
    let chunks = stage.chunks().await?;
    let begun = Instant::now();
    for chunk in &chunks {
        match drop_chunk(&mut stage.connection, chunk, "the benchmark's").await {
            Ok(_) | Err(LifeError::Gone(_)) => {}
            Err(error) => return Err(sqlx::Error::from(error).into()),
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}
