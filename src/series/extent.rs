//! The first and the last time of series.

use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use sqlx::{PgConnection, Row};

use crate::hypertable::{Chunk, Measurement, moment};

/// A chunk without the B-tree of its series is looked through in steps if its table has so many pages.
const STEPPED_PAGES: i64 = 512;
/// So many pages of it are looked at to find the steps.
const SAMPLED_PAGES: i64 = 128;
/// The rows of the steps, as shares of all that are as near to the end or nearer.
const SHARES: [f64; 10] =
    [1. / 1024., 1. / 512., 1. / 256., 1. / 128., 1. / 64., 1. / 32., 1. / 16., 1. / 8., 1. / 4., 1. / 2.];

/// Which of the times of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    First,
    Last,
}

/// That time of each series that has rows in these chunks, which are given in order of time, one of each slice; microseconds
/// since 1970 UTC. Chunk by chunk from the end until all are found: mostly the first one holds them all, and no other is
/// touched.
pub(super) async fn find(
    connection: &mut PgConnection,
    measurement: &Measurement,
    chunks: &[Chunk],
    ids: &[i64],
    end: End,
) -> Result<HashMap<i64, i64>, sqlx::Error> {
    let sql = format!(
        "SELECT series_id, {}(\"time\") FROM {} WHERE \"time\" >= $1 AND \"time\" < $2 AND series_id = ANY ($3)
         GROUP BY series_id",
        match end {
            End::First => "min",
            End::Last => "max",
        },
        measurement.storage()
    );
    let mut found = HashMap::with_capacity(ids.len());
    let mut pending = ids.to_vec();
    for at in 0..chunks.len() {
        let chunk = match end {
            End::First => chunks[at],
            End::Last => chunks[chunks.len() - 1 - at],
        };
        if pending.is_empty() {
            break;
        }
        let cuts = cuts(&mut *connection, chunk, end).await?;
        for (from_us, to_us) in steps(chunk, &cuts, end) {
            let rows = sqlx::query(&sql)
                .bind(moment(from_us))
                .bind(moment(to_us))
                .bind(&pending)
                .fetch_all(&mut *connection)
                .await?;
            for row in rows {
                let time: DateTime<Utc> = row.try_get(1)?;
                found.insert(row.try_get(0)?, time.timestamp_micros());
            }
            pending.retain(|id| !found.contains_key(id));
            if pending.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}

/// Times between which a hot chunk is looked through, the nearest to the end first; none where a B-tree leads to the rows of
/// a series, or there are few. Only an index on time leads through a hot chunk, so a look at all of its time reads it whole;
/// mostly a thousandth of its rows has one of every series. Where they are is told by a sample of its pages, as they may be
/// anywhere within the chunk's time.
async fn cuts(connection: &mut PgConnection, chunk: Chunk, end: End) -> Result<Vec<i64>, sqlx::Error> {
    let large: Option<(String, i64)> = sqlx::query_as(
        "SELECT r.oid::regclass::text, pages
         FROM pg_class r, LATERAL (SELECT pg_relation_size(r.oid) / current_setting('block_size')::int8 AS pages) size
         WHERE r.oid::int8 = $1 AND pages >= $2 AND NOT EXISTS (
             SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisvalid AND i.indkey::text LIKE '2 1%')",
    )
    .bind(chunk.id)
    .bind(STEPPED_PAGES)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((table, pages)) = large else { return Ok(Vec::new()) };
    let direction = match end {
        End::First => "ASC",
        End::Last => "DESC",
    };
    #[expect(clippy::cast_precision_loss, reason = "a share of pages")]
    let percent = 100. * SAMPLED_PAGES as f64 / pages as f64;
    let sql = format!(
        "SELECT percentile_disc($1) WITHIN GROUP (ORDER BY \"time\" {direction})
         FROM {table} TABLESAMPLE SYSTEM ({percent})"
    );
    let times: Option<Vec<Option<DateTime<Utc>>>> =
        sqlx::query_scalar(&sql).persistent(false).bind(SHARES.as_slice()).fetch_one(connection).await?;
    Ok(times.into_iter().flatten().flatten().map(|time| time.timestamp_micros()).collect())
}

/// The chunk's time as stretches `[from, to)`, from its end on, cut behind these times.
fn steps(chunk: Chunk, cuts: &[i64], end: End) -> Vec<(i64, i64)> {
    let (mut from_us, mut to_us) = (chunk.from_us, chunk.to_us);
    let mut steps = Vec::with_capacity(cuts.len() + 1);
    for cut in cuts {
        match end {
            End::First if from_us <= *cut && *cut < to_us => {
                steps.push((from_us, cut + 1));
                from_us = cut + 1;
            }
            End::Last if from_us <= *cut && *cut < to_us => {
                steps.push((*cut, to_us));
                to_us = *cut;
            }
            _ => {}
        }
    }
    if from_us < to_us {
        steps.push((from_us, to_us));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: Chunk = Chunk { id: 1, from_us: 100, to_us: 200 };

    #[test]
    fn steps_are_the_whole_chunk_from_the_end_on() {
        assert_eq!(steps(CHUNK, &[], End::First), [(100, 200)]);
        assert_eq!(steps(CHUNK, &[100, 110, 110, 150], End::First), [(100, 101), (101, 111), (111, 151), (151, 200)]);
        assert_eq!(steps(CHUNK, &[199, 150, 150, 100], End::Last), [(199, 200), (150, 199), (100, 150)]);
    }

    #[test]
    fn a_time_outside_of_the_chunk_is_no_cut() {
        assert_eq!(steps(CHUNK, &[50, 200, 120], End::First), [(100, 121), (121, 200)]);
        assert_eq!(steps(CHUNK, &[200, 99], End::Last), [(100, 200)]);
    }
}
