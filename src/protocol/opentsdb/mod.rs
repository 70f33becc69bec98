//! OpenTSDB's two ways to write, `put` lines over telnet and JSON over HTTP: bytes -> lines. Pure, like its parent.
//!
//! ```text
//! put <metric> <timestamp> <value> <tagk=tagv> [<tagk=tagv> ...]
//! {"metric": "...", "timestamp": 1700000000, "value": 1.5, "tags": {"host": "a"}}      or an array of such
//! ```
//!
//! A metric is a measurement with one field, `value`, always a float: neither form says which numbers are integers.
//!
//! | | OpenTSDB | here |
//! |---|---|---|
//! | timestamp | seconds, milliseconds beyond 32 bits | seconds below 10^10, milliseconds below 10^13; `1700000000.123` is seconds with a fraction. More digits are refused: nobody can tell what they count |
//! | names, tags' values | letters, digits, `-_./` | the same |
//! | tags | 1 to 8 | 1 to [`Limits::tags`](super::Limits::tags). A point without a tag is refused as it is there |
//! | the same tag twice | allowed with the same value | the same |
//! | `NaN`, infinities, `1e400` | refused | the same |
//! | several spaces, spaces at the end | an empty word | as one, as none |
//!
//! A tag named `value`, `time` or `series_id` is refused, because the measurement has a column of that name.

mod error;
mod json;
mod point;
mod telnet;
#[cfg(test)]
mod tests;

pub use error::{PointError, PointFault};
pub use json::{MalformedPut, Points, read_points, show_points};
pub use telnet::{Command, Commands};
