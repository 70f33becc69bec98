//! Frames of the spool, and the lines in them.

#![no_main]

use chunkwise::spool::{Frame, decode_frame, decode_lines, encode_lines};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((frame, length)) = decode_frame(bytes) {
        again(&frame, &bytes[..length]);
    }
    // Few bytes have a right checksum: the payload is read without one too.
    if let Ok(frame) = Frame::from_payload(bytes) {
        let mut encoded = Vec::new();
        frame.encode(&mut encoded).expect("a payload that was read can be written");
        assert_eq!(&encoded[8..], bytes);
        lines(frame.lines);
    }
    lines(bytes);
    let frame = Frame {
        id: Uuid::from_u128(1),
        body_hash: Uuid::from_u128(2),
        keep_s: 3,
        spooled_us: 4,
        protocol: "fuzz",
        namespace: "public",
        lines: bytes,
    };
    let mut encoded = Vec::new();
    frame.encode(&mut encoded).expect("labels and lines are short");
    let (read, length) = decode_frame(&encoded).expect("what was written is read");
    assert_eq!((read, length), (frame, encoded.len()));
    for cut in [0, 7, 8, length / 2, length - 1] {
        assert!(decode_frame(&encoded[..cut]).is_err());
    }
});

fn again(frame: &Frame<'_>, bytes: &[u8]) {
    let mut encoded = Vec::new();
    frame.encode(&mut encoded).expect("a frame that was read can be written");
    assert_eq!(encoded, bytes);
}

/// Numbers can be written in several ways, so bytes need not be the same; what they say must be.
fn lines(bytes: &[u8]) {
    let Ok(lines) = decode_lines(bytes) else { return };
    let mut encoded = Vec::new();
    encode_lines(&lines, &mut encoded).expect("spooled lines have times");
    let read = decode_lines(&encoded).expect("what was written is read");
    let mut twice = Vec::new();
    encode_lines(&read, &mut twice).expect("spooled lines have times");
    // Bytes, for NaN is not equal to itself.
    assert_eq!(encoded, twice);
    assert_eq!(lines.len(), read.len());
}
