//! Lets the indexes of hot chunks know of the pages that were filled since.
//!
//! A page that its BRIN index does not know of is read by every look at any time. The server tells the index of some by itself,
//! but keeps a list of no more than 256 stretches to come, which a load overruns, and then waits for the next VACUUM.

use hashbrown::HashMap;
use sqlx::{Connection, Executor, PgConnection};

use super::ChunkLook;
use crate::db::{Failure, classify};

/// With fewer new rows than this a look reads little in vain.
const WORTH_IT: i64 = 100_000;

/// How many rows had been written to each hot chunk when its index was brought up to date.
#[derive(Debug, Default)]
pub(super) struct KnownPages(HashMap<String, i64>);

impl KnownPages {
    /// Brings the indexes of hot chunks up to date that have grown. Where somebody is at a chunk, by VACUUM for example, it is
    /// left for the next time.
    pub(super) async fn follow(
        &mut self,
        connection: &mut PgConnection,
        chunks: &[ChunkLook],
    ) -> Result<(), sqlx::Error> {
        let hot: Vec<(String, i64)> = chunks
            .iter()
            .filter(|chunk| !chunk.indexed && !chunk.compressed)
            .map(|chunk| (chunk.quoted(), chunk.written))
            .collect();
        self.0.retain(|table, _| hot.iter().any(|(hot, _)| hot == table));
        for (table, written) in hot {
            let known = self.0.get(&table).copied().unwrap_or(0);
            // After a crash of the server it counts anew.
            if (known..known.saturating_add(WORTH_IT)).contains(&written) {
                continue;
            }
            let mut transaction = connection.begin().await?;
            transaction.execute("SET LOCAL lock_timeout = '100ms'; SET LOCAL synchronous_commit = off").await?;
            let told = sqlx::query(
                "SELECT brin_summarize_new_values(i.indexrelid)
                 FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                 JOIN pg_am a ON a.oid = x.relam AND a.amname = 'brin'
                 WHERE i.indrelid = to_regclass($1)",
            )
            .bind(&table)
            .execute(&mut *transaction)
            .await;
            match told {
                Ok(_) => {
                    transaction.commit().await?;
                    self.0.insert(table, written);
                }
                Err(error) if classify(&error) == Failure::Unavailable => return Err(error),
                Err(error) => {
                    tracing::debug!(error = %error, table, "pages that an index does not know of are read again and again");
                    transaction.rollback().await?;
                }
            }
        }
        Ok(())
    }
}
