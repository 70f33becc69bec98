//! Lets the server know what was filled since: BRIN indexes their pages, the planner how time lies in a new chunk.
//!
//! A page that its index does not know of is read by every look at any time, and here a table is looked at again a second after
//! it has grown by a hundred megabytes.
//!
//! Of a chunk that was never analyzed the planner thinks that its rows lie in no order of time, and reads all of it, or all of
//! its index of series, for any part: while ten chunks came in within ten seconds, each row was read four times over.

use sqlx::{Connection, Executor, PgConnection};

use super::{Shape, make::Target};
use crate::{
    db::{Failure, classify},
    hypertable::{changes::Stretch, moment},
};

/// A chunk that is smaller is read fast enough in any way.
const WORTH_IT_BYTES: i64 = 1 << 20;

/// Brings what the server knows of the chunks that a step is going to read up to date. Where somebody is at a chunk,
/// by VACUUM for example, it is left as it is: the step takes longer, no more.
pub(super) async fn summarize(
    connection: &mut PgConnection,
    shape: &Shape,
    target: Target,
    stretches: &[Stretch],
) -> Result<(), sqlx::Error> {
    let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else { return Ok(()) };
    let from = match target {
        Target::Bars(level) => shape.below(level),
        Target::Latest => None,
    };
    let source = from.map_or_else(|| shape.measurement.storage_names(), |level| shape.bars_names(level));
    let hull = Stretch { from_us: first.from_us, to_us: last.to_us };
    let mut transaction = connection.begin().await?;
    transaction
        .execute(
            "SET LOCAL lock_timeout = '10ms'; SET LOCAL synchronous_commit = off; SET LOCAL client_min_messages = error",
        )
        .await?;
    match bring_up_to_date(&mut transaction, &source, hull).await {
        Ok(()) => transaction.commit().await,
        Err(error) if classify(&error) == Failure::Unavailable => Err(error),
        Err(error) => {
            tracing::debug!(error = %error, "pages that the server knows nothing of are read again and again");
            transaction.rollback().await
        }
    }
}

async fn bring_up_to_date(
    connection: &mut PgConnection,
    [schema, table]: &[String; 2],
    hull: Stretch,
) -> Result<(), sqlx::Error> {
    let chunks: Vec<(Option<String>, i64)> = sqlx::query_as(
        "SELECT CASE WHEN r.reltuples < 0 AND pg_relation_size(r.oid) > $5
                     THEN format('%I.%I (\"time\")', c.chunk_schema, c.chunk_name) END,
                (SELECT count(brin_summarize_new_values(i.indexrelid)) FROM pg_index i
                 JOIN pg_class x ON x.oid = i.indexrelid
                 JOIN pg_am a ON a.oid = x.relam AND a.amname = 'brin'
                 WHERE i.indrelid = r.oid)
         FROM timescaledb_information.chunks c
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         WHERE c.hypertable_schema = $1 AND c.hypertable_name = $2
             AND c.range_start < $4 AND c.range_end > $3 AND NOT c.is_compressed",
    )
    .bind(schema)
    .bind(table)
    .bind(moment(hull.from_us))
    .bind(moment(hull.to_us))
    .bind(WORTH_IT_BYTES)
    .fetch_all(&mut *connection)
    .await?;
    let unknown: Vec<String> = chunks.into_iter().filter_map(|(unknown, _)| unknown).collect();
    if !unknown.is_empty() {
        connection.execute(format!("ANALYZE (SKIP_LOCKED) {}", unknown.join(", ")).as_str()).await?;
    }
    Ok(())
}
