//! PostgreSQL's binary COPY, both ways. The codecs are pure; [`copy_in`] drives the encoder over a connection.
//!
//! ```text
//! header   'PGCOPY\n' FF '\r\n' 00   i32 flags = 0   i32 bytes of an extension = 0
//! row      i16 columns, then each:   i32 bytes of the value (-1: NULL), the value
//! ...
//! trailer  i16 -1
//! ```
//!
//! All numbers are big-endian. `float8` is its bits, `int8` two's complement, `bool` one byte, `text` UTF-8 without an end
//! mark, `timestamptz` microseconds since 2000-01-01 UTC as an `int8` (a name for infinity at either end).
//!
//! [`Encoder`] writes the rows of a batch, [`Decoder`] reads those of a window, [`TupleDecoder`] those of any
//! columns as bytes.

mod decode;
mod drive;
mod encode;
mod tuples;

pub use decode::{DecodeError, Decoder};
pub use drive::{WrongCount, copy_in, copy_pieces, copy_rows};
pub use encode::{EncodeError, Encoder, PIECE_BYTES};
pub use tuples::{TupleDecoder, TupleEncoder, timestamptz_us};

const SIGNATURE: [u8; 11] = *b"PGCOPY\n\xff\r\n\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// 2000-01-01, from which PostgreSQL counts, in microseconds since 1970-01-01, from which everybody else does.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

#[cfg(test)]
mod tests;
