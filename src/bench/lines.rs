//! Requests made before the clock runs: lines of a synthetic feed whose times are set as they are sent.

use super::{RowTimes, START_US};
use crate::{
    batch::{Batch, BatchColumn, Value},
    copy::Encoder,
    feed::{Assets, AssetsOptions, FeedError, Hosts, HostsOptions},
    hypertable::ColumnType,
};

/// The measurement that lines of line protocol are of.
pub(super) const MEASUREMENT: &str = "ticks";
/// The metric of OpenTSDB's lines, which is a measurement too.
pub(super) const METRIC: &str = "bench.price";

/// Lines, used again and again: a body is a stretch of them with times of its own.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where each line begins, and where the last one ends.
    starts: Vec<usize>,
    /// Where each line's time begins.
    times: Vec<usize>,
    unit: TimeUnit,
    row_times: RowTimes,
    /// Rows that follow each other and have one time.
    rows_a_time: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeUnit {
    Nanoseconds,
    Milliseconds,
}

impl TimeUnit {
    /// Of the year 2024, and of all others that a benchmark reaches.
    fn digits(self) -> usize {
        match self {
            Self::Nanoseconds => 19,
            Self::Milliseconds => 13,
        }
    }

    fn of_us(self, us: i64) -> i64 {
        match self {
            Self::Nanoseconds => us * 1_000,
            Self::Milliseconds => us / 1_000,
        }
    }
}

impl Lines {
    /// `ticks,symbol=BDFG price=101.25,size=300 1704067200000000000`
    pub(super) fn line_protocol(series: u32, lines: usize) -> Result<Self, FeedError> {
        let unit = TimeUnit::Nanoseconds;
        Self::make(series, lines, unit, |assets, out| {
            let tick = assets.next_tick(START_US);
            assets.write_tick(&tick, START_US, out);
            out.len() - 1 - unit.digits()
        })
    }

    /// `ticks,symbol=BDFG price=101.25,size=300,bid=101.24 1704067200000000000`
    pub(super) fn with_bid(series: u32, lines: usize) -> Result<Self, FeedError> {
        let unit = TimeUnit::Nanoseconds;
        Self::make(series, lines, unit, |assets, out| {
            let tick = assets.next_tick(START_US);
            assets.write_tick(&tick, START_US, out);
            // Behind the fields: a blank, the time and a line's end.
            let end = out.split_off(out.len() - 2 - unit.digits());
            out.extend_from_slice(format!(",bid={:.2}", tick.price - 0.01).as_bytes());
            out.extend_from_slice(&end);
            out.len() - 1 - unit.digits()
        })
    }

    /// `put bench.price 1704067200000 101.25 symbol=BDFG`
    pub(super) fn open_tsdb(series: u32, lines: usize) -> Result<Self, FeedError> {
        Self::make(series, lines, TimeUnit::Milliseconds, |assets, out| {
            let tick = assets.next_tick(START_US);
            let symbol = assets.symbol(tick.symbol).unwrap_or_default();
            out.extend_from_slice(b"put ");
            out.extend_from_slice(METRIC.as_bytes());
            let time = out.len() + 1;
            out.extend_from_slice(format!(" {} {} symbol={symbol}\n", START_US / 1_000, tick.price).as_bytes());
            time
        })
    }

    /// `cpu,hostname=host_0,region=... usage_user=58i,... 1704067200000000000`: a line a host of each time. The values walk for
    /// so many times, then the same way back, and so on, so they never jump.
    pub(super) fn cpu(hosts: u32, times: usize, row_times: RowTimes) -> Result<Self, FeedError> {
        let mut hosts = Hosts::new(HostsOptions { hosts, seed: AssetsOptions::default().seed })?;
        let (count, unit) = (hosts.count(), TimeUnit::Nanoseconds);
        let (mut bytes, mut starts, mut times_at) = (Vec::new(), vec![0], Vec::new());
        for _ in 0..count * times.max(1) {
            times_at.push(hosts.write_next(unit.of_us(START_US), &mut bytes));
            starts.push(bytes.len());
        }
        // Neither end comes twice in a row.
        for line in (1..times.saturating_sub(1)).rev().flat_map(|time| time * count..(time + 1) * count) {
            let (from, base) = (starts[line], bytes.len());
            times_at.push(times_at[line] - from + base);
            bytes.extend_from_within(from..starts[line + 1]);
            starts.push(bytes.len());
        }
        Ok(Self { bytes, starts, times: times_at, unit, row_times, rows_a_time: count as u64 })
    }

