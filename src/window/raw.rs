//! Raw rows of two measurements, side by side: slice of time by slice of time, under one snapshot.
//!
//! The left side is read over the snapshot's own connection, the right one over a helper's where one is free, so that both
//! go at the speed of a window; what was read is handed over while the next slice is on its way.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    NotNumeric, ReadError, Snapshot, Source, Span,
    plan::extent,
    row_index::RowIndex,
    session::Exported,
    slices::MAX_LISTED_SERIES,
    statement::{listed, within},
};
use crate::{
    asof::SideRows,
    copy::{DecodeError, TupleDecoder, timestamptz_us},
    hypertable::{Chunk, Field, Measurement},
};

/// So many slices of one side wait for the other.
const AHEAD: usize = 1;

/// Some fields of some series of a measurement.
#[derive(Debug)]
pub struct RawSide {
    storage: String,
    /// The values as float8.
    values: Vec<String>,
    ids: Vec<i64>,
    /// Where the pair of each id is.
    places: RowIndex,
    pairs: Vec<u32>,
}

impl RawSide {
    /// The fields of the series, each with its pair, ascending by id.
    ///
    /// # Errors
    /// [`NotNumeric`] for text and times, with the field's place.
    pub fn new(
        measurement: &Measurement,
        fields: &[&Field],
        series: Vec<(i64, u32)>,
    ) -> Result<Self, (usize, NotNumeric)> {
        let number = |(index, field): (usize, &&Field)| {
            Source::number(field).map(|(value, _)| value).map_err(|error| (index, error))
        };
        let values = fields.iter().enumerate().map(number).collect::<Result<_, _>>()?;
        let (ids, pairs): (Vec<i64>, Vec<u32>) = series.into_iter().unzip();
        Ok(Self { storage: measurement.storage(), values, places: RowIndex::new(&ids), ids, pairs })
    }

    /// How many fields it has.
    #[must_use]
    pub fn fields(&self) -> usize {
        self.values.len()
    }

    /// How many series it has.
    #[must_use]
    pub fn series(&self) -> usize {
        self.ids.len()
    }

    fn copy_rows(&self, span: Span) -> String {
        let Self { storage, values, ids, .. } = self;
        let any: Vec<String> = values.iter().map(|value| format!("{value} IS NOT NULL")).collect();
        let ids = listed(Some(ids.as_slice()).filter(|ids| ids.len() <= MAX_LISTED_SERIES));
        format!(
            "COPY (SELECT \"time\", series_id, {} FROM {storage} WHERE {} AND ({}){ids}) TO STDOUT (FORMAT binary)",
            values.join(", "),
            within(span),
            any.join(" OR ")
        )
    }

    /// Reads the rows of a stretch of time; returns the bytes too.
    async fn read(&self, connection: &mut PgConnection, span: Span) -> Result<(SideRows, Cost), ReadError> {
        let mut rows = SideRows::new(self.values.len());
        let mut cost = Cost::default();
        if span.is_empty() || self.ids.is_empty() {
            return Ok((rows, cost));
        }
        let mut messages = connection.copy_out_raw(&self.copy_rows(span)).await?;
        let mut decoder = TupleDecoder::new(2 + self.values.len());
        let mut malformed = false;
        let mut take = |tuple: &[Option<&[u8]>]| {
            let (Some(Some(time_us)), Some(Some(id))) =
                (tuple.first().map(|time| time.and_then(timestamptz_us)), tuple.get(1).map(|id| id.and_then(int8)))
            else {
                malformed = true;
                return;
            };
            let Some(pair) = self.places.get(id).and_then(|place| self.pairs.get(place)) else { return };
            rows.push(*pair, time_us, tuple[2..].iter().map(|value| value.and_then(float8).unwrap_or(f64::NAN)));
        };
        while let Some(message) = messages.try_next().await? {
            cost.bytes += message.len() as u64;
            decoder.push(&message, &mut take)?;
        }
        cost.rows = decoder.finish()?;
        if malformed {
            return Err(ReadError::Malformed(DecodeError::Tuple { row: cost.rows }));
        }
        Ok((rows, cost))
    }
}

