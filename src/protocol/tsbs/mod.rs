//! The data files of TSBS (the Time Series Benchmark Suite) in its `timescaledb` format: a head, then a row in two lines each.
//!
//! ```text
//! tags,hostname string,region string,...          the tags that all rows have, and their types
//! cpu,usage_user,usage_system,...                 a measurement and its fields; a line for each measurement
//!                                                 a blank line ends the head
//! tags,hostname=host_0,region=eu-west-1,...       a row's tags, those of the head first
//! cpu,1451606400000000000,58,2,...                its measurement, time in nanoseconds, and a value a field; empty is missing
//! ```
//!
//! Nothing is escaped in it: a comma ends a value wherever it stands. All values are numbers without a type, so they are
//! floats, as TSBS's own tables have them. A row without any value is none, as TSBS writes none in line protocol.

mod head;
mod records;

pub use head::{Head, HeadError, head_bytes};
pub use records::{Records, record_bytes};

#[cfg(test)]
mod tests;
