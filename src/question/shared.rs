//! The fields that all questions share, and how a question gets them.

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serializer, de};

use super::{Aggregate, Fill, Grid, Invalid, Timestamp, Transform, Width};

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

pub(super) fn utc() -> Tz {
    Tz::UTC
}

pub(super) fn timezone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| {
        let name: String = name.chars().take(40).collect();
        de::Error::custom(format_args!("`{name}` is not an IANA time zone, such as Europe/Berlin"))
    })
}

pub(super) fn timezone_name<S: Serializer>(timezone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(timezone.name())
}

pub(super) fn min_overlap() -> usize {
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
            #[serde(default = "crate::question::shared::public")]
            pub namespace: String,
            /// See [`Shared::measurement`].
            pub measurement: String,
            /// See [`Shared::field`].
            pub field: String,
            /// See [`Shared::bucket`].
            pub bucket: Width,
            /// See [`Shared::timezone`].
            #[serde(
                default = "crate::question::shared::utc",
                deserialize_with = "crate::question::shared::timezone",
                serialize_with = "crate::question::shared::timezone_name"
            )]
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
pub(super) use question;

pub(super) fn check_range(path: &str, from: Timestamp, to: Timestamp) -> Result<(), Invalid> {
    if from < to {
        return Ok(());
    }
    Err(Invalid::new(format!("{path}to"), format!("must be later than `from`, which is {from}")))
}

pub(super) fn check_fill(fill: Fill) -> Result<(), Invalid> {
    match fill {
        Fill::Locf { max_age: Width::Months(_) } => {
            Err(Invalid::new("fill.locf.max_age", "cannot be in months, whose length differs; write days, such as 30d"))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_min_overlap(min_overlap: usize) -> Result<(), Invalid> {
    if min_overlap < 2 {
        return Err(Invalid::new("min_overlap", "must be 2 or more: a correlation needs two pairs"));
    }
    Ok(())
}

pub(super) fn check_top(top: Option<usize>) -> Result<(), Invalid> {
    if top == Some(0) {
        return Err(Invalid::new("top", "must be 1 or more; leave it out for all"));
    }
    Ok(())
}
