//! Tag sets -> series ids.
//!
//! A series is a measurement and a tag set. Its key is a hash of the tags ([`SeriesKey`]), its id a number that the
//! database gives once and never again. Writers look ids up in memory, by what clients write ([`SeriesParts`]) or by key
//! ([`SeriesIds`]), and make what is new in bulk;
//! questions select series by their tags.

mod create;
mod extent;
mod ids;
mod key;
mod list;
mod parts;
mod select;

pub use create::{NewSeries, create};
pub use ids::{MeasurementIds, SeriesIds};
pub use key::SeriesKey;
pub use list::{ListedSeries, MAX_PAGE, PageRequest, SeriesPage, list};
pub use parts::{KnownSeries, PartsReader, SeriesParts};
pub use select::{
    Asleep, SelectError, SelectedSeries, TaggedSeries, awake, select, select_among, select_columns, version,
};