fn int8(value: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(value.try_into().ok()?))
}

fn float8(value: &[u8]) -> Option<f64> {
    Some(f64::from_be_bytes(value.try_into().ok()?))
}

/// What a reading has taken from the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// More slices than this are not made unless there is so much to read: each is two statements.
const MAX_SMALL_SLICES: usize = 32;

/// Cuts `whole` into slices at the bounds of chunks, and those again until there are about `wanted`; puts neighbours together
/// where there would be far more.
#[must_use]
pub fn raw_slices(whole: Span, chunks: &[Chunk], wanted: usize) -> Vec<Span> {
    let mut cuts: Vec<i64> = chunks.iter().flat_map(|chunk| [chunk.from_us, chunk.to_us]).collect();
    cuts.extend([whole.from_us, whole.to_us]);
    cuts.retain(|cut| (whole.from_us..=whole.to_us).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    let natural = cuts.len().saturating_sub(1).max(1);
    let together = natural.div_ceil(wanted.max(MAX_SMALL_SLICES)).max(1);
    let parts = if together > 1 { 1 } else { wanted.div_ceil(natural).max(1) };
    let ends: Vec<i64> = cuts.iter().copied().step_by(together).chain([whole.to_us]).collect();
    let mut slices = Vec::with_capacity(ends.len() * parts);
    for bounds in ends.windows(2) {
        let (from_us, length) = (i128::from(bounds[0]), i128::from(bounds[1]) - i128::from(bounds[0]));
        // Between two 64-bit times, so every part's bound is one.
        let at = |part: usize| i64::try_from(from_us + length * part as i128 / parts as i128).unwrap_or(bounds[1]);
        slices.extend((0..parts).map(|part| Span { from_us: at(part), to_us: at(part + 1) }));
    }
    slices.retain(|slice| !slice.is_empty());
    slices
}

/// A reading of both sides, slice by slice in their order, in the snapshot's state.
///
/// After an error the snapshot's connection may be in the middle of a COPY.
#[derive(Debug)]
pub struct RawReading<'s> {
    snapshot: &'s mut Snapshot,
    left: Arc<RawSide>,
    right: Arc<RawSide>,
    slices: std::vec::IntoIter<Span>,
    left_from_us: i64,
    /// Dropped with the question: its task ends, and so does its session.
    helper: Option<Helper>,
}

#[derive(Debug)]
struct Helper {
    task: JoinSet<Result<(), ReadError>>,
    rows: mpsc::Receiver<(SideRows, Cost)>,
}

impl<'s> RawReading<'s> {
    /// Begins. Left rows are read from `left_from_us` on. With `help` a second connection reads the right side.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(
        snapshot: &'s mut Snapshot,
        [left, right]: [Arc<RawSide>; 2],
        slices: Vec<Span>,
        left_from_us: i64,
        help: bool,
    ) -> Result<Self, ReadError> {
        let helper = if help {
            let exported = snapshot.export().await?;
            let (send, rows) = mpsc::channel(AHEAD);
            let mut task = JoinSet::new();
            task.spawn(help_with(exported, Arc::clone(&right), slices.clone(), send));
            Some(Helper { task, rows })
        } else {
            None
        };
        Ok(Self { snapshot, left, right, slices: slices.into_iter(), left_from_us, helper })
    }

    /// The left and the right rows of the next slice, and what they cost; `None` behind the last.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn next(&mut self) -> Result<Option<([SideRows; 2], Cost)>, ReadError> {
        let Some(slice) = self.slices.next() else {
            if let Some(Helper { task, .. }) = &mut self.helper {
                while let Some(helped) = task.join_next().await {
                    helped??;
                }
            }
            return Ok(None);
        };
        let of_left = Span { from_us: slice.from_us.max(self.left_from_us), to_us: slice.to_us };
        let (left, mut cost) = self.left.read(self.snapshot.connection(), of_left).await?;
        let (right, of_right) = match &mut self.helper {
            None => self.right.read(self.snapshot.connection(), slice).await?,
            Some(Helper { task, rows }) => match rows.recv().await {
                Some(read) => read,
                None => {
                    while let Some(helped) = task.join_next().await {
                        helped??;
                    }
                    // It sends every slice, or fails.
                    return Err(sqlx::Error::WorkerCrashed.into());
                }
            },
        };
        cost += of_right;
        Ok(Some(([left, right], cost)))
    }
}

