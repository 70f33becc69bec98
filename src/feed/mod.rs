//! Synthetic feeds: lines of line protocol that look like markets, buildings and hosts, the same for the same seed. Pure.
//!
//! ```text
//! Assets, Sensors --(one line at a time)--> Backfill: a stretch of the past, as fast as it can be taken
//!                                      \--> the caller: live, as many lines as its Pace says are due
//! ```
//!
//! A feed has no clock: each line is asked for with its time. Times should not fall from line to line; where one does, no
//! time is taken to have passed. Only additions, multiplications, divisions and square roots are used, which IEEE 754
//! defines to the last bit, and so a seed gives the same bytes on every machine.

mod assets;
mod decimal;
mod hosts;
pub mod journal;
mod noise;
mod pace;
mod rows;
pub mod run;
pub mod send;
mod sensors;
pub mod verify;

pub use assets::{Assets, AssetsOptions, Tick};
pub use hosts::{Hosts, HostsOptions};
pub use pace::{Backfill, Pace};
pub use rows::{FieldSet, Kind, Quantity, Recipe, Row, Rows, Shape, Value};
pub use sensors::{Reading, Sensors, SensorsOptions};

/// Something that writes lines.
pub trait Feed {
    /// Appends one line, with its line break, of the time `time_us` (microseconds since 1970 UTC), written in nanoseconds.
    fn write_next(&mut self, time_us: i64, out: &mut Vec<u8>);
}

/// Why a feed cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// A number of a recipe is not in its range.
    #[error("{name} must be from {from} to {to}, not {value}")]
    Outside {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u32,
        /// Its least value.
        from: u32,
        /// Its greatest value.
        to: u32,
    },
    /// OpenTSDB's times are milliseconds.
    #[error("OpenTSDB counts in milliseconds: start at a whole one, and step by whole ones")]
    Milliseconds,
    /// The measurement's name needs escapes in one of the protocols.
    #[error("{0:?} cannot be fed: take a name of up to 48 letters, digits, `_`, `-` and `.`")]
    Measurement(String),
    /// A number of the options is zero or too large.
    #[error("{name} must be between 1 and {limit}, not {value}")]
    OutOfRange {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u32,
        /// Its greatest value.
        limit: u32,
    },
}

fn within(name: &'static str, value: u32, limit: u32) -> Result<u32, FeedError> {
    if (1..=limit).contains(&value) { Ok(value) } else { Err(FeedError::OutOfRange { name, value, limit }) }
}
