//! Blocks: what one against a hundred thousand needs, made once and kept.
//!
//! ```text
//! time      |------------- chunk -------------|------------- chunk -------------|
//! panels    |------|------|------|------|--|    |------|------|------|------|--|     64 buckets each, more where series are few
//!              |
//!           base panel       float64, missing = NaN; which buckets any series has       read from the database
//!              |
//!           compute panel    for a grid, fill and transform: float32 deviations from an offset a series, a bit a value where
//!                            some are missing                                           derived from it and what is before
//! ```
//!
//! A panel has a chunk's series side by side in tiles of 16, bucket after bucket: `[tile][bucket][16]`. So a chunk of five
//! buckets and one of thousands are read in order alike, a panel that is written to is made anew in a moment, and sums over
//! one may run in float32. A series keeps its place in all panels; new ones come behind, and have no values in panels that
//! were made before.
//!
//! A question uses a panel only as its own snapshot of the database has it. What has changed it finds in the change log: a
//! panel is right as long as no entry for its time is seen by one of the two, the state in which the panel was read and the
//! question's, and not by the other. Else just the changed buckets are read again. An entry without a range (another
//! client's INSERT or COPY) makes all panels of the measurement doubtful until it is narrowed to chunks, some seconds later:
//! a question that cannot wait reads its panels again, and what nobody has asked for meanwhile is right as it is, but for
//! those chunks. A TRUNCATE leaves nothing right. Chunks that came or went show in the catalog, and a database that was
//! restored, or went back in time, begins anew.
//!
//! The log is read by [`changes::news`](crate::hypertable::changes::news), as by all its readers; what is of blocks alone is
//! that they have many states side by side, and so keep the entries between them (`journal`).
//!
//! Panels that are not made anew for a while go to files (`keep`), which are mapped from then on: they take no memory that the
//! system could not have back, and the next process finds them.
//!
//! What is kept holds nothing that the database does not have, and may be forgotten at any time. The change log keeps its
//! entries for a day: what nobody has asked about for as long is made anew.

mod cells;
mod derive;
mod figures;
mod file;
mod identity;
mod journal;
mod keep;
mod layout;
mod loose;
mod make;
mod panel;
mod panels;
mod read;
mod roster;
mod store;
#[cfg(test)]
mod tests;
mod view;
mod written;

pub use figures::BlockFigures;
pub use file::replace;
pub use keep::FolderError;
pub use loose::LoosePanels;
pub use make::{BlockError, Making, Wanted};
pub use panels::{Cost, Panels};
pub use roster::Roster;
pub use store::{BlockOptions, Blocks};
pub use view::View;