    /// `write` appends a line and says where its time begins.
    fn make(
        series: u32,
        lines: usize,
        unit: TimeUnit,
        mut write: impl FnMut(&mut Assets, &mut Vec<u8>) -> usize,
    ) -> Result<Self, FeedError> {
        let mut assets = Assets::new(AssetsOptions { symbols: series, ..AssetsOptions::default() })?;
        let mut made = Self {
            bytes: Vec::new(),
            starts: vec![0],
            times: Vec::with_capacity(lines),
            unit,
            row_times: RowTimes::DENSE,
            rows_a_time: 1,
        };
        for _ in 0..lines.max(1) {
            let time = write(&mut assets, &mut made.bytes);
            made.times.push(time);
            made.starts.push(made.bytes.len());
        }
        Ok(made)
    }

    /// The same with other times.
    pub(super) fn at(self, row_times: RowTimes) -> Self {
        Self { row_times, ..self }
    }

    /// How many different lines there are.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// A request with the rows from `first_row` on.
    pub(super) fn body(&self, first_row: u64, rows: usize) -> Vec<u8> {
        let mut body = Vec::with_capacity(rows * (self.bytes.len() / self.len() + 8));
        let mut row = first_row;
        let mut left = rows;
        while left > 0 {
            let from = usize::try_from(row % self.len() as u64).unwrap_or(0);
            let to = (from + left).min(self.len());
            let (base, copied) = (body.len(), self.starts[from]);
            body.extend_from_slice(&self.bytes[copied..self.starts[to]]);
            for time in &self.times[from..to] {
                let at = base + time - copied;
                let us = self.row_times.of(row / self.rows_a_time);
                write_digits(&mut body[at..at + self.unit.digits()], self.unit.of_us(us));
                row += 1;
            }
            left -= to - from;
        }
        body
    }
}

