//! Windows and correlations: the questions with their defaults, as the HTTP contract fixes them.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Fill, Grid, Method, Order, RankBy, Selector, Stat, TimeRange, Timestamp, Transform, Width,
    shared::{Shared, check_fill, check_min_overlap, check_range, check_top, question},
};

/// The most ranges a question may have.
pub const MAX_RANGES: usize = 64;

/// A question that is well-formed but makes no sense, with the path of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Invalid {
    /// Where in the question, such as `ranges[2].to`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl Invalid {
    /// A complaint about the field at `path`.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}

question! {
    /// `POST /api/v1/window`: the values of some series over one range.
    pub struct WindowQuestion {
        /// Which series; all by default.
        #[serde(default)]
        pub series: Selector,
        /// The first moment.
        pub from: Timestamp,
        /// The first moment after.
        pub to: Timestamp,
        /// Further aggregates of the same buckets, made of the same reading of the rows; each another than `aggregate`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub also: Vec<Aggregate>,
    }
}

question! {
    /// `POST /api/v1/correlate`: one series against many over several ranges.
    pub struct CorrelateQuestion {
        /// The one series; must match exactly one.
        pub target: Selector,
        /// The others; all by default.
        #[serde(default)]
        pub against: Selector,
        /// 1 to [`MAX_RANGES`] ranges.
        pub ranges: Vec<TimeRange>,
        /// The measure.
        #[serde(default)]
        pub method: Method,
        /// With fewer common buckets r is null.
        #[serde(default = "crate::question::shared::min_overlap")]
        pub min_overlap: usize,
        /// Only the best so many, without the target itself, in rank order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub top: Option<usize>,
        /// What makes a series rank high.
        #[serde(default)]
        pub order: Order,
        /// Which range ranks the series.
        #[serde(default)]
        pub rank_by: RankBy,
        /// Figures that go with each r; by default `p_value` and `ci95` where `top` is given, else none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub stats: Option<Vec<Stat>>,
    }
}

impl WindowQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)?;
        check_fill(self.fill)?;
        for (at, also) in self.also.iter().enumerate() {
            if *also == self.aggregate || self.also[..at].contains(also) {
                let reason = format!("`{}` is asked for already: name each aggregate once", also.name());
                return Err(Invalid::new(format!("also[{at}]"), reason));
            }
        }
        Ok(())
    }
}

impl CorrelateQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.ranges.is_empty() || self.ranges.len() > MAX_RANGES {
            return Err(Invalid::new(
                "ranges",
                format!("must hold 1 to {MAX_RANGES} ranges, has {}", self.ranges.len()),
            ));
        }
        for (index, range) in self.ranges.iter().enumerate() {
            check_range(&format!("ranges[{index}]."), range.from, range.to)?;
        }
        check_fill(self.fill)?;
        check_min_overlap(self.min_overlap)?;
        check_top(self.top)?;
        match self.rank_by {
            RankBy::Range(index) if index >= self.ranges.len() => {
                Err(Invalid::new("rank_by", format!("is {index}, but there are only {} ranges", self.ranges.len())))
            }
            _ => Ok(()),
        }
    }

    /// The figures to give with each r: those asked for, or the default.
    #[must_use]
    pub fn stats_or_default(&self) -> &[Stat] {
        match (&self.stats, self.top) {
            (Some(stats), _) => stats,
            (None, Some(_)) => &[Stat::PValue, Stat::Ci95],
            (None, None) => &[],
        }
    }
}
