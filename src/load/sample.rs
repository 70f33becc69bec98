//! What the first rows of a file show: how many series, over which time, how fast.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use hashbrown::HashSet;
use smallvec::SmallVec;

use crate::hypertable::{Rate, row_bytes, rows_per_us};

use super::{
    FieldKind, Layout, Mapping, Rows, Tally,
    mapping::{Role, records},
    rows::Values,
};
use crate::protocol::Line;

/// How much of a plain file's end is looked at for its last row.
const TAIL_BYTES: u64 = 256 * 1024;

/// Rows that a plan shows.
const SHOWN_ROWS: usize = 5;

const DAY_US: f64 = 86_400_000_000.0;

/// What the first records of a file show.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Whether they are all that there are.
    pub covers_file: bool,
    /// Series among them.
    pub series: usize,
    /// The earliest and the latest time, microseconds since 1970 UTC; of a plain file its last row's is counted too.
    pub range_us: Option<(i64, i64)>,
    /// Rows in the whole file, if it goes on as it begins.
    pub estimated_rows: u64,
    /// How fast the data grows, where that can be told.
    pub rate: Option<Rate>,
    /// The first rows.
    pub first_rows: Rows,
    /// What became of the records.
    pub tally: Tally,
}

/// How much of the file a sample is.
#[derive(Debug, Clone, Copy)]
pub(super) struct SampleExtent {
    /// Whether it is all of it.
    pub(super) covers_file: bool,
    /// The share of the file that it is, about.
    pub(super) of_file: f64,
}

impl Sample {
    /// What these rows show. `tail_us` is the time of the file's last row, where it is known.
    pub(super) fn new(mut rows: Rows, tally: Tally, extent: SampleExtent, tail_us: Option<i64>) -> Self {
        let mut series = SeriesSet::default();
        series.add(&rows);
        let estimated_rows = if extent.covers_file { rows.len() as u64 } else { scaled(rows.len(), extent.of_file) };
        let known_us = || rows.times_us.iter().copied().chain(tail_us);
        let range_us = known_us().min().zip(known_us().max());
        let rate = rows_per_day(&rows.times_us, estimated_rows, tail_us.and(range_us))
            .map(|rows_per_day| Rate { rows_per_day, row_bytes: stored_bytes(&rows) });
        rows.keep_first(SHOWN_ROWS);
        let (covers_file, series) = (extent.covers_file, series.len());
        Self { covers_file, series, range_us, estimated_rows, rate, first_rows: rows, tally }
    }
}

fn scaled(rows: usize, share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate from sizes, never negative"
    )]
    let estimate = (rows as f64 / share.clamp(1e-12, 1.0)).round() as u64;
    estimate
}

/// The rate of all series together.
///
/// A file in the order of time has it in any of its pieces. One that is sorted by series has only some series in its first
/// rows: there all its rows, as far as they can be estimated, are taken to lie in the span that is known.
fn rows_per_day(times_us: &[i64], estimated_rows: u64, known_range_us: Option<(i64, i64)>) -> Option<f64> {
    let over_all = |(low, high): (i64, i64)| (high > low).then(|| estimated_rows as f64 / (high as f64 - low as f64));
    let in_sample = rows_per_us(times_us);
    let rate = match known_range_us {
        Some(range_us) => over_all(range_us).or(in_sample),
        None if is_in_order(times_us) => in_sample,
        None => {
            let range_us = times_us.iter().min().copied().zip(times_us.iter().max().copied());
            let by_series = range_us.and_then(over_all);
            in_sample.into_iter().chain(by_series).reduce(f64::max)
        }
    };
    rate.map(|per_us| per_us * DAY_US)
}

/// Whether the times only rise, or only fall, as they do in files with the newest row first.
fn is_in_order(times_us: &[i64]) -> bool {
    times_us.is_sorted() || times_us.is_sorted_by(|a, b| a >= b)
}

