//! Lets the BRIN indexes of hot chunks, and of bars, know of the pages that were filled since.
//!
//! A page that its BRIN index does not know of is read by every look at any time. The server could tell the index by itself
//! (`autosummarize`), but keeps a list of no more than 256 stretches to come, and writes each one that has no room there to its
//! log; and its worker holds the locks of all chunks of the list until it is through with it, so that sealing waits for it.

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use sqlx::{Connection, Executor, PgConnection};

use super::{ChunkLook, Verdict};
use crate::db::{Failure, classify};

/// With fewer new rows than this a look reads little in vain.
const WORTH_IT: i64 = 100_000;

/// A chunk whose time is over is mostly sealed soon, which does it too: it is done for one that has been there for so long, and
/// then as often.
const GROWS_ON: Duration = Duration::from_secs(10);

/// What is known of a chunk's index.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Rows that had been written when it was brought up to date.
    written: i64,
    /// When that was, or when the chunk was first seen.
    at: Instant,
}

/// How many rows had been written to each chunk when its index was brought up to date.
#[derive(Debug, Default)]
pub(super) struct KnownPages(HashMap<String, Known>);

impl KnownPages {
    /// Brings the indexes of hot chunks up to date that have grown, but for those that are going to be sealed now, which does
    /// it too; and those of bars. Where somebody is at a chunk, by VACUUM for example, it is left for the next time.
    pub(super) async fn follow(
        &mut self,
        connection: &mut PgConnection,
        chunks: &[ChunkLook],
    ) -> Result<(), sqlx::Error> {
        let mut grown: Vec<(String, i64, Duration)> = grown_bars(connection)
            .await?
            .into_iter()
            .map(|(table, written)| (table, written, Duration::ZERO))
            .collect();
        grown.extend(
            chunks.iter().filter(|chunk| !chunk.indexed && !chunk.compressed && chunk.verdict() != Verdict::Seal).map(
                |chunk| {
                    let is_over = chunk.facts.to_us.saturating_add(chunk.facts.seal_after_us) <= chunk.facts.now_us;
                    (chunk.quoted(), chunk.written, if is_over { GROWS_ON } else { Duration::ZERO })
                },
            ),
        );
        self.0.retain(|table, _| grown.iter().any(|(grown, ..)| grown == table));
        for (table, written, patience) in grown {
            let now = Instant::now();
            let known = *self.0.entry(table.clone()).or_insert(Known { written: 0, at: now });
            // After a crash of the server it counts anew, and bars' after each VACUUM.
            let has_grown = !(known.written..known.written.saturating_add(WORTH_IT)).contains(&written);
            if has_grown && now - known.at >= patience && summarize(connection, &table).await? {
                self.0.insert(table, Known { written, at: now });
            }
        }
        Ok(())
    }
}

/// Chunks of bars that have grown since the last VACUUM, which does it too, and by how many rows.
async fn grown_bars(connection: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.inhrelid::regclass::text, pg_stat_get_ins_since_vacuum(c.inhrelid)
         FROM chunkwise.measurement m
         JOIN chunkwise.rollup_level l ON l.measurement_id = m.id
         JOIN pg_inherits c ON c.inhparent = to_regclass(format('%I.%I', m.namespace || '_store',
                                                                m.relation || '__bars_' || l.level))
         WHERE pg_stat_get_ins_since_vacuum(c.inhrelid) >= $1",
    )
    .bind(WORTH_IT)
    .fetch_all(connection)
    .await
}

/// False where somebody else is at the chunk.
async fn summarize(connection: &mut PgConnection, table: &str) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL lock_timeout = '10ms'; SET LOCAL synchronous_commit = off").await?;
    let told = sqlx::query(
        "SELECT brin_summarize_new_values(i.indexrelid)
         FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
         JOIN pg_am a ON a.oid = x.relam AND a.amname = 'brin'
         WHERE i.indrelid = to_regclass($1)",
    )
    .bind(table)
    .execute(&mut *transaction)
    .await;
    match told {
        Ok(_) => {
            transaction.commit().await?;
            Ok(true)
        }
        Err(error) if classify(&error) == Failure::Unavailable => Err(error),
        Err(error) => {
            tracing::debug!(error = %error, table, "pages that an index does not know of are read again and again");
            transaction.rollback().await?;
            Ok(false)
        }
    }
}
