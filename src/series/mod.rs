//! Tag sets and series ids.

mod list;
mod select;

pub use list::{ListedSeries, MAX_PAGE, PageRequest, SeriesPage, list, moment};
pub use select::{SelectError, SelectedSeries, select, version};
