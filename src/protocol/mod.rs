//! InfluxDB's line protocol: bytes -> lines. Pure: no clock, no I/O, nothing is remembered between two bodies.
//!
//! ```text
//! measurement[,tag=value]... field=value[,field=value]... [time]
//!
//! ticks,symbol=AAPL,exchange=N price=187.32,size=100i,venue="dark pool",odd=f 1700000000000000000
//! ```
//!
//! | field | is |
//! |---|---|
//! | `1`, `-1.5`, `1e-3`, `.5`, `1.` | a float; `NaN`, infinities and what overflows (`1e309`) are refused |
//! | `1i`, `1u` | a signed and an unsigned integer of 64 bits |
//! | `t T true True TRUE f F false False FALSE` | a truth value |
//! | `"text"` | text; `\"` and `\\` are escapes in it, and a line break may stand in it |
//! | `1700000000000000t`, `1700000000000000000n` | a moment in microseconds or nanoseconds (QuestDB) |
//!
//! In names and in tags' values a backslash escapes a comma, a space, a backslash and (but for a measurement) `=`; before
//! anything else it stands for itself. A line break ends a line everywhere but between quotes.
//!
//! A body is read line by line ([`parse`](fn@parse)); a bad line is an [`LineError`] with its number and column, and the next one
//! is read as if it had not been there. Where a bad line ends is a question of its own: `extent` answers it.
//!
//! [`opentsdb`] reads the two forms of another protocol into the same lines, [`tsbs`] a benchmark's files.
//!
//! Most lines of a feed are of series that were there before: a [`Glance`] tells the series' part of a line from its fields
//! without reading it, so that whoever remembers the part need not take it apart again.
//!
//! What goes on from here is safe for the database: valid UTF-8 without NUL bytes, finite floats, times within the years
//! 1 to 9999, and names and tags' values within [`Limits`].

pub mod json;

mod cursor;
mod error;
mod extent;
mod field;
mod glance;
mod keys;
mod limits;
mod line;
mod lines;
pub mod opentsdb;
mod parse;
mod render;
mod time;
mod topic;
pub mod tsbs;

pub use error::{LineError, Reason};
pub use extent::complete_bytes;
pub use glance::{Glance, GlanceTime};
pub use limits::Limits;
pub use line::{FieldValue, Fields, Line, Tags};
pub use lines::Lines;
pub use time::{MAX_TIME_US, MIN_TIME_US, Moment, Precision, UnknownPrecision};
pub use topic::{TopicTags, TopicTagsError, is_topic_filter};

/// Reads a body of line protocol under the default [`Limits`]: an item for each line that is neither blank nor a comment,
/// in the order of the body.
///
/// ```
/// use chunkwise::protocol::{FieldValue, Precision, parse};
///
/// let body = b"ticks,symbol=AAPL price=187.32 1700000000\nticks price= 1700000000\n";
/// let lines: Vec<_> = parse(body, Precision::Seconds).collect();
///
/// let line = lines[0].as_ref().unwrap();
/// assert_eq!(line.measurement, "ticks");
/// assert_eq!(line.fields[0], ("price".into(), FieldValue::Float(187.32)));
/// assert_eq!(line.time_us, Some(1_700_000_000_000_000));
///
/// let error = lines[1].as_ref().unwrap_err();
/// assert_eq!((error.line, error.column), (2, 13));
/// ```
#[must_use]
pub fn parse(body: &[u8], precision: Precision) -> Lines<'_> {
    Lines::new(body, precision, Limits::default())
}

#[cfg(test)]
mod tests;
