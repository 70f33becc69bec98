//! Reads rows and bars into bars, by binary COPY.

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use tokio::task::yield_now;

use super::{
    Level, Shape,
    bars::{Bar, Bars, BucketBars, Finished, Key, Number, Weighted},
    metric,
    newest::Newest,
    sql,
};
use crate::{
    copy::{DecodeError, TupleDecoder, TupleEncoder, copy_pieces, timestamptz_us},
    hypertable::{ColumnType, changes::Stretch, quote_ident},
};

/// So many rows take less than a millisecond.
const YIELD_AFTER: usize = 4_096;

/// Why rollups could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// The database's.
    #[error("the rollups cannot be read or written")]
    Database(#[from] sqlx::Error),
    /// More bars than [`Bars::at_most`] allows.
    #[error("there are more bars than were to be read")]
    TooMany,
    /// The server sent something else than what was asked for.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// Reads what `statement` selects, row by row: a time, an int8, and further columns as bytes; gives how many rows that were.
///
/// # Errors
/// See [`RollupError`].
pub async fn copied_rows(
    connection: &mut PgConnection,
    statement: &str,
    columns: usize,
    mut sink: impl FnMut(i64, i64, &[Option<&[u8]>]),
) -> Result<u64, RollupError> {
    copied_until(connection, statement, columns, |time_us, series_id, values| {
        sink(time_us, series_id, values);
        true
    })
    .await
}

/// The same until `sink` says false.
async fn copied_until(
    connection: &mut PgConnection,
    statement: &str,
    columns: usize,
    mut sink: impl FnMut(i64, i64, &[Option<&[u8]>]) -> bool,
) -> Result<u64, RollupError> {
    let mut goes_on = true;
    let mut messages = connection.copy_out_raw(&format!("COPY ({statement}) TO STDOUT (FORMAT binary)")).await?;
    let mut decoder = TupleDecoder::new(columns);
    let mut messages_read = 0_usize;
    while let Some(message) = messages.try_next().await? {
        messages_read += 1;
        // The server is faster than this, so there is always more to read, and those who acknowledge rows wait for this thread.
        if messages_read.is_multiple_of(YIELD_AFTER) {
            yield_now().await;
        }
        let mut take = |row: &[Option<&[u8]>]| {
            let [Some(time), Some(series_id), values @ ..] = row else { return };
            let (Some(time_us), Ok(series_id)) = (timestamptz_us(time), (*series_id).try_into()) else { return };
            goes_on &= sink(time_us, i64::from_be_bytes(series_id), values);
        };
        decoder.push(&message, &mut take)?;
        if !goes_on {
            return Err(RollupError::TooMany);
        }
    }
    Ok(decoder.finish()?)
}

/// Takes the rows of the storage within a stretch into bars; `bucket` gives the start of the bucket that holds a time.
///
/// # Errors
/// See [`RollupError`].
pub async fn take_rows(
    connection: &mut PgConnection,
    shape: &Shape,
    stretch: Stretch,
    ids: Option<&[i64]>,
    bucket: impl Fn(i64) -> i64,
    into: &mut Bars,
) -> Result<u64, RollupError> {
    let numbers = shape.numbers();
    let mut keys: Vec<Option<Key>> = vec![None; numbers.len()];
    let statement = sql::select_rows(shape, stretch) + &sql::of_series(ids);
    copied_until(connection, &statement, numbers.len() + 2, |time_us, series_id, values| {
        for ((key, number), value) in keys.iter_mut().zip(&numbers).zip(values) {
            *key = number.key(*value);
        }
        into.add(bucket(time_us), time_us, series_id, &keys);
        into.has_room()
    })
    .await
}

/// Takes the rows of the storage within a stretch into bars and last values at once, where each field with bars
/// [has a last value](Shape::latest_places) too: at these places.
pub(super) async fn take_rows_once(
    connection: &mut PgConnection,
    shape: &Shape,
    stretch: Stretch,
    bucket: impl Fn(i64) -> i64,
    into: &mut Bars,
    (newest, places): (&mut Newest, &[usize]),
) -> Result<u64, RollupError> {
    let mut keys: Vec<Option<Key>> = vec![None; places.len()];
    let statement = sql::select_latest_rows(shape, stretch, None);
    copied_rows(connection, &statement, shape.latest.len() + 2, |time_us, series_id, values| {
        for ((key, field), place) in keys.iter_mut().zip(&shape.fields).zip(places) {
            let value = values.get(*place).copied().flatten();
            *key = match field.kind {
                ColumnType::Bool => value.and_then(<[u8]>::first).map(|bool| Key::of_int(i64::from(*bool))),
                _ => field.number.key(value),
            };
        }
        into.add(bucket(time_us), time_us, series_id, &keys);
        newest.add(time_us, series_id, values);
    })
    .await
}

/// Takes a level's bars within a stretch, also those that are computed on the fly, into bars.
///
/// # Errors
/// See [`RollupError`].
pub async fn take_live(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    stretch: Stretch,
    ids: Option<&[i64]>,
    bucket: impl Fn(i64) -> i64,
    into: &mut Bars,
) -> Result<u64, RollupError> {
    let statement = sql::select_bars(shape, &shape.live(level), stretch) + &sql::of_series(ids);
    take_bars(connection, shape, &statement, bucket, into).await
}

/// Takes what `statement` selects, which has the columns of a level's table, into bars.
///
/// # Errors
/// See [`RollupError`].
pub(super) async fn take_bars(
    connection: &mut PgConnection,
    shape: &Shape,
    statement: &str,
    bucket: impl Fn(i64) -> i64,
    into: &mut Bars,
) -> Result<u64, RollupError> {
    let numbers = shape.numbers();
    let parts = sql::PARTS.len();
    let mut bars: Vec<Bar> = Vec::with_capacity(numbers.len());
    copied_until(connection, statement, sql::bar_columns(shape).len() + 2, |time_us, series_id, values| {
        bars.clear();
        bars.extend(numbers.iter().zip(values.chunks(parts)).map(|(number, parts)| bar(time_us, *number, parts)));
        let weighted = match values.get(numbers.len() * parts..) {
            Some([product, weight]) => Weighted { product: float(*product), weight: float(*weight) },
            _ => Weighted::default(),
        };
        into.merge(bucket(time_us), series_id, &bars, weighted);
        into.has_room()
    })
    .await
}

/// A field's bar as its table has it.
fn bar(time_us: i64, number: Number, parts: &[Option<&[u8]>]) -> Bar {
    let [first, last, min, max, sum, count] = parts else { return Bar::EMPTY };
    let count = count.and_then(|count| count.try_into().ok()).map_or(0, i64::from_be_bytes);
    let keys = [first, last, min, max].map(|part| number.key(*part));
    match keys {
        [Some(first), Some(last), Some(min), Some(max)] if count > 0 => {
            Bar::stored(time_us, [first, last, min, max], float(*sum), count)
        }
        _ => Bar::EMPTY,
    }
}

fn float(value: Option<&[u8]>) -> f64 {
    value.and_then(|value| value.try_into().ok()).map_or(0.0, f64::from_be_bytes)
}

/// The newest values of the rows within a stretch, of these series or of all.
pub(super) async fn newest(
    connection: &mut PgConnection,
    shape: &Shape,
    stretches: &[Stretch],
    ids: Option<&[i64]>,
) -> Result<Newest, RollupError> {
    let columns = shape.latest.len() + 2;
    let mut newest = Newest::of(shape);
    for stretch in stretches {
        let statement = sql::select_latest_rows(shape, *stretch, ids);
        let rows = copied_rows(connection, &statement, columns, |time_us, series_id, values| {
            newest.add(time_us, series_id, values)
        });
        metric::count(metric::DATABASE, rows.await?);
    }
    Ok(newest)
}

/// Sorts bars on a thread that may take its time.
pub(super) async fn finished(bars: Bars) -> Result<Finished, sqlx::Error> {
    tokio::task::spawn_blocking(|| bars.finish()).await.map_err(|_| sqlx::Error::WorkerCrashed)
}

/// Copies bars into a level's table.
pub(super) async fn write(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    bars: &Finished,
) -> Result<(), RollupError> {
    if bars.is_empty() {
        return Ok(());
    }
    let columns = sql::bar_columns(shape);
    let names: String = columns.iter().map(|(name, _)| format!(", {}", quote_ident(name))).collect();
    let statement = format!("COPY {} (\"time\", series_id{names}) FROM STDIN (FORMAT binary)", shape.bars(level));
    let encoder = TupleEncoder::new(columns.len() + 2).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let weighted = shape.weighting().is_some();
    let mut next = 0;
    copy_pieces(connection, &statement, bars.len() as u64, |piece| {
        const PIECE_BYTES: usize = 256 << 10;
        piece.clear();
        if next > bars.len() {
            return Ok(false);
        }
        if next == 0 {
            encoder.begin(piece);
        }
        while piece.len() < PIECE_BYTES {
            let Some(bucket) = bars.get(next) else {
                encoder.end(piece);
                next = bars.len() + 1;
                break;
            };
            encode(encoder, bars.numbers(), bucket, weighted, piece);
            next += 1;
        }
        Ok(true)
    })
    .await?;
    Ok(())
}

fn encode(encoder: TupleEncoder, numbers: &[Number], bucket: BucketBars<'_>, weighted: bool, piece: &mut Vec<u8>) {
    encoder.row(piece);
    encoder.time(bucket.time_us, piece);
    encoder.value(Some(bucket.series_id.to_be_bytes()), piece);
    for (bar, number) in bucket.bars.iter().zip(numbers) {
        let there = bar.count > 0;
        for key in [bar.first, bar.last, bar.min, bar.max] {
            encoder.value(there.then(|| number.bytes(key)), piece);
        }
        encoder.value(there.then(|| bar.sum().to_be_bytes()), piece);
        encoder.value(there.then(|| bar.count.to_be_bytes()), piece);
    }
    if weighted {
        // Sums of nothing are missing, as the server has them.
        let Weighted { product, weight } = bucket.weighted;
        let there = weight != 0.0 || product != 0.0;
        encoder.value(there.then(|| product.to_be_bytes()), piece);
        encoder.value(there.then(|| weight.to_be_bytes()), piece);
    }
}
