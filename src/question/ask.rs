//! The questions themselves, with their defaults, as the HTTP contract fixes them.

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Selector, Timestamp, Width};

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
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Pearson's r over the pairs of buckets that both series have.
    #[default]
    Pearson,
    /// Pearson's r of the average ranks within those pairs.
    Spearman,
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

/// The fields that all questions share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shared {
    /// The namespace, `public` by default.
    pub namespace: String,
    /// The measurement.
    pub measurement: String,
    /// The field.
    pub field: String,
    /// The width of a bucket.
    pub bucket: Width,
    /// The zone in which buckets of a day or more are cut.
    pub timezone: Tz,
    /// What is made of a bucket's values.
    pub aggregate: Aggregate,
    /// Which buckets are columns.
    pub grid: Grid,
    /// How missing cells are filled.
    pub fill: Fill,
    /// What is made of neighbours.
    pub transform: Transform,
    /// The most bytes that the question may take in memory, if less than the server's own limit.
    pub limit_bytes: Option<u64>,
}

pub(super) fn public() -> String {
    "public".to_owned()
}

fn utc() -> Tz {
    Tz::UTC
}

fn timezone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| {
        let name: String = name.chars().take(40).collect();
        de::Error::custom(format_args!("`{name}` is not an IANA time zone, such as Europe/Berlin"))
    })
}

fn timezone_name<S: Serializer>(timezone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(timezone.name())
}

fn min_overlap() -> usize {
    10
}

/// Declares a question with the shared fields in front of its own.
macro_rules! question {
    ($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// See [`Shared::namespace`].
            #[serde(default = "public")]
            pub namespace: String,
            /// See [`Shared::measurement`].
            pub measurement: String,
            /// See [`Shared::field`].
            pub field: String,
            /// See [`Shared::bucket`].
            pub bucket: Width,
            /// See [`Shared::timezone`].
            #[serde(default = "utc", deserialize_with = "timezone", serialize_with = "timezone_name")]
            pub timezone: Tz,
            /// See [`Shared::aggregate`].
            #[serde(default)]
            pub aggregate: Aggregate,
            /// See [`Shared::grid`].
            #[serde(default)]
            pub grid: Grid,
            /// See [`Shared::fill`].
            #[serde(default)]
            pub fill: Fill,
            /// See [`Shared::transform`].
            #[serde(default)]
            pub transform: Transform,
            /// See [`Shared::limit_bytes`].
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub limit_bytes: Option<u64>,
            $($body)*
        }

        impl $name {
            /// The fields that all questions share.
            #[must_use]
            pub fn shared(&self) -> Shared {
                Shared {
                    namespace: self.namespace.clone(),
                    measurement: self.measurement.clone(),
                    field: self.field.clone(),
                    bucket: self.bucket,
                    timezone: self.timezone,
                    aggregate: self.aggregate,
                    grid: self.grid,
                    fill: self.fill,
                    transform: self.transform,
                    limit_bytes: self.limit_bytes,
                }
            }
        }
    };
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
        #[serde(default = "min_overlap")]
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

pub(super) fn check_range(path: &str, from: Timestamp, to: Timestamp) -> Result<(), Invalid> {
    if from < to {
        return Ok(());
    }
    Err(Invalid::new(format!("{path}to"), format!("must be later than `from`, which is {from}")))
}

fn check_fill(fill: Fill) -> Result<(), Invalid> {
    match fill {
        Fill::Locf { max_age: Width::Months(_) } => {
            Err(Invalid::new("fill.locf.max_age", "cannot be in months, whose length differs; write days, such as 30d"))
        }
        _ => Ok(()),
    }
}

impl WindowQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)?;
        check_fill(self.fill)
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
        if self.min_overlap < 2 {
            return Err(Invalid::new("min_overlap", "must be 2 or more: a correlation needs two pairs"));
        }
        if self.top == Some(0) {
            return Err(Invalid::new("top", "must be 1 or more; leave it out for all series"));
        }
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
