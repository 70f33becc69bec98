//! Which buckets any series of a measurement has, where that is not plain from what was read.

use sqlx::PgConnection;

use super::{Plan, Source, Span};
use crate::{frame::Calendar, hypertable::Chunk, question::Width};

/// The first look back from a span goes so many buckets back, but not less than [`FIRST_LOOK_US`].
const FIRST_LOOK_BUCKETS: i64 = 4;
const FIRST_LOOK_US: i64 = 60 * Width::SECOND_US;
/// Each further look is so many times longer.
const LOOK_GROWTH: i64 = 8;
/// A statement names so many stretches of time at most.
const STRETCHES_A_STATEMENT: usize = 64;
/// With more stretches than this, one statement looks at all the time from the first to the last.
const MAX_STRETCHES: usize = 1_024;

/// The start of the last bucket before `before_us`, the start of a bucket, in which any series has the field; however far
/// back it is.
///
/// Looks back in growing steps within one chunk after the other, and no further than it must.
///
/// # Errors
/// The database's.
pub async fn previous_observed(
    connection: &mut PgConnection,
    source: &Source,
    chunks: &[Chunk],
    calendar: &Calendar,
    width: Width,
    before_us: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let mut step_us = width.at_least_us().saturating_mul(FIRST_LOOK_BUCKETS).max(FIRST_LOOK_US);
    for chunk in chunks.iter().rev() {
        let mut to_us = chunk.to_us.min(before_us);
        while to_us > chunk.from_us {
            let from_us = to_us.saturating_sub(step_us).max(chunk.from_us);
            let sql = source.select_latest(Span { from_us, to_us });
            let latest: Option<i64> = sqlx::query_scalar(&sql).persistent(false).fetch_one(&mut *connection).await?;
            if let Some(latest_us) = latest {
                return Ok(Some(calendar.floor(latest_us)));
            }
            to_us = from_us;
            step_us = step_us.saturating_mul(LOOK_GROWTH);
        }
    }
    Ok(None)
}

/// Completes `observed`, one a column of the plan, within the plan's spans: for columns that are not set it asks whether
/// any series has the field there.
///
/// # Errors
/// The database's.
pub async fn note_observed(
    connection: &mut PgConnection,
    source: &Source,
    plan: &Plan,
    chunks: &[Chunk],
    observed: &mut [bool],
) -> Result<(), sqlx::Error> {
    for columns in plan.span_columns() {
        let Some(piece) = plan.piece_of(columns.start) else { continue };
        let Some(buckets) =
            observed.get(columns.clone()).map(|observed| unset(observed, columns.start - piece.first_column))
        else {
            continue;
        };
        let stretches = buckets.into_iter().filter_map(|(from, to)| {
            let to_us = piece.starts.get(to).unwrap_or_else(|| piece.starts.end_us());
            Some(Span { from_us: piece.starts.get(from)?, to_us })
        });
        let within_chunks: Vec<Span> = stretches.filter(|stretch| touches(chunks, *stretch)).collect();
        for group in grouped(&within_chunks) {
            let sql = source.select_observed(piece, &group);
            let numbers: Vec<i64> = sqlx::query_scalar(&sql).persistent(false).fetch_all(&mut *connection).await?;
            for number in numbers {
                let column = usize::try_from(number).ok().map(|bucket| bucket + piece.first_column);
                if let Some(column) = column.and_then(|column| observed.get_mut(column)) {
                    *column = true;
                }
            }
        }
    }
    Ok(())
}

/// The runs of what is not set, as half-open ranges of numbers that count from `base`.
fn unset(set: &[bool], base: usize) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut at = base;
    for run in set.chunk_by(|a, b| a == b) {
        if run.first() == Some(&false) {
            runs.push((at, at + run.len()));
        }
        at += run.len();
    }
    runs
}

fn touches(chunks: &[Chunk], span: Span) -> bool {
    chunks.iter().any(|chunk| chunk.from_us < span.to_us && span.from_us < chunk.to_us)
}

/// What each statement looks at.
fn grouped(stretches: &[Span]) -> Vec<Vec<Span>> {
    match (stretches.first(), stretches.last()) {
        (Some(first), Some(last)) if stretches.len() > MAX_STRETCHES => {
            vec![vec![Span { from_us: first.from_us, to_us: last.to_us }]]
        }
        _ => stretches.chunks(STRETCHES_A_STATEMENT).map(<[Span]>::to_vec).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_what_is_not_set_are_found_with_their_place() {
        assert_eq!(unset(&[false, true, true, false, false], 10), [(10, 11), (13, 15)]);
        assert_eq!(unset(&[true], 10), []);
        assert_eq!(unset(&[], 10), []);
    }

    #[test]
    fn very_many_stretches_become_one() {
        let stretches: Vec<Span> = (0..1_100).map(|i| Span { from_us: i * 10, to_us: i * 10 + 5 }).collect();
        assert_eq!(grouped(&stretches), [[Span { from_us: 0, to_us: 10_995 }]]);
        assert_eq!(grouped(&stretches[..130]).iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 2]);
        assert!(grouped(&[]).is_empty());
    }
}
