//! A question -> chunks -> SQL -> rows in cells.
//!
//! ```text
//! ranges -> Span      aligned to buckets, those that overlap or touch made one
//!    |
//! Plan                the pieces of time to read (spans and what their first buckets depend on), cut at chunks
//!    |
//! Snapshot            one state of the database, for as many connections as read
//!    |
//! read                COPY by slices -> an Accumulator over the columns of all pieces
//! ```
//!
//! Or, for what joins rows instead of bucketing them: [`RawSide`] -> [`raw_slices`] -> [`RawReading`].

mod observed;
mod plan;
mod raw;
mod row_index;
mod session;
mod size;
mod slices;
mod statement;

pub use observed::{note_observed, previous_observed};
pub use plan::{Piece, Plan, Slice, Span, merged, spans};
pub use raw::{Cost, RawReading, RawSide, estimated_rows, raw_slices};
pub use session::Snapshot;
pub use size::stored_bytes;
pub use slices::{ReadError, Reading, Rows, read};
pub use statement::{NotNumeric, Source};
