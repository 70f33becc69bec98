//! Times in JSON.

use chrono::DateTime;

use super::mistake::Mistake;
use crate::protocol::{MAX_TIME_US, MIN_TIME_US, Moment};

/// RFC 3339 with a zone.
pub(super) fn rfc3339(text: &str) -> Result<Moment, Mistake> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| Mistake::Time("RFC 3339 with a zone, such as 2024-05-01T12:00:00.123Z"))?;
    let us = time.timestamp_micros();
    let rounded = time.timestamp_subsec_nanos() % 1_000 != 0;
    if (MIN_TIME_US..=MAX_TIME_US).contains(&us) { Ok(Moment { us, rounded }) } else { Err(Mistake::TimeOutOfRange) }
}
