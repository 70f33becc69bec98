//! One chunk from its last row to its drop, beside the same rows in a table that nobody takes care of.

use std::time::{Duration, Instant};

use sqlx::Executor;

use super::stage::{Care, Stage};
use crate::{
    bench::{BenchError, Better, Report, control::Control},
    db::Edition,
    hypertable::{quote_ident, time_literal},
    life::{LifeError, SealOutcome, drop_chunk},
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

    tell("dropping it");
    let dropped = drop_all(stage).await?;
    tell("as many rows again, and deleting them");
    let deleted = delete(stage, &storage, rows).await?;

    let freed_s = deleted.delete_s + deleted.vacuum_s;
    report.add("delete_to_drop", deleted.delete_s / dropped.gone_s, "ratio", Better::Higher);
    report.add("delete_and_vacuum_to_drop", freed_s / dropped.whole_s, "ratio", Better::Higher);
    report.add("drop_gone_seconds", dropped.gone_s, "s", Better::Lower);
    report.add("drop_seconds", dropped.whole_s, "s", Better::Lower);
    report.add("delete_seconds", deleted.delete_s, "s", Better::Lower);
    report.add("delete_and_vacuum_seconds", freed_s, "s", Better::Lower);
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
    let sealer = stage.sealer();
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

/// What it takes to get rid of rows without a drop.
#[derive(Debug)]
struct Deleted {
    /// Until nobody sees them any more.
    delete_s: f64,
    /// And until their space is free, as it is after a drop.
    vacuum_s: f64,
}

/// Writes and seals a chunk of so many rows, and deletes them as somebody would who had no retention: from the measurement's
/// storage, whose triggers note what has changed.
async fn delete(stage: &mut Stage<'_>, storage: &str, rows: u64) -> Result<Deleted, BenchError> {
    let service = stage.serve(Care::Nothing, rows).await?;
    stage.send(&service, rows).await?;
    service.stop().await;
    seal(stage).await?;
    stage.checkpoint().await;
    let begun = Instant::now();
    let deleted = stage.connection.execute(format!("DELETE FROM {storage}").as_str()).await?.rows_affected();
    let delete_s = begun.elapsed().as_secs_f64();
    if deleted != rows {
        return Err(BenchError::Miscounted { sent: rows, found: deleted });
    }
    let begun = Instant::now();
    stage.connection.execute(format!("VACUUM {storage}").as_str()).await?;
    Ok(Deleted { delete_s, vacuum_s: begun.elapsed().as_secs_f64() })
}

/// What a drop takes.
#[derive(Debug)]
struct Dropped {
    /// Until another session finds nothing any more, and may go on: as after a DELETE.
    gone_s: f64,
    /// Until the system has the space back: as after a DELETE and a VACUUM.
    whole_s: f64,
}

/// Drops all chunks as the job does.
async fn drop_all(stage: &mut Stage<'_>) -> Result<Dropped, BenchError> {
    /// The server removes the files when it has let go of the locks.
    const LOOK_EVERY: Duration = Duration::from_millis(1);
    let chunks = stage.chunks().await?;
    let mut other = stage.connect().await?;
    let tables: Vec<String> =
        chunks.iter().map(|chunk| chunk.table.each_ref().map(|name| quote_ident(name)).join(".")).collect();
    let begun = Instant::now();
    let gone = async {
        let sql = "SELECT bool_and(to_regclass(name) IS NULL) FROM unnest($1::text[]) AS name";
        while !sqlx::query_scalar::<_, bool>(sql).bind(&tables).fetch_one(&mut other).await? {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok::<_, BenchError>(begun.elapsed().as_secs_f64())
    };
    let whole = async {
        for chunk in &chunks {
            match drop_chunk(&mut stage.connection, chunk, "the benchmark's").await {
                Ok(_) | Err(LifeError::Gone(_)) => {}
                Err(error) => return Err(BenchError::from(sqlx::Error::from(error))),
            }
        }
        Ok(begun.elapsed().as_secs_f64())
    };
    let (gone_s, whole_s) = tokio::try_join!(gone, whole)?;
    Ok(Dropped { gone_s, whole_s })
}
