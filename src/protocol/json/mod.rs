//! Rows as JSON -> lines: chunkwise's own form ([`Document`]), and foreign messages through a [`Mapping`]. Pure.
//!
//! ```text
//! {"id": "42", "rows": [{"measurement": "ticks", "time": 1700000000000000000,
//!                        "tags": {"symbol": "AAPL"}, "fields": {"price": 187.32, "open": true, "venue": "dark"}}]}
//! ```
//!
//! | JSON | is |
//! |---|---|
//! | a field's number | a float, also if it is whole: JSON has only one kind of number |
//! | a field's `true`, `"text"` | a truth value, text |
//! | a field's or a tag's `null` | nothing: it is left out |
//! | a tag's text or number | its text |
//! | `time`: an integer | counts the request's precision |
//! | `time`: text | RFC 3339 with a zone |
//! | `time`: missing or `null` | the server's time |
//!
//! A row that is wrong is a [`BadRow`] with its number, counted from 1, and the path of what is wrong in it; the others go
//! on. What is no JSON, or has another shape than above, is a [`DocumentError`] as a whole. What goes on is as safe for the
//! database as what [`parse`](fn@super::parse) lets through, under the same [`Limits`](super::Limits).

mod document;
mod mapping;
mod mistake;
mod node;
mod path;
mod row;
mod time;

pub use document::{Document, DocumentError};
pub use mapping::{FieldKind, FieldRule, Mapping, MappingError, TimeRule, TimeUnit};
pub use mistake::{BadRow, Mistake};
pub use node::Node;
pub use path::{Path, PathError};

#[cfg(test)]
mod tests;
