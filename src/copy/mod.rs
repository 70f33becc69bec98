//! PostgreSQL's binary COPY, both ways: hand-encoded in, hand-decoded out.
//!
//! ```text
//! header   "PGCOPY\n\377\r\n\0"  flags: i32 = 0  extension: i32 = 0        19 bytes
//! row      columns: i16, then for each: length: i32 (-1: NULL), value      all big-endian
//! trailer  -1: i16
//! ```
//!
//! Values as the server sends and takes them: `timestamptz` microseconds since 2000-01-01 in an i64, `int8` an i64,
//! `float8` the bits of an IEEE double, `bool` one byte, `text` UTF-8. The encoder and the decoder are pure; `drive`
//! speaks to the server.
//!
//! A COPY without its trailer is accepted by the server, so the number of rows that it reports is compared with the
//! number that was encoded.

mod drive;
mod encode;

pub use drive::copy_in;
pub use encode::Encoder;

/// 2000-01-01, from which PostgreSQL counts, in microseconds since 1970.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
