//! Where rows of a transaction probably are whose range is unknown, long before the server's counters tell.
//!
//! New rows mostly go to the end of a chunk's table, so its last pages are looked at for rows that were written since the
//! transaction began. It may also have put rows into space that deleted ones have left, or into a chunk that is not looked at:
//! that shows when the counters do.

use sqlx::{PgConnection, Row};

use super::{Stretch, us_of};
use crate::hypertable::Chunk;

/// So many chunks are looked at: the newest, and of the others the newest that have been counted to have changed.
const MOST_CHUNKS: usize = 64;
/// So many pages at the end of a chunk, two megabytes. Where more of it is new, all of the chunk is taken.
const MOST_PAGES: i64 = 256;

/// A table's chunk with its pages.
struct Pages {
    chunk: Chunk,
    table: String,
    pages: i64,
}

/// The chunks to look at, of all in order of time; `has_changed` is what the counters say so far.
pub(super) fn candidates(chunks: &[(Chunk, bool)]) -> Vec<Chunk> {
    let newest = chunks.len().saturating_sub(MOST_CHUNKS);
    let changed = chunks[..newest].iter().rev().filter(|(_, has_changed)| *has_changed).take(MOST_CHUNKS);
    chunks[newest..].iter().chain(changed).map(|(chunk, _)| *chunk).collect()
}

/// The time of rows in these chunks that were written by the transaction `xid` or since it began.
///
/// # Errors
/// The database's.
pub(super) async fn probable(
    connection: &mut PgConnection,
    chunks: Vec<Chunk>,
    xid: &str,
) -> Result<Vec<Stretch>, sqlx::Error> {
    let chunks = pages(&mut *connection, chunks).await?;
    let mut stretches = Vec::new();
    for at in with_fresh_rows(&mut *connection, &chunks, xid).await? {
        let Some(Pages { chunk, table, pages }) = chunks.get(at) else { continue };
        let from_page = pages.saturating_sub(MOST_PAGES).max(0);
        let sql = format!(
            "SELECT {lo} AS lo, {hi} AS hi, coalesce(page = {from_page}, false) AND {from_page} > 0 AS is_full FROM (
                 SELECT min(\"time\") AS lo, max(\"time\") AS hi, (min(ctid)::text::point)[0]::int8 AS page
                 FROM {table} WHERE ctid >= '({from_page},0)'::tid AND {IS_FRESH}) fresh WHERE lo IS NOT NULL",
            lo = us_of("lo"),
            hi = us_of("hi"),
        );
        let Some(row) = sqlx::query(&sql).persistent(false).bind(xid).fetch_optional(&mut *connection).await? else {
            continue;
        };
        stretches.push(match row.try_get("is_full")? {
            true => Stretch { from_us: chunk.from_us, to_us: chunk.to_us },
            false => Stretch { from_us: row.try_get("lo")?, to_us: row.try_get::<i64, _>("hi")?.saturating_add(1) },
        });
    }
    Ok(stretches)
}

/// Whether a row was written by the transaction $1 or a later one; its subtransactions have later numbers.
const IS_FRESH: &str = "age(xmin) <= age($1::text::xid8::xid)";

async fn pages(connection: &mut PgConnection, chunks: Vec<Chunk>) -> Result<Vec<Pages>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT n, r.oid::regclass::text AS chunk, pg_relation_size(r.oid) / current_setting('block_size')::int8 AS pages
         FROM unnest($1::int8[]) WITH ORDINALITY AS c (id, n) JOIN pg_class r ON r.oid::int8 = c.id ORDER BY n",
    )
    .bind(chunks.iter().map(|chunk| chunk.id).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let at = usize::try_from(row.try_get::<i64, _>("n")? - 1).unwrap_or(usize::MAX);
        let pages = row.try_get("pages")?;
        if let (Some(chunk), true) = (chunks.get(at), pages > 0) {
            found.push(Pages { chunk: *chunk, table: row.try_get("chunk")?, pages });
        }
    }
    Ok(found)
}

/// The places of the chunks whose last page has such a row.
async fn with_fresh_rows(
    connection: &mut PgConnection,
    chunks: &[Pages],
    xid: &str,
) -> Result<Vec<usize>, sqlx::Error> {
    let looks = chunks.iter().enumerate().map(|(at, Pages { table, pages, .. })| {
        format!(
            "SELECT {at}::int8 AS at WHERE EXISTS (SELECT FROM {table} WHERE ctid >= '({},0)'::tid AND {IS_FRESH})",
            pages - 1
        )
    });
    let looks: Vec<String> = looks.collect();
    if looks.is_empty() {
        return Ok(Vec::new());
    }
    let sql = looks.join(" UNION ALL ");
    let found: Vec<i64> = sqlx::query_scalar(&sql).persistent(false).bind(xid).fetch_all(connection).await?;
    Ok(found.into_iter().filter_map(|at| usize::try_from(at).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_chunks_are_looked_at_and_of_the_others_those_that_have_changed() {
        let chunk = |id: i64| Chunk { id, from_us: id, to_us: id + 1 };
        let chunks: Vec<(Chunk, bool)> = (0..200).map(|id| (chunk(id), id == 7 || id == 190)).collect();
        let ids: Vec<i64> = candidates(&chunks).iter().map(|chunk| chunk.id).collect();
        assert_eq!(ids, (136..200).chain([7]).collect::<Vec<_>>());
        assert_eq!(candidates(&chunks[..3]).len(), 3);
    }
}
