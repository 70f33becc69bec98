//! Values and times, in every spelling.

use super::*;

#[test]
fn numbers_are_what_they_say_or_refused() {
    for (value, expected) in [
        ("1", "1.0"),
        ("-0", "-0.0"),
        ("007", "7.0"),
        ("-1.5", "-1.5"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("1.", "1.0"),
        ("1e5", "100000.0"),
        ("1.5E-3", "0.0015"),
        ("1e+2", "100.0"),
        ("5e-324", "5e-324"),
        ("1e-400", "0.0"),
        ("18446744073709551616", "1.8446744073709552e19"),
        ("9007199254740993", "9007199254740992.0"),
        ("1i", "1i"),
        ("-0i", "0i"),
        ("0000000000000000000000000000000001i", "1i"),
        ("9223372036854775807i", "9223372036854775807i"),
        ("-9223372036854775808i", "-9223372036854775808i"),
        ("1u", "1u"),
        ("18446744073709551615u", "18446744073709551615u"),
        ("1700000000000000t", "1700000000000000t"),
        ("-1999n", "-2t"),
        ("t", "true"),
        ("TRUE", "true"),
        ("False", "false"),
    ] {
        assert_eq!(outcome(format!("m f={value}")), [format!("1 m f={expected}")]);
        assert_eq!(outcome(format!("m f={value},g=1 5")), [format!("1 m f={expected},g=1.0 5")]);
    }
    for (value, label) in [
        ("NaN", "not_finite"),
        ("nan", "not_finite"),
        ("-nan", "not_finite"),
        ("Inf", "not_finite"),
        ("+Inf", "not_finite"),
        ("-inf", "not_finite"),
        ("INFINITY", "not_finite"),
        ("1e309", "not_finite"),
        ("-1e309", "not_finite"),
        ("9223372036854775808i", "integer_out_of_range"),
        ("-9223372036854775809i", "integer_out_of_range"),
        ("18446744073709551616u", "unsigned_out_of_range"),
        ("-1u", "unsigned_out_of_range"),
        ("253402300800000000t", "time_out_of_range"),
        ("99999999999999999999n", "time_out_of_range"),
        ("+1", "invalid_value"),
        ("0x10", "invalid_value"),
        ("1_000", "invalid_value"),
        ("1.2.3", "invalid_value"),
        ("1e", "invalid_value"),
        ("1e+", "invalid_value"),
        ("e5", "invalid_value"),
        (".", "invalid_value"),
        ("-", "invalid_value"),
        ("-.", "invalid_value"),
        ("--1", "invalid_value"),
        ("-e5", "invalid_value"),
        ("1.5i", "invalid_value"),
        ("1ii", "invalid_value"),
        ("1iu", "invalid_value"),
        ("1I", "invalid_value"),
        ("1f", "invalid_value"),
        ("i", "invalid_value"),
        ("infinite", "invalid_value"),
        ("tRUE", "invalid_value"),
        ("truee", "invalid_value"),
        ("yes", "invalid_value"),
        ("'a'", "invalid_value"),
        ("a\"b\"", "invalid_value"),
        ("1\"", "invalid_value"),
    ] {
        assert_eq!(outcome(format!("m f={value}")), [format!("1:5 {label}")], "{value}");
        assert_eq!(outcome(format!("m g=1,f={value} 5")), [format!("1:9 {label}")], "{value}");
    }
}

#[test]
fn times_are_integers_within_the_years_1_to_9999() {
    check(&[
        ("m f=1 0", &["1 m f=1.0 0"]),
        ("m f=1 -1", &["1 m f=1.0 -1"]),
        ("m f=1 0001", &["1 m f=1.0 1"]),
        ("m f=1 9223372036854775807", &["1:7 time_out_of_range"]),
        ("m f=1 9223372036854775808", &["1:7 time_out_of_range"]),
        ("m f=1 1.5", &["1:7 invalid_time"]),
        ("m f=1 1e9", &["1:7 invalid_time"]),
        ("m f=1 +1", &["1:7 invalid_time"]),
        ("m f=1 -", &["1:7 invalid_time"]),
        ("m f=1 now", &["1:7 invalid_time"]),
        ("m f=1 1i", &["1:7 invalid_time"]),
        ("m f=1 1 2", &["1:9 trailing_content"]),
        ("m f=1 g=2", &["1:7 invalid_time"]),
        ("m f=a b", &["1:5 invalid_value"]),
        ("m f=1 5\nm f=2 5", &["1 m f=1.0 5", "2 m f=2.0 5"]),
    ]);
    let line = parse(b"m f=1 1999", Precision::Nanoseconds).next().unwrap().unwrap();
    assert_eq!((line.time_us, line.rounded), (Some(1), true));
    let line = parse(b"m f=1,g=1999n 2000", Precision::Nanoseconds).next().unwrap().unwrap();
    assert_eq!((line.time_us, line.rounded), (Some(2), true), "a field's lost digits count as well");
    let line = parse(b"m f=1 2000", Precision::Nanoseconds).next().unwrap().unwrap();
    assert_eq!((line.time_us, line.rounded), (Some(2), false));
}