fn write_digits(place: &mut [u8], number: i64) {
    let mut rest = number.unsigned_abs();
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

/// The same trades as the bytes of a binary COPY of time, series_id, price, size.
#[derive(Debug)]
pub(super) struct CopyRows {
    bytes: Vec<u8>,
    rows: usize,
    row_times: RowTimes,
}

impl CopyRows {
    /// A COPY's bytes before the first row.
    const HEADER_BYTES: usize = 19;
    /// Four columns of eight bytes, each behind its length, behind their count.
    const ROW_BYTES: usize = 2 + 4 * 12;
    /// Before the first row's time.
    const TIME_AT: usize = 2 + 4;
    /// A count of -1.
    const TRAILER_BYTES: usize = 2;

    /// Rows for a COPY that takes all of them.
    pub(super) fn make(series: u32, rows: usize) -> Result<Self, FeedError> {
        let mut assets = Assets::new(AssetsOptions { symbols: series, ..AssetsOptions::default() })?;
        let column = |name: &str| BatchColumn { name: name.to_owned(), kind: ColumnType::Float8 };
        let mut batch = Batch::new(vec![column("price"), column("size")]);
        for _ in 0..rows {
            let tick = assets.next_tick(START_US);
            let values = [(0, Value::Float8(tick.price)), (1, Value::Float8(tick.size))];
            batch.push_row(START_US, i64::from(tick.symbol) + 1, &values).expect("a trade is a row of two numbers");
        }
        let mut encoder = Encoder::new(&batch).expect("four columns are not too many");
        let (mut bytes, mut piece) = (Vec::new(), Vec::new());
        while encoder.next_piece(&mut piece).expect("numbers are not too long") {
            bytes.extend_from_slice(&piece);
        }
        Ok(Self { bytes, rows, row_times: RowTimes::DENSE })
    }

    /// The same with other times.
    pub(super) fn at(self, row_times: RowTimes) -> Self {
        Self { row_times, ..self }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// A COPY of the rows from `first_row` on: ready-made ones, again and again, each with its time.
    pub(super) fn body(&self, first_row: u64, rows: usize) -> Vec<u8> {
        let trailer = &self.bytes[self.bytes.len() - Self::TRAILER_BYTES..];
        let mut bytes = Vec::with_capacity(Self::HEADER_BYTES + rows * Self::ROW_BYTES + Self::TRAILER_BYTES);
        bytes.extend_from_slice(&self.bytes[..Self::HEADER_BYTES]);
        let place = |row: usize| Self::HEADER_BYTES + row * Self::ROW_BYTES;
        let mut row = first_row;
        let mut left = rows;
        while left > 0 {
            let from = usize::try_from(row % self.rows as u64).unwrap_or(0);
            let to = (from + left).min(self.rows);
            let base = bytes.len();
            bytes.extend_from_slice(&self.bytes[place(from)..place(to)]);
            // PostgreSQL counts from the year 2000; the difference is in the bytes as they were encoded.
            for at in (0..to - from).map(|copied| base + copied * Self::ROW_BYTES + Self::TIME_AT) {
                let mut time = [0; 8];
                time.copy_from_slice(&bytes[at..at + 8]);
                let moved = i64::from_be_bytes(time) + self.row_times.of(row) - START_US;
                bytes[at..at + 8].copy_from_slice(&moved.to_be_bytes());
                row += 1;
            }
            left -= to - from;
        }
        bytes.extend_from_slice(trailer);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_hosts_walk_there_and_back() {
        let step_us = 10_000_000;
        let lines = Lines::cpu(3, 4, RowTimes { first_us: START_US, step_us }).unwrap();
        assert_eq!(lines.len(), 3 * 6);
        let body = String::from_utf8(lines.body(0, 3 * 13)).unwrap();
        let split: Vec<(&str, i64)> =
            body.lines().map(|line| line.rsplit_once(' ').unwrap()).map(|(l, t)| (l, t.parse().unwrap())).collect();
        assert!(
            split
                .iter()
                .enumerate()
                .all(|(row, (_, time))| { *time == (START_US + i64::try_from(row / 3).unwrap() * step_us) * 1_000 })
        );
        let of = |time: usize| split[time * 3].0;
        assert!(of(4) == of(2) && of(5) == of(1) && of(6) == of(0) && of(12) == of(0) && of(1) != of(0));
        assert!(body.starts_with("cpu,hostname=host_0,region="), "{body}");
    }

    #[test]
    fn a_body_has_the_rows_and_times_that_were_asked_for() {
        let lines = Lines::line_protocol(10, 7).unwrap();
        let body = lines.body(5, 20);
        let text = std::str::from_utf8(&body).unwrap();
        let times: Vec<i64> = text.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
        let expected: Vec<i64> = (5..25).map(|row| RowTimes::DENSE.of(row) * 1_000).collect();
        assert_eq!(times, expected);
        assert!(text.lines().all(|line| line.starts_with("ticks,symbol=") && line.contains(" price=")));
        let (first, again) = (text.lines().next().unwrap(), text.lines().nth(7).unwrap());
        assert_eq!(first.rsplit_once(' ').unwrap().0, again.rsplit_once(' ').unwrap().0, "lines come round again");
    }

    #[test]
    fn a_bid_stands_behind_the_other_fields() {
        let lines = Lines::with_bid(10, 3).unwrap();
        let body = lines.body(0, 3);
        for (row, line) in std::str::from_utf8(&body).unwrap().lines().enumerate() {
            let (fields, time) = line.rsplit_once(' ').unwrap();
            assert_eq!(time, (RowTimes::DENSE.of(row as u64) * 1_000).to_string());
            let (_, bid) = fields.rsplit_once(",bid=").unwrap();
            assert!(fields.contains(",size=") && bid.parse::<f64>().is_ok(), "{line}");
        }
    }

    #[test]
    fn open_tsdb_s_lines_have_their_time_in_the_middle() {
        let lines = Lines::open_tsdb(10, 3).unwrap();
        let body = lines.body(10_000, 2);
        let text = std::str::from_utf8(&body).unwrap();
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!((words[0], words[1], words[2]), ("put", METRIC, "1704067201000"), "{line}");
            assert!(words[3].parse::<f64>().is_ok() && words[4].starts_with("symbol="), "{line}");
        }
    }

    #[test]
    fn a_copy_has_its_times_where_they_are_set() {
        let rows = CopyRows::make(5, 3).unwrap();
        assert_eq!(rows.bytes.len(), CopyRows::HEADER_BYTES + 3 * CopyRows::ROW_BYTES + 2);
        let time_us = |bytes: &[u8], row: usize| {
            let at = CopyRows::HEADER_BYTES + row * CopyRows::ROW_BYTES + CopyRows::TIME_AT;
            i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap()) + 946_684_800_000_000
        };
        let moved = rows.body(1_000, 5);
        assert_eq!(
            (0..5).map(|row| time_us(&moved, row)).collect::<Vec<_>>(),
            [1_000, 1_001, 1_002, 1_003, 1_004].map(|row| RowTimes::DENSE.of(row))
        );
        assert_eq!(moved.len(), rows.bytes.len() + 2 * CopyRows::ROW_BYTES);
        assert_eq!(moved[moved.len() - 2..], [0xff, 0xff]);
    }

    #[test]
    fn lines_and_copies_have_the_same_rows() {
        let (lines, rows) = (Lines::line_protocol(10, 7).unwrap(), CopyRows::make(10, 7).unwrap());
        let (body, copy) = (lines.body(4, 9), rows.body(4, 9));
        let text = std::str::from_utf8(&body).unwrap();
        for (row, line) in text.lines().enumerate() {
            let (_, fields) = line.split_once(" price=").unwrap();
            let price: f64 = fields.split_once(',').unwrap().0.parse().unwrap();
            // Behind time and series.
            let at = CopyRows::HEADER_BYTES + row * CopyRows::ROW_BYTES + CopyRows::TIME_AT + 2 * 12;
            assert_eq!(f64::from_be_bytes(copy[at..at + 8].try_into().unwrap()), price, "{line}");
        }
    }
}
