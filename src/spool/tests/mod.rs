//! The spool against its promises: a file system that fails and forgets, a disk that somebody has damaged, many threads.

mod appending;
mod codec;
mod damage;
mod faults;
mod harness;
mod model_fs;

use uuid::Uuid;

use super::Frame;

/// A frame that can be told from others, and from a damaged one, by its number; `lines` are its payload's bulk.
fn frame(number: u32, lines: &[u8]) -> Frame<'_> {
    Frame {
        id: Uuid::from_u128(u128::from(number)),
        body_hash: Uuid::from_u128(u128::from(number) << 64),
        keep_s: u64::from(number) + 3_600,
        spooled_us: i64::from(number) * 1_000,
        protocol: "line_protocol_http",
        namespace: "öffentlich",
        lines,
    }
}

/// Bytes that depend on a frame's number; never zero.
fn lines(number: u32, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from((at + number as usize) % 251).unwrap_or(0) + 1).collect()
}
