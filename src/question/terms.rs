//! The words of which questions are made.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Timestamp, Width};

/// What is made of the non-missing values of a bucket. Equal times are broken by the greater value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The value of the latest row.
    #[default]
    Last,
    /// The value of the earliest row.
    First,
    /// The arithmetic mean.
    Mean,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The sum.
    Sum,
    /// How many values there are; an empty bucket is missing, not 0.
    Count,
}

impl Aggregate {
    /// All of them, as questions write them.
    pub const NAMES: [&str; 7] = ["last", "first", "mean", "min", "max", "sum", "count"];

    /// As questions write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::First => "first",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
        }
    }
}

/// Which buckets become columns, and which bucket is a bucket's neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grid {
    /// The buckets in which any series of the measurement has the field.
    #[default]
    Observed,
    /// Every bucket.
    Regular,
    /// The buckets in which any of the asked series has the field; each series' neighbour is its own previous
    /// observation, if not more than [`Grid::MAX_GAP`] buckets back.
    Own,
}

impl Grid {
    /// How many buckets back a series' own previous observation may lie.
    pub const MAX_GAP: i64 = 32;
}

/// How missing cells are filled, before the transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Fill {
    /// They stay missing.
    #[default]
    None,
    /// The series' last observation is carried forward, to buckets that start at most `max_age` after its bucket.
    Locf {
        /// How old a carried value may be.
        max_age: Width,
    },
}

/// What is made of neighbouring buckets `a`, then `b`; missing where either is, or where the result is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// `b`
    #[default]
    Level,
    /// `b - a`
    Diff,
    /// `b / a - 1`
    Pct,
    /// `ln(b / a)`, missing unless both are positive
    LogReturn,
}

/// The measure of correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Method {
    /// Pearson's r over the pairs of buckets that both series have.
    #[default]
    Pearson,
    /// Pearson's r of the average ranks within those pairs.
    Spearman,
    /// Pearson's r with weights that fall with age: exponentially weighted, as pandas' `ewm(halflife).corr` at the range's
    /// last bucket.
    Ewma {
        /// After so many buckets a pair weighs half.
        half_life: HalfLife,
    },
}

/// A number of buckets, greater than 0; need not be whole.
#[derive(Debug, Clone, Copy)]
pub struct HalfLife(f64);

impl HalfLife {
    /// `None` unless the number is finite and greater than 0.
    #[must_use]
    pub fn new(buckets: f64) -> Option<Self> {
        (buckets.is_finite() && buckets > 0.0).then_some(Self(buckets))
    }

    /// The number of buckets.
    #[must_use]
    pub fn buckets(self) -> f64 {
        self.0
    }
}

// Neither NaN nor a negative zero is a half-life, so that equal numbers have equal bits.
impl PartialEq for HalfLife {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for HalfLife {}

impl Hash for HalfLife {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl Serialize for HalfLife {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for HalfLife {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let buckets = f64::deserialize(deserializer)?;
        Self::new(buckets).ok_or_else(|| de::Error::custom("a half-life is a number of buckets greater than 0"))
    }
}

/// What makes a series rank high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The greatest |r|.
    #[default]
    Abs,
    /// The greatest r.
    Desc,
    /// The least r.
    Asc,
}

/// Which range ranks the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RankBy {
    /// The greatest score over all ranges.
    #[default]
    Max,
    /// The range with this index.
    Range(usize),
}

impl Serialize for RankBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Max => serializer.serialize_str("max"),
            Self::Range(index) => serializer.serialize_u64(*index as u64),
        }
    }
}

impl<'de> Deserialize<'de> for RankBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "the index of a range, or \"max\"")]
        enum Text {
            Index(usize),
            Name(String),
        }
        match Text::deserialize(deserializer)? {
            Text::Index(index) => Ok(Self::Range(index)),
            Text::Name(name) if name == "max" => Ok(Self::Max),
            Text::Name(_) => Err(de::Error::custom("expected the index of a range, or \"max\"")),
        }
    }
}

/// A figure that goes with an r.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stat {
    /// Two-sided p-value, Student's t with n - 2 degrees of freedom.
    PValue,
    /// 95 % interval by Fisher's z.
    Ci95,
    /// Benjamini-Hochberg's adjusted p-value over the whole answer of a range.
    QValue,
}

/// A half-open range of time; a bucket belongs to it if its start does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRange {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after.
    pub to: Timestamp,
}
