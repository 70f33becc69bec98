//! Rows that the database refused.

use sqlx::Row;

use super::{QueryError, Questions};

/// Which dead letters to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterRequest {
    /// Of this measurement only.
    pub measurement: Option<String>,
    /// Only later ones than the one with this id.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A row that the database refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Grows with time.
    pub id: i64,
    /// When it was refused, microseconds since 1970 UTC.
    pub noted_us: i64,
    /// The measurement.
    pub measurement: String,
    /// The protocol that it came by.
    pub source: String,
    /// Why.
    pub reason: String,
    /// The row in line protocol, its time in microseconds.
    pub line: String,
}

/// Some dead letters, in the order in which they were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterPage {
    /// Them.
    pub rows: Vec<DeadLetter>,
    /// The `after` of the next page; none on the last.
    pub next: Option<i64>,
}

impl Questions {
    /// A page of the dead letters of a namespace, also of measurements that are gone.
    ///
    /// # Errors
    /// The database's.
    pub async fn dead_letters(
        &self,
        namespace: &str,
        request: &DeadLetterRequest,
    ) -> Result<DeadLetterPage, QueryError> {
        let has_nul = |name: &str| name.contains('\0');
        if has_nul(namespace) || request.measurement.as_deref().is_some_and(has_nul) {
            return Ok(DeadLetterPage::default());
        }
        self.looked_up(async |connection| {
            let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
            let found = sqlx::query(
                "SELECT id, (extract(epoch FROM noted_at) * 1000000)::int8 AS noted, measurement, source, reason, line
                 FROM chunkwise.dead_letter
                 WHERE namespace = $1 AND ($2::text IS NULL OR measurement = $2) AND id > $3
                 ORDER BY id LIMIT $4",
            )
            .bind(namespace)
            .bind(&request.measurement)
            .bind(request.after.unwrap_or(0))
            .bind(i64::from(request.limit) + 1)
            .fetch_all(connection)
            .await?;
            let mut rows = Vec::with_capacity(found.len());
            for row in found.iter().take(limit) {
                rows.push(DeadLetter {
                    id: row.try_get("id")?,
                    noted_us: row.try_get("noted")?,
                    measurement: row.try_get("measurement")?,
                    source: row.try_get("source")?,
                    reason: row.try_get("reason")?,
                    line: row.try_get("line")?,
                });
            }
            let next = rows.last().filter(|_| found.len() > limit).map(|row| row.id);
            Ok(DeadLetterPage { rows, next })
        })
        .await
    }
}
