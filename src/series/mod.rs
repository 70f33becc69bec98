//! Tag sets -> series ids.
//!
//! A series is a measurement and a tag set. Its key is a hash of the tags ([`SeriesKey`]), its id a number that the
//! database gives once and never again. Writers look ids up in memory ([`SeriesIds`]) and make what is new in bulk;
//! questions select series by their tags.

mod create;
mod ids;
mod key;

pub use create::{NewSeries, create};
pub use ids::SeriesIds;
pub use key::SeriesKey;
