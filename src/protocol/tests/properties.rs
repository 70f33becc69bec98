//! What holds for any bytes at all.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{Lines, MAX_TIME_US, MIN_TIME_US, complete_bytes},
    *,
};

/// Bytes that mean something in line protocol, and a few that do not: bodies of them reach every branch.
fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"m",
        b"f",
        b"time",
        b",",
        b"=",
        b" ",
        b"\"",
        b"\\",
        b"\n",
        b"\r\n",
        b"\t",
        b"#",
        b"1",
        b"-",
        b".",
        b"e9",
        b"i",
        b"u",
        b"t",
        b"n",
        b"nan",
        b"\0",
        b"\xff",
        b"\xc3\xa9",
        b"m f=1\n",
        b"m,t=a f=\"x",
        b"\" 1\n",
        b"m f=\"a\nb\"\n",
        b"9223372036854775808",
        b"\xef\xbb\xbf",
    ];
    vec(select(pieces), 0..60).prop_map(|pieces| pieces.concat())
}

fn valid_body() -> impl Strategy<Value = Vec<u8>> {
    let lines: &[&[u8]] = &[
        b"ticks,symbol=AAPL,exchange=N price=187.32,size=100i 1700000000000000\n",
        b"m\\ 1,t\\,=a\\=b f=\"a \\\"quoted\\\" text\\\\\",g=t\n",
        b"m f=\"two\nlines\",g=1u 5\r\n",
        b"# comment\n",
        b"\n",
        b"m f=-1e-7,g=123t,h=123n -5\n",
    ];
    vec(select(lines), 1..8).prop_map(|lines| lines.concat())
}

/// What a reader may rely on, whatever the body was.
fn check(body: &[u8], precision: Precision) -> Result<(), TestCaseError> {
    let (mut last_number, mut last_end) = (0, 0);
    for line in Lines::new(body, precision, super::super::Limits::default()) {
        let (number, bytes) = match &line {
            Ok(line) => (line.number, &line.bytes),
            Err(error) => (error.line, &error.bytes),
        };
        prop_assert!(number > last_number && bytes.start >= last_end && bytes.end <= body.len());
        prop_assert_eq!(body[..bytes.start].iter().filter(|&&byte| byte == b'\n').count() + 1, number as usize);
        (last_number, last_end) = (number, bytes.end);
        match line {
            Ok(line) => {
                let text = std::str::from_utf8(&body[line.bytes.clone()]);
                prop_assert!(text.is_ok_and(|text| !text.contains('\0')));
                prop_assert!(!line.measurement.is_empty() && !line.fields.is_empty());
                prop_assert!(line.tags.iter().all(|(key, value)| !key.is_empty() && !value.is_empty()));
                let mut names: Vec<_> = line.tags.iter().map(|(key, _)| key).collect();
                names.extend(line.fields.iter().map(|(key, _)| key));
                names.sort_unstable();
                prop_assert!(names.is_sorted_by(|a, b| a < b), "a name comes twice");
                prop_assert!(line.time_us.is_none_or(|us| (MIN_TIME_US..=MAX_TIME_US).contains(&us)));
                for (_, value) in &line.fields {
                    prop_assert!(!matches!(value, FieldValue::Float(value) if !value.is_finite()));
                }
            }
            Err(error) => {
                prop_assert!(error.column >= 1 && error.column as usize <= error.bytes.len() + 1);
                prop_assert!(error.original(body, 7).len() <= 7 * 3);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_give_lines_or_errors_and_no_panic(body in vec(any::<u8>(), 0..300)) {
        check(&body, Precision::Nanoseconds)?;
    }

    #[test]
    fn hostile_bytes_give_lines_or_errors_and_no_panic(body in hostile_bytes()) {
        check(&body, Precision::Auto)?;
    }

    #[test]
    fn a_valid_body_with_bytes_changed_gives_lines_or_errors_and_no_panic(
        mut body in valid_body(),
        changes in vec((any::<prop::sample::Index>(), select(b"\"\\,= \n\r\tx1i\0\xff".to_vec())), 1..6),
    ) {
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        check(&body, Precision::Microseconds)?;
    }

    #[test]
    fn a_body_cut_at_any_byte_gives_the_lines_before_the_cut(body in valid_body()) {
        let whole = outcome(&body);
        for cut in 0..=body.len() {
            let complete = complete_bytes(&body[..cut]);
            prop_assert!(complete <= cut && (complete == 0 || body[complete - 1] == b'\n'));
            let lines = outcome(&body[..complete]);
            prop_assert_eq!(&lines[..], &whole[..lines.len()]);
        }
        prop_assert_eq!(complete_bytes(&body), body.len());
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_lines_of_the_whole(body in hostile_bytes(), cut: prop::sample::Index) {
        let body = [&body[..], b"\n"].concat();
        let complete = complete_bytes(&body[..cut.index(body.len())]);
        let plain = |body: &[u8]| -> Vec<_> {
            outcome(body).into_iter().map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned()).collect()
        };
        // A byte order mark is one at the start of a body only; a stream has one body.
        prop_assume!(!body[complete..].starts_with(b"\xef\xbb\xbf"));
        prop_assert_eq!([plain(&body[..complete]), plain(&body[complete..])].concat(), plain(&body));
    }

    #[test]
    fn floats_are_the_nearest_ones(bits: u64, digits in "-?[0-9]{1,25}", fraction in "[0-9]{0,20}", exponent in -330..310) {
        let shortest = f64::from_bits(bits);
        let mut texts = vec![digits.clone(), format!("{digits}.{fraction}"), format!("{digits}.{fraction}e{exponent}")];
        if shortest.is_finite() {
            texts.extend([format!("{shortest}"), format!("{shortest:e}")]);
        }
        for text in texts {
            let expected: f64 = text.parse().unwrap();
            let body = format!("m f={text}");
            match parse(body.as_bytes(), Precision::Auto).next().unwrap() {
                Ok(line) => {
                    let FieldValue::Float(value) = line.fields[0].1 else { panic!("{text} is no float") };
                    prop_assert_eq!(value.to_bits(), expected.to_bits(), "{}", text);
                }
                Err(error) => prop_assert!(expected.is_infinite(), "{}: {}", text, error),
            }
        }
    }

    #[test]
    fn integers_are_exact_or_refused(number in any::<i128>(), shift in 0..127_u32) {
        let number = number >> shift;
        let read = |suffix: &str| {
            let body = format!("m f={number}{suffix}");
            parse(body.as_bytes(), Precision::Auto).next().unwrap().ok().map(|line| match line.fields[0].1 {
                FieldValue::Integer(value) => i128::from(value),
                FieldValue::Unsigned(value) => i128::from(value),
                _ => panic!("no integer"),
            })
        };
        prop_assert_eq!(read("i"), i64::try_from(number).ok().map(i128::from));
        prop_assert_eq!(read("u"), u64::try_from(number).ok().map(i128::from));
    }
}
