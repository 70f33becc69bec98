//! How far before a range its first bucket reaches.

use super::Shape;
use crate::{
    frame::Calendar,
    question::{Grid, Transform},
};

/// What an answer needs from before its first bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// The bucket that may be the first bucket's neighbour.
    pub neighbour: Neighbour,
    /// How much longer before that bucket values matter because they are carried into it; 0 without `locf`.
    pub max_age_us: i64,
}

/// Which bucket may be the neighbour of a range's first bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// None is needed.
    None,
    /// The bucket before, observed or not.
    PreviousBucket,
    /// The last bucket before in which any series of the measurement has the field, however far back.
    PreviousObserved,
    /// Any of this many buckets before.
    BucketsBack(i64),
}

impl Shape {
    /// What an answer of this shape needs from before its first bucket.
    #[must_use]
    pub fn history(&self) -> History {
        let neighbour = match (self.transform, self.grid) {
            (Transform::Level, _) => Neighbour::None,
            (_, Grid::Observed) => Neighbour::PreviousObserved,
            (_, Grid::Regular) => Neighbour::PreviousBucket,
            (_, Grid::Own) => Neighbour::BucketsBack(Grid::MAX_GAP),
        };
        History { neighbour, max_age_us: self.max_age_us().unwrap_or(0) }
    }
}

impl History {
    /// The start of the first bucket to read for a range whose first bucket starts at `first_us`; `first_us` itself if
    /// there is nothing to read before.
    ///
    /// With [`Neighbour::PreviousObserved`] the caller finds that bucket's start, and gives `None` if there is none;
    /// all that matters between it and `first_us` is the bucket itself. The other neighbours are found by the calendar,
    /// and every bucket from the result on matters.
    #[must_use]
    pub fn read_from_us(&self, calendar: &Calendar, first_us: i64, previous_observed_us: Option<i64>) -> i64 {
        let neighbour_us = match self.neighbour {
            Neighbour::None => first_us,
            Neighbour::PreviousBucket => calendar.previous(first_us),
            Neighbour::PreviousObserved => previous_observed_us.unwrap_or(first_us).min(first_us),
            Neighbour::BucketsBack(buckets) => (0..buckets).fold(first_us, |start, _| calendar.previous(start)),
        };
        calendar.ceil(neighbour_us.saturating_sub(self.max_age_us)).min(neighbour_us)
    }
}
