//! What decides every row of a feed.

use serde::{Deserialize, Serialize};

use crate::feed::FeedError;

/// What a feed looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Trades of assets that move together: `price` and `size` by `symbol`.
    Assets,
    /// Readings of sensors: `temperature` and `humidity` by `device` and `site`. One reading of 64 is missing, one comes
    /// late, one comes twice, in two requests.
    Sensors,
}

/// Which fields a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldSet {
    /// The kind's two numbers, and what is hard to carry: `check` (a 64-bit integer), `exact` (a float of any bits, with
    /// -0.0 and subnormals), `flag` (a truth value), `note` (text with escapes, on one row of 16).
    All,
    /// The kind's two numbers.
    Numbers,
}

/// How rows are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Line protocol with nanoseconds.
    LineProtocol,
    /// OpenTSDB's JSON array with milliseconds; a row has the one field `value`.
    OpenTsdbJson,
    /// OpenTSDB's `put` lines with milliseconds; a row has the one field `value`.
    OpenTsdbPut,
    /// A WebSocket's JSON frame with nanoseconds; without `check`, because JSON's numbers are floats.
    JsonFrame,
}

/// What decides every row: equal recipes give equal bytes. A journal begins with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What the feed looks like.
    pub kind: Kind,
    /// Other seeds give other values.
    pub seed: u64,
    /// The measurement that the rows go to.
    pub measurement: String,
    /// Streams that are sent side by side, up to 10,000; each has series of its own.
    pub sources: u32,
    /// Series in all, from `sources` to 1,000,000.
    pub series: u32,
    /// Which fields a row has.
    pub fields: FieldSet,
    /// How rows are written down.
    pub shape: Shape,
    /// The time of each source's first row, microseconds since 1970 UTC. Whole milliseconds for OpenTSDB.
    pub start_us: i64,
    /// From a source's row to its next, microseconds, up to an hour. Whole milliseconds for OpenTSDB.
    pub step_us: u32,
    /// Rows of a request, up to 1,000,000. A sensor's reading that is late or comes again does so two requests later.
    pub lines_per_request: u32,
}

impl Recipe {
    /// Checks that it can be followed.
    ///
    /// # Errors
    /// [`FeedError`] says what is out of its range.
    pub fn check(&self) -> Result<(), FeedError> {
        let within = |name, value: u32, from, to| {
            if (from..=to).contains(&value) { Ok(()) } else { Err(FeedError::Outside { name, value, from, to }) }
        };
        within("sources", self.sources, 1, 10_000)?;
        within("series", self.series, self.sources, 1_000_000)?;
        within("microseconds from row to row", self.step_us, 1, 3_600_000_000)?;
        within("lines per request", self.lines_per_request, 1, 1_000_000)?;
        let milliseconds = matches!(self.shape, Shape::OpenTsdbJson | Shape::OpenTsdbPut);
        if milliseconds && (!self.step_us.is_multiple_of(1_000) || self.start_us % 1_000 != 0) {
            return Err(FeedError::Milliseconds);
        }
        // No escapes: each protocol has its own, and what they do is tested where they are parsed.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if self.measurement.is_empty() || self.measurement.len() > 48 || !self.measurement.chars().all(plain) {
            return Err(FeedError::Measurement(self.measurement.clone()));
        }
        Ok(())
    }

    /// The time of a source's row; saturates at the greatest `i64`.
    #[must_use]
    pub fn time_us(&self, seq: u64) -> i64 {
        let offset_us = i64::try_from(seq).unwrap_or(i64::MAX).saturating_mul(i64::from(self.step_us));
        self.start_us.saturating_add(offset_us)
    }

    /// Which row of a source has that time, if any has.
    #[must_use]
    pub fn seq_at(&self, time_us: i64) -> Option<u64> {
        let offset_us = u64::try_from(time_us.checked_sub(self.start_us)?).ok()?;
        offset_us.is_multiple_of(u64::from(self.step_us)).then(|| offset_us / u64::from(self.step_us))
    }

    /// How many series a source has: the series `source`, `source + sources`, `source + 2 sources` and so on.
    #[must_use]
    pub fn series_of(&self, source: u32) -> u32 {
        self.series.saturating_sub(source).div_ceil(self.sources.max(1))
    }
}