/// Bytes of a mean row in the table.
pub(super) fn stored_bytes(rows: &Rows) -> f64 {
    let texts = rows.fields.iter().filter_map(|field| match &field.values {
        Values::Texts(texts) => Some(texts),
        _ => None,
    });
    let text_bytes: usize =
        texts.flat_map(|texts| (0..texts.len()).filter_map(|row| texts.get(row))).map(|text| text.len() + 1).sum();
    let numbers = rows.fields.iter().filter(|field| !matches!(field.values, Values::Texts(_))).count();
    row_bytes(numbers, text_bytes as f64 / rows.len().max(1) as f64)
}

/// The time of the last record of a plain file, if its last line is one.
pub(super) fn last_time(path: &Path, mapping: &Mapping, delimiter: u8) -> Option<i64> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    let line = tail.trim_ascii_end().rsplit(|&byte| byte == b'\n').next()?;
    let mut record = csv::ByteRecord::new();
    let read = records(line, delimiter).read_byte_record(&mut record).ok()?;
    let (index, _) = mapping.with_role(Role::Time).next()?;
    if !read || record.len() != mapping.columns.len() {
        return None;
    }
    mapping.time.read(record.get(index)?.trim_ascii()).ok().map(|time| time.us)
}

/// The distinct tag sets among rows, 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct SeriesSet(HashSet<u128>);

impl SeriesSet {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add_line(&mut self, line: &mut Line<'_>) {
        line.sort_tags();
        let tags = line.tags.iter().flat_map(|(name, value)| [&**name, &**value]);
        self.0.insert(hash_of(std::iter::once(&*line.measurement).chain(tags)));
    }

    pub(super) fn add(&mut self, rows: &Rows) {
        let mut seen: HashSet<SmallVec<[u32; 4]>> = HashSet::new();
        for row in 0..rows.len() {
            let codes: SmallVec<[u32; 4]> = rows.tags.iter().map(|tag| tag.values.code(row)).collect();
            if !seen.contains(&codes) {
                // All rows of a file have the same tags in the same order, so the values alone tell series apart.
                self.0.insert(hash_of(rows.tags.iter().map(|tag| tag.values.get(row).unwrap_or_default())));
                seen.insert(codes);
            }
        }
    }
}

fn hash_of<'a>(texts: impl Iterator<Item = &'a str>) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    let mut first = [0; 16];
    hasher.finalize_xof().fill(&mut first);
    u128::from_le_bytes(first)
}

/// What the columns of the measurement will be, in the order of the view: tags, then fields with their types.
pub(super) fn fields_of(mapping: &Mapping) -> Vec<(&str, FieldKind)> {
    match &mapping.layout {
        Layout::Long => mapping.fields().map(|(_, name, kind)| (name, kind)).collect(),
        Layout::Wide { field, .. } => vec![(field, FieldKind::Number)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_file_in_order_of_time_shows_its_rate_anywhere() {
        let times_us: Vec<i64> = (0..1_000).map(|row| row / 20 * DAY).collect();
        let rate = rows_per_day(&times_us, 1_000_000, None).unwrap();
        assert!((rate / 20.0 - 1.0).abs() < 0.05, "{rate}");
        let newest_first: Vec<i64> = times_us.iter().rev().copied().collect();
        assert_eq!(rows_per_day(&newest_first, 1_000_000, None), Some(rate));
    }

    #[test]
    fn a_file_sorted_by_series_is_rated_by_all_its_rows() {
        // Two of a thousand series, a row a day for 500 days each.
        let times_us: Vec<i64> = (0..1_000).map(|row| row % 500 * DAY).collect();
        let rate = rows_per_day(&times_us, 500_000, None).unwrap();
        assert!((rate / 1_000.0 - 1.0).abs() < 0.05, "{rate}");
    }

    #[test]
    fn the_last_row_tells_of_series_that_the_sample_has_not() {
        // The sample is the beginning of the first series.
        let times_us: Vec<i64> = (0..1_000).map(|row| row * DAY).collect();
        let rate = rows_per_day(&times_us, 5_000_000, Some((0, 5_000 * DAY))).unwrap();
        assert!((rate / 1_000.0 - 1.0).abs() < 0.01, "{rate}");
    }

    #[test]
    fn one_moment_tells_no_rate() {
        assert_eq!(rows_per_day(&[7, 7, 7], 3, None), None);
        assert_eq!(rows_per_day(&[], 0, None), None);
    }
}
