//! Two streams of rows -> for each row of the left one, the last row of the right one at or before its time.
//!
//! ```text
//! left   ----a-------b---------c---->        a: none yet    b: right 1, age 3
//! right  ------1--------2--3-------->        c: right 3, age 2
//! ```
//!
//! Rows are of **pairs**: what the left and the right side have in common, such as a symbol. The caller numbers them.
//! Rows arrive slice of time by slice of time, in any order within one, because a hot chunk holds rows in the order in which
//! they came; what the last slice had of the right side is carried into the next. So no more is in memory than a slice of
//! either side and the answer.
//!
//! - A right row counts from its own moment on, for as long as the tolerance: both ends included.
//! - Of right rows with equal times the one with the greater values counts, field by field in the order asked; a missing value
//!   is the least. So no answer depends on the order in which rows are stored.
//! - Left rows all stay, also those of equal pair and time.

mod join;
mod rows;

#[cfg(test)]
mod tests;

pub use join::{AsofJoin, Joined, Unmatched};
pub use rows::SideRows;