async fn help_with(
    exported: Exported,
    side: Arc<RawSide>,
    slices: Vec<Span>,
    send: mpsc::Sender<(SideRows, Cost)>,
) -> Result<(), ReadError> {
    let mut session = exported.join().await?;
    for slice in slices {
        let rows = side.read(session.connection(), slice).await?;
        if send.send(rows).await.is_err() {
            break;
        }
    }
    Ok(session.close().await?)
}

/// How many rows chunks have within a stretch of time, if they are spread evenly: the server's counters, which lag behind by
/// about a second.
///
/// # Errors
/// The database's.
pub async fn estimated_rows(connection: &mut PgConnection, chunks: &[Chunk], span: Span) -> Result<u64, sqlx::Error> {
    let touched: Vec<i64> =
        chunks.iter().filter(|chunk| !extent(chunk).intersection(span).is_empty()).map(|chunk| chunk.id).collect();
    let counted: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT chunk, greatest(c.reltuples::int8, pg_stat_get_live_tuples(chunk::oid), 0)
         FROM unnest($1::int8[]) AS chunk JOIN pg_class c ON c.oid = chunk::oid",
    )
    .bind(&touched)
    .fetch_all(connection)
    .await?;
    let rows = counted.into_iter().map(|(id, rows)| {
        let chunk = chunks.iter().find(|chunk| chunk.id == id);
        let rows = u128::from(rows.unsigned_abs());
        chunk.map_or(0, |chunk| {
            let whole = u128::from(chunk.to_us.abs_diff(chunk.from_us)).max(1);
            let within = chunk.to_us.min(span.to_us).abs_diff(chunk.from_us.max(span.from_us));
            u64::try_from(rows * u128::from(within).min(whole) / whole).unwrap_or(u64::MAX)
        })
    });
    Ok(rows.fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_cut_where_chunks_begin_and_cover_everything() {
        let chunk = |id, from_us, to_us| Chunk { id, from_us, to_us };
        let chunks = [chunk(1, 0, 10), chunk(2, 10, 20), chunk(3, 10, 20), chunk(4, 40, 50)];
        let bounds = |whole: (i64, i64), wanted| {
            let slices = raw_slices(Span { from_us: whole.0, to_us: whole.1 }, &chunks, wanted);
            slices.iter().map(|slice| (slice.from_us, slice.to_us)).collect::<Vec<_>>()
        };
        assert_eq!(bounds((5, 45), 1), [(5, 10), (10, 20), (20, 40), (40, 45)]);
        assert_eq!(bounds((12, 18), 2), [(12, 15), (15, 18)]);
        assert_eq!(bounds((100, 110), 1), [(100, 110)]);
        assert_eq!(bounds((i64::MIN, i64::MAX), 1).len(), 6);
        let many: Vec<Chunk> = (0..100).map(|id| chunk(id, id * 10, id * 10 + 10)).collect();
        let slices = raw_slices(Span { from_us: 3, to_us: 995 }, &many, 1);
        assert!(slices.len() <= 32 && slices[0].from_us == 3 && slices.last().unwrap().to_us == 995, "{slices:?}");
        assert!(slices.windows(2).all(|pair| pair[0].to_us == pair[1].from_us));
    }
}
