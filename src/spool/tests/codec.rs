//! Lines and frames as bytes.

use std::borrow::Cow;

use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        DecodedLines, FrameError, LinesError, MAX_PAYLOAD_BYTES, Untimed, decode_frame, decode_lines, encode_lines,
    },
    frame,
};
use crate::protocol::{FieldValue, Line};

fn value() -> impl Strategy<Value = FieldValue<'static>> {
    prop_oneof![
        any::<u64>().prop_map(|bits| FieldValue::Float(f64::from_bits(bits))),
        any::<i64>().prop_map(FieldValue::Integer),
        any::<u64>().prop_map(FieldValue::Unsigned),
        any::<bool>().prop_map(FieldValue::Boolean),
        any::<String>().prop_map(|text| FieldValue::Text(Cow::Owned(text))),
        any::<i64>().prop_map(FieldValue::Timestamp),
    ]
}

prop_compose! {
    fn line()(
        number in any::<u32>(),
        measurement in any::<String>(),
        tags in vec((any::<String>(), any::<String>()), 0..12),
        fields in vec((any::<String>(), value()), 1..8),
        time_us in any::<i64>(),
        rounded in any::<bool>(),
    ) -> Line<'static> {
        Line {
            number,
            measurement: Cow::Owned(measurement),
            tags: tags.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Owned(value))).collect(),
            fields: fields.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect(),
            time_us: Some(time_us),
            rounded,
            bytes: 0..0,
        }
    }
}

/// Floats by their bits, so that NaN equals itself and the zeros differ.
fn exact(lines: &[Line<'_>]) -> String {
    let fields = |line: &Line<'_>| -> Vec<String> {
        let text = |value: &FieldValue<'_>| match value {
            FieldValue::Float(value) => format!("float {:x}", value.to_bits()),
            other => format!("{other:?}"),
        };
        line.fields.iter().map(|(name, value)| format!("{name:?} {}", text(value))).collect()
    };
    let parts = |line: &Line<'_>| {
        let Line { number, measurement, tags, time_us, rounded, .. } = line;
        format!("{number} {measurement:?} {tags:?} {:?} {time_us:?} {rounded}", fields(line))
    };
    lines.iter().map(parts).collect::<Vec<_>>().join("\n")
}

proptest! {
    #[test]
    fn lines_come_back_bit_by_bit(lines in vec(line(), 0..10)) {
        let mut bytes = Vec::new();
        encode_lines(&lines, &mut bytes).unwrap();
        prop_assert_eq!(exact(&decode_lines(&bytes).unwrap()), exact(&lines));
        let names = lines.chunk_by(|a, b| a.measurement == b.measurement).map(|same| &*same[0].measurement);
        prop_assert_eq!(DecodedLines::new(&bytes).unwrap().measurements().unwrap(), names.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_read_at_a_glance_is_what_reading_says(lines in vec(line(), 0..10), passed in vec(any::<bool>(), 10)) {
        let mut bytes = Vec::new();
        encode_lines(&lines, &mut bytes).unwrap();
        let (read, mut decoded) = (decode_lines(&bytes).unwrap(), DecodedLines::new(&bytes).unwrap());
        for (line, passed) in read.iter().zip(passed) {
            let glance = decoded.glance().unwrap();
            let mut fields = crate::protocol::Fields::new();
            let behind = glance.read(|name, value| { fields.push((Cow::Borrowed(name), value)); true }).unwrap();
            prop_assert!(glance.read(|_, _| false).is_none());
            let seen = Line { fields, number: glance.number(), time_us: Some(glance.time_us()), ..line.clone() };
            prop_assert_eq!(exact(&[seen]), exact(std::slice::from_ref(line)));
            // Measurement and tags, and nothing else.
            let fields = line.fields.iter().take(1).cloned().collect();
            let others = [Line { number: 7, time_us: Some(7), fields, ..line.clone() }];
            let mut again = Vec::new();
            encode_lines(&others, &mut again).unwrap();
            prop_assert_eq!(DecodedLines::new(&again).unwrap().glance().unwrap().series_part(), glance.series_part());
            if passed { decoded.pass(behind) } else { drop(decoded.next().unwrap().unwrap()) }
        }
        prop_assert!(decoded.glance().is_none() && decoded.next().is_none());
    }

    #[test]
    fn lines_that_are_cut_or_too_long_are_errors(lines in vec(line(), 1..4), cut in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        encode_lines(&lines, &mut bytes).unwrap();
        prop_assert!(decode_lines(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert_eq!(decode_lines(&bytes).unwrap_err(), LinesError::Longer { at: bytes.len() - 1 });
    }

    #[test]
    fn hostile_bytes_are_no_panic(bytes in vec(prop_oneof![0_u8..8, any::<u8>()], 0..300)) {
        let looked_through = DecodedLines::new(&bytes).and_then(DecodedLines::measurements);
        prop_assert_eq!(looked_through.err(), decode_lines(&bytes).err());
        let decoded = decode_lines(&bytes).map_or(0, |lines| lines.len());
        prop_assert!(decoded <= bytes.len());
        let glance = DecodedLines::new(&bytes).ok().and_then(|lines| lines.glance());
        std::hint::black_box(glance.and_then(|glance| glance.read(|_, _| true)));
        if let Ok((frame, used)) = decode_frame(&bytes) {
            prop_assert!(used <= bytes.len() && frame.lines.len() < used);
        }
    }

    #[test]
    fn a_frame_comes_back_and_no_flipped_bit_goes_unseen(
        number in any::<u32>(), lines in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let mut bytes = Vec::new();
        frame(number, &lines).encode(&mut bytes).unwrap();
        prop_assert_eq!(decode_frame(&bytes), Ok((frame(number, &lines), bytes.len())));
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(decode_frame(&bytes).is_err());
    }
}

#[test]
fn numbers_that_claim_more_than_there_is_cost_no_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(decode_lines(&huge), Err(LinesError::Cut { at: 10 }));
    let too_huge = [0xff; 11];
    assert_eq!(decode_lines(&too_huge), Err(LinesError::Value { at: 10 }));
    assert_eq!(decode_frame(&[0xff; 60]), Err(FrameError::Length(u32::MAX)));
    assert_eq!(decode_frame(&[0; 60]), Err(FrameError::Length(0)));
}

#[test]
fn a_line_without_a_time_is_refused_by_its_number_and_leaves_nothing_behind() {
    let line = Line {
        number: 7,
        measurement: "m".into(),
        tags: [].into_iter().collect(),
        fields: [("f".into(), FieldValue::Float(1.0))].into_iter().collect(),
        time_us: None,
        rounded: false,
        bytes: 0..0,
    };
    let mut bytes = b"before".to_vec();
    assert_eq!(encode_lines(&[line], &mut bytes), Err(Untimed { number: 7 }));
    assert_eq!(bytes, b"before");
}

#[test]
fn a_frame_that_no_reader_would_take_is_not_written() {
    let lines = vec![0; MAX_PAYLOAD_BYTES];
    let mut bytes = Vec::new();
    assert!(matches!(frame(1, &lines).encode(&mut bytes), Err(FrameError::TooLarge(_))));
    let long = "x".repeat(256);
    let labelled = super::Frame { protocol: &long, ..frame(1, b"") };
    assert_eq!(labelled.encode(&mut bytes), Err(FrameError::Label(256)));
    assert!(bytes.is_empty());
}
