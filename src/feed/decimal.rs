//! Numbers as text, without the formatting machinery: a feed writes several of them a line, a million times a second.

/// Appends an integer.
pub(super) fn push_integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends the shortest text that reads back to the same bits, such as `0.1`, `-0.0` or `5e-324`.
pub(super) fn push_float(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(zmij::Buffer::new().format(number).as_bytes());
}

/// Appends hundredths as a decimal number with two digits after the point.
pub(super) fn push_hundredths(out: &mut Vec<u8>, hundredths: i64) {
    if hundredths < 0 {
        out.push(b'-');
    }
    let size = hundredths.unsigned_abs();
    push_integer(out, size / 100);
    out.push(b'.');
    if size % 100 < 10 {
        out.push(b'0');
    }
    push_integer(out, size % 100);
}

/// Appends the time of a line, in nanoseconds, and ends the line.
pub(super) fn push_line_end(out: &mut Vec<u8>, time_us: i64) {
    out.push(b' ');
    push_nanoseconds(out, time_us);
    out.push(b'\n');
}

/// Appends microseconds as nanoseconds.
pub(super) fn push_nanoseconds(out: &mut Vec<u8>, time_us: i64) {
    match time_us.checked_mul(1_000) {
        Some(time_ns) => push_integer(out, time_ns),
        None => push_integer(out, i128::from(time_us) * 1_000),
    }
}

/// The nearest hundredth.
#[expect(clippy::cast_possible_truncation, reason = "prices and temperatures are far within an i64; else it saturates")]
pub(super) fn hundredths(value: f64) -> i64 {
    (value * 100.0).round() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn integers_are_written_as_the_standard_library_does(number: i128) {
            prop_assert_eq!(text(|out| push_integer(out, number)), number.to_string());
        }

        #[test]
        fn floats_read_back_bit_for_bit(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let read: f64 = text(|out| push_float(out, number)).parse().unwrap();
            prop_assert_eq!(read.to_bits(), bits);
        }

        #[test]
        fn hundredths_read_back(number in -1_000_000_000i64..1_000_000_000) {
            let text = text(|out| push_hundredths(out, number));
            prop_assert_eq!(text.parse::<f64>().unwrap(), number as f64 / 100.0);
            prop_assert_eq!(text.split('.').nth(1).map(str::len), Some(2));
        }
    }

    #[test]
    fn extremes_are_written() {
        assert_eq!(text(|out| push_float(out, -0.0)), "-0.0");
        assert_eq!(text(|out| push_nanoseconds(out, i64::MIN)), (i128::from(i64::MIN) * 1_000).to_string());
        assert_eq!(text(|out| push_integer(out, i128::MIN)), i128::MIN.to_string());
        assert_eq!(text(|out| push_hundredths(out, -5)), "-0.05");
        assert_eq!(text(|out| push_line_end(out, 1)), " 1000\n");
    }
}
