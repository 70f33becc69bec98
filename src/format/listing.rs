//! A page of a measurement's series, as `GET /api/v1/series` lists them.

use crate::query::TaggedSeries;

/// A page of a measurement's series in ascending id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesListing {
    /// Tag names in the measurement's order.
    pub tag_names: Vec<String>,
    /// The series of this page.
    pub rows: Vec<ListedSeries>,
    /// The `after` that gives the next page; `None` on the last. Only JSON carries it.
    pub next: Option<i64>,
    /// How many series match over all pages. Only JSON carries it.
    pub total: u64,
}

/// A series and the time that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSeries {
    /// Its id, and its tags in the order of [`SeriesListing::tag_names`].
    pub series: TaggedSeries,
    /// The time of its first row, microseconds since 1970 UTC; `None` where it has no rows.
    pub first_us: Option<i64>,
    /// The time of its last row, microseconds since 1970 UTC; `None` where it has no rows.
    pub last_us: Option<i64>,
}
