//! Answers questions: plans, reads, aligns, computes. What REST and the command line have in common.
//!
//! Every question goes the same way:
//!
//! 1. It waits for a connection: a semaphore keeps questions from waiting for each other's connections in a circle.
//! 2. It takes a snapshot, and in that state finds measurement, series and chunks, plans, and reads.
//! 3. Whatever chunk it meant to read and has been dropped meanwhile makes it begin again: a snapshot keeps rows from
//!    changing, not chunks from going.
//!    A correlation about many series takes what it can from blocks instead, and reads only what they lack.
//! 4. It computes, on threads for such work, after its connections have gone back.

mod answer;
mod asked;
mod asof;
mod bars;
mod blocks;
mod correlate;
mod dead_letters;
mod error;
mod finding;
mod kept;
mod kinds;
mod latest;
mod overview;
mod questions;
mod reading;
mod tally;
mod ticks;
mod values;

pub use crate::series::{ListedSeries, SelectedSeries, SeriesPage, TaggedSeries};
pub use answer::*;
pub use asof::AsofAnswer;
pub use bars::{BarCells, BarColumn, BarsAnswer};
pub use dead_letters::{DeadLetter, DeadLetterPage, DeadLetterRequest};
pub use error::{QueryError, SeriesName};
pub use kinds::{AllPairs, KindTallies, LagAnswer, MatrixAnswer, Overlaps, Pair, RollingAnswer};
pub use latest::{LatestAnswer, LatestValues};
pub use overview::MeasurementOverview;
pub use questions::{QueryLimits, Questions};
pub use tally::{Tally, TallyShown};
