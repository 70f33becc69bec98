//! Bodies that other systems have stumbled over, each with what must become of it.

use std::borrow::Cow;

use super::{
    super::{Limits, Lines, Reason},
    *,
};

#[test]
fn what_is_no_line_is_passed_over() {
    check(&[
        ("", &[]),
        ("\n\r\n  \n\t\n   \t \r\n", &[]),
        ("# a comment with a \"quote\n#\n  # indented\r\n", &[]),
        ("\u{feff}", &[]),
        ("\u{feff}# comment\nm f=1", &["2 m f=1.0"]),
        ("\u{feff}m f=1", &["1 m f=1.0"]),
        ("# f=\"open\nm f=1\n", &["2 m f=1.0"]),
        ("m f=1\u{feff}", &["1:5 invalid_value"]),
    ]);
}

#[test]
fn lines_end_as_they_like() {
    check(&[
        ("m f=1", &["1 m f=1.0"]),
        ("m f=1\r\nm f=2\r\n", &["1 m f=1.0", "2 m f=2.0"]),
        ("m f=1\r", &["1 m f=1.0"]),
        ("m f=1\r\r\n", &["1:5 invalid_value"]),
        ("m f=\"a\"\r\nm f=t\r\nm f=1 5\r\n", &["1 m f=\"a\"", "2 m f=true", "3 m f=1.0 5"]),
        ("  \t m f=1   5   \n\n\nm f=2", &["1 m f=1.0 5", "4 m f=2.0"]),
        ("m f=1 ", &["1 m f=1.0"]),
        ("m   f=1", &["1 m f=1.0"]),
    ]);
}

#[test]
fn text_may_have_line_breaks_and_they_are_counted() {
    check(&[
        ("m f=\"a\nb\" 1\nm f=2", &["1 m f=\"a\\nb\" 1", "3 m f=2.0"]),
        ("m f=\"a\r\nb\"\r\nm f=2", &["1 m f=\"a\\r\\nb\"", "3 m f=2.0"]),
        ("m f=\"a\n\n\nb\",g=\"\n\"\noops\n", &["1 m f=\"a\\n\\n\\nb\",g=\"\\n\"", "6:5 missing_fields"]),
        // As QuestDB's clients escape them.
        ("m f=\"a\\\nb\\\r\\\n\"", &["1 m f=\"a\\nb\\r\\n\""]),
        ("m f=\"a\\\\\nb\"", &["1 m f=\"a\\\\\\nb\""]),
        ("m f=\"\nx\\\"y\n\" 1", &["1 m f=\"\\nx\\\"y\\n\" 1"]),
        ("m f=\"a\rb\"", &["1 m f=\"a\\rb\""]),
    ]);
}

#[test]
fn an_unclosed_quote_costs_its_own_line_only() {
    check(&[
        ("m f=\"a\nm f=1\nm f=2", &["1:5 unclosed_text", "2 m f=1.0", "3 m f=2.0"]),
        ("m f=\"a\nm f=1\nm f=\"x\"\n", &["1:5 unclosed_text", "2 m f=1.0", "3 m f=\"x\""]),
        ("m f=\"", &["1:5 unclosed_text"]),
        ("m f=\"\\\"", &["1:5 unclosed_text"]),
        ("m f=\"a\\", &["1:5 unclosed_text"]),
        ("m f=\"a\\\"\nm f=1", &["1:5 unclosed_text", "2 m f=1.0"]),
        // Nothing tells this from text with a line break; every other parser takes it so as well.
        ("m f=\"\nm f=\"\nm g=1", &["1 m f=\"\\nm f=\"", "3 m g=1.0"]),
    ]);
}

#[test]
fn what_a_text_says_is_not_read_as_lines_where_the_line_is_wrong_elsewhere() {
    check(&[
        ("m n=oops,f=\"a\nevil f=1\n\" 1\nm f=2", &["1:5 invalid_value", "4 m f=2.0"]),
        ("m f=\"a\nevil f=1\n\",n=oops\nm f=2", &["1:21 invalid_value", "4 m f=2.0"]),
        ("m f=\"a\nevil f=1\n\" late\nm f=2", &["1:19 invalid_time", "4 m f=2.0"]),
        ("m,time=1 f=\"\nevil f=1\n\"\nm f=2", &["1:3 reserved_name", "4 m f=2.0"]),
        ("m f=\"\0\nevil f=1\n\"\nm f=2", &["1:6 nul_byte", "4 m f=2.0"]),
    ]);
}

#[test]
fn escapes_stand_for_what_they_are_before() {
    check(&[
        (r"a\,b\ c\\d\=e,t\,1\=\ =v\,\=\ 2 f\,\=\ =1", &[r"1 a,b c\d\=e,t,1= =v,= 2 f,= =1.0"]),
        (r"a\b,t\x=C:\dir f=1", &[r"1 a\b,t\x=C:\dir f=1.0"]),
        (r"m,t=\é f\ü=1", &[r"1 m,t=\é f\ü=1.0"]),
        (r#"m f="\"\\\n\,",g="\\\\""#, &[r#"1 m f="\"\\\\n\\,",g="\\\\""#]),
        // At its end a name cannot have a backslash, escaped or not.
        (r"m,t=C:\\ f=1", &["1:8 trailing_backslash"]),
        (r"m\\ f=1", &["1:3 trailing_backslash"]),
        (r"m,t\\=a f=1", &["1:5 trailing_backslash"]),
        (r"m f\\=1", &["1:5 trailing_backslash"]),
        ("m,t=a\\\nm f=1", &["1:6 trailing_backslash", "2 m f=1.0"]),
        ("\\\nm f=1", &["1:1 trailing_backslash", "2 m f=1.0"]),
        (r"m\ f=1", &["1:7 missing_fields"]),
        (r"m,t=a\ f=1", &["1:11 missing_fields"]),
    ]);
}

#[test]
fn nothing_can_be_empty() {
    check(&[
        (",t=a f=1", &["1:1 missing_measurement"]),
        ("m, f=1", &["1:3 missing_tag_key"]),
        ("m,=a f=1", &["1:3 missing_tag_key"]),
        ("m,,t=a f=1", &["1:3 missing_tag_key"]),
        ("m,t=a, f=1", &["1:7 missing_tag_key"]),
        ("m,t f=1", &["1:4 missing_tag_value"]),
        ("m,t,u=a f=1", &["1:4 missing_tag_value"]),
        ("m,t= f=1", &["1:5 missing_tag_value"]),
        ("m,t=,u=a f=1", &["1:5 missing_tag_value"]),
        ("m", &["1:2 missing_fields"]),
        ("m ", &["1:3 missing_fields"]),
        ("m,t=a", &["1:6 missing_fields"]),
        ("m 123", &["1:6 missing_field_value"]),
        ("m =1", &["1:3 missing_field_key"]),
        ("m f", &["1:4 missing_field_value"]),
        ("m f 123", &["1:4 missing_field_value"]),
        ("m f=", &["1:5 missing_field_value"]),
        ("m f= 123", &["1:5 missing_field_value"]),
        ("m f=,g=1", &["1:5 missing_field_value"]),
        ("m f=1, 123", &["1:7 missing_field_key"]),
        ("m f=1,,g=1", &["1:7 missing_field_key"]),
        ("m f=1,", &["1:7 missing_field_key"]),
        ("m f=\"\"", &["1 m f=\"\""]),
    ]);
}

#[test]
fn a_name_cannot_come_twice() {
    check(&[
        ("m,t=a,t=b f=1", &["1:7 duplicate_tag"]),
        ("m,t=a,u=b,\\t=c f=1", &["1 m,t=a,u=b,\\t=c f=1.0"]),
        ("m,a\\ b=a,a\\ b=a f=1", &["1:10 duplicate_tag"]),
        ("m f=1,g=2,f=1", &["1:11 duplicate_field"]),
        ("m,t=a f=1,t=2", &["1:11 tag_and_field"]),
        ("m,T=a t=1", &["1 m,T=a t=1.0"]),
        ("m,time=a f=1", &["1:3 reserved_name"]),
        ("m time=1", &["1:3 reserved_name"]),
        ("m f=1,series_id=1", &["1:7 reserved_name"]),
        ("m _time=1,Time=2", &["1 m _time=1.0,Time=2.0"]),
        ("time time2=1", &["1 time time2=1.0"]),
        // Two ways of writing the same letter are two names.
        ("m f\u{e9}=1,fe\u{301}=2", &["1 m f\u{e9}=1.0,fe\u{301}=2.0"]),
    ]);
}

#[test]
fn many_names_are_compared_as_well_as_few() {
    for count in [2, 15, 16, 17, 18, 40, 200] {
        let list = |prefix: &str| (0..count).map(|i| format!("{prefix}{i}=1")).collect::<Vec<_>>().join(",");
        let (tags, fields) = (list("t"), list("f"));
        assert!(outcome(format!("m,{tags} {fields}"))[0].starts_with("1 m,t0=1,"), "{count}");
        for again in [0, count / 2, count - 1] {
            assert!(outcome(format!("m,{tags},t{again}=1 f=1"))[0].ends_with("duplicate_tag"), "{count}, {again}");
            assert!(outcome(format!("m {fields},f{again}=1"))[0].ends_with("duplicate_field"), "{count}, {again}");
            assert!(outcome(format!("m,{tags} {fields},t{again}=1"))[0].ends_with("tag_and_field"), "{count}, {again}");
        }
    }
}

#[test]
fn bytes_that_the_database_refuses_cost_their_line_only() {
    for (bad, label) in [
        (&b"\0"[..], "nul_byte"),
        (b"\xff", "invalid_utf8"),
        (b"\xc0\x80", "invalid_utf8"),
        (b"\xed\xa0\x80", "invalid_utf8"),
        (b"\xe2\x82", "invalid_utf8"),
    ] {
        for (before, after) in [("m", " f=1"), ("m,t=a", " f=1"), ("m,t", "=a f=1"), ("m f=\"a", "\""), ("m f=1", "")] {
            let body = [b"m f=0\n", before.as_bytes(), bad, after.as_bytes(), b"\nm f=2"].concat();
            let expected = format!("2:{} {label}", before.len() + 1);
            assert_eq!(outcome(&body), ["1 m f=0.0", &expected, "3 m f=2.0"], "{before:?} {bad:?}");
        }
    }
    check(&[(
        "\u{202e}\u{43c},\u{200b}=\u{1f600} f=\"\u{5d0}\"",
        &["1 \u{202e}\u{43c},\u{200b}=\u{1f600} f=\"\u{5d0}\""],
    )]);
}

#[test]
fn tabs_and_bare_carriage_returns_are_no_spaces() {
    check(&[
        ("m\tf=1", &["1:2 tab"]),
        ("m,t\t=1 f=1", &["1:4 tab"]),
        ("m,t=a\tf=1", &["1:6 tab"]),
        ("m f\t=1", &["1:4 tab"]),
        ("m \tf=1", &["1:3 tab"]),
        ("m f=1 \t5", &["1:7 tab"]),
        ("m f=\"a\"\t5", &["1:8 tab"]),
        ("m f=\"a\tb\"", &["1 m f=\"a\\tb\""]),
    ]);
}

#[test]
fn quotes_mean_something_only_where_a_value_begins() {
    check(&[
        ("\"m\",\"t\"=\"a f=1", &["1 \"m\",\"t\"=\"a f=1.0"]),
        ("m \"f\"=1", &["1 m \"f\"=1.0"]),
        ("m,t=\"a b\" f=1", &["1:10 missing_field_value"]),
        ("m f=\"a\"b", &["1:8 text_goes_on"]),
        ("m f=\"a\"\"b\"", &["1:8 text_goes_on"]),
        ("m f=\"a, b=c\",g=1", &["1 m f=\"a, b=c\",g=1.0"]),
        ("m,t=a=b f=1", &["1 m,t=a=b f=1.0"]),
        ("m=1 f=1", &["1 m=1 f=1.0"]),
    ]);
}

#[test]
fn each_limit_holds_exactly() {
    let limits = Limits { line_bytes: 60, tags: 3, fields: 3, name_bytes: 5, tag_value_bytes: 7 };
    let first = |body: &str| shown(&Lines::new(body.as_bytes(), Precision::Microseconds, limits).next().unwrap());
    for (at_limit, beyond, error) in [
        ("m,a=1,b=1,c=1 f=1", "m,a=1,b=1,c=1,d=1 f=1", "1:14 too_many_tags"),
        ("m f=1,g=1,h=1", "m f=1,g=1,h=1,i=1", "1:15 too_many_fields"),
        ("mmmmm f=1", "mmmmmm f=1", "1:1 name_too_long"),
        ("m,kkkkk=1 f=1", "m,kkkkkk=1 f=1", "1:3 name_too_long"),
        ("m fffff=1", "m f=1,ffffff=1", "1:7 name_too_long"),
        ("m,\\,\\,\\,\\,\\,=1 f=1", "m,\\,\\,\\,\\,\\,\\,=1 f=1", "1:3 name_too_long"),
        ("m,k=1234567 f=1", "m,k=12345678 f=1", "1:5 tag_value_too_long"),
    ] {
        assert!(first(at_limit).starts_with("1 m"), "{at_limit}: {}", first(at_limit));
        assert_eq!(first(beyond), error, "{beyond}");
    }
    let text = |bytes: usize| format!("m f=\"{}\"", "x".repeat(bytes - 6));
    assert!(first(&text(60)).starts_with("1 m"));
    assert!(first(&(text(60) + "\r\n")).starts_with("1 m"), "the line break does not count");
    assert_eq!(first(&text(61)), "1:61 line_too_long");

    let body = format!("m f=\"{0}\n{0}\"\nm f=1", "x".repeat(40));
    let lines: Vec<_> = Lines::new(body.as_bytes(), Precision::Microseconds, limits).map(|line| shown(&line)).collect();
    assert_eq!(lines, ["1:61 line_too_long", "3 m f=1.0"], "text with line breaks is one line");
}

#[test]
fn great_numbers_of_anything_are_refused_by_the_defaults() {
    let tags: String = (0..10_000).map(|i| format!(",t{i}=1")).collect();
    assert_eq!(outcome(format!("m{tags} f=1")), ["1:1684 too_many_tags"]);
    assert_eq!(outcome(format!("m,t={} f=1", "x".repeat(1 << 20)))[0], "1:1048577 line_too_long");
    assert_eq!(outcome(format!("m,t={} f=1", "x".repeat(1 << 19)))[0], "1:5 tag_value_too_long");
    assert_eq!(outcome(vec![b'x'; 16 << 20]), ["1:1048577 line_too_long"]);
}

#[test]
fn a_body_of_open_quotes_is_read_once_not_once_a_line() {
    // Each of these would take minutes if a line's end were looked for through the whole body.
    for line in
        ["m f=\"\n", "a\" b=\"\n", "a x=\",b=\"\n", "a x=\",b=\",c=\"\n", "m n=oops,f=\"\n", "m f=\"\\\"\n", "=\"\n"]
    {
        let body = format!("m f=\"{}", line.repeat((2 << 20) / line.len()));
        assert!(parse(body.as_bytes(), Precision::Auto).count() > 10_000, "{line:?}");
    }
}

#[test]
fn one_bad_line_of_ten_thousand_is_named_wherever_it_is() {
    for bad in [1, 5_000, 10_000] {
        let body: String = (1..=10_000).map(|i| if i == bad { "m f=oops\n" } else { "m f=1\n" }).collect();
        let lines: Vec<_> = parse(body.as_bytes(), Precision::Auto).collect();
        assert_eq!(lines.len(), 10_000);
        let errors: Vec<_> = lines.iter().filter_map(|line| line.as_ref().err()).collect();
        assert_eq!(errors.len(), 1);
        assert_eq!((errors[0].line, errors[0].column), (bad, 5));
        assert_eq!(errors[0].reason, Reason::InvalidValue);
    }
}

#[test]
fn an_error_shows_the_original_line_cut_between_characters() {
    let body = b"m f=1\n m f=\"\xc3\xa9\xe2\x82\xac\"x\r\nm f=\xff\n";
    let errors: Vec<_> = parse(body, Precision::Auto).filter_map(Result::err).collect();
    assert_eq!(errors[0].original(body, 100), "\u{20}m f=\"é€\"x");
    assert_eq!(errors[0].original(body, 11), "\u{20}m f=\"é€");
    assert_eq!(errors[0].original(body, 10), "\u{20}m f=\"é");
    assert_eq!(errors[0].original(body, 7), "\u{20}m f=\"");
    assert_eq!(errors[0].original(body, 0), "");
    assert_eq!(errors[1].original(body, 100), "m f=\u{fffd}");
    assert_eq!(errors[1].original(b"", 100), "", "another body is no panic");
    assert_eq!(
        errors[0].to_string(),
        "line 2, column 13: the text ended before here: write \\\" for a quote within it, and a comma or a space behind \
         its last quote"
    );
}

#[test]
fn only_what_has_escapes_is_copied() {
    let line = parse(br#"a\ b,t=c,u\,=d f="g",h="i\"j" 1"#, Precision::Auto).next().unwrap().unwrap();
    let borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
    assert!(!borrowed(&line.measurement));
    assert!(borrowed(&line.tags[0].0) && borrowed(&line.tags[0].1));
    assert!(!borrowed(&line.tags[1].0) && borrowed(&line.tags[1].1));
    assert!(matches!(&line.fields[0].1, FieldValue::Text(Cow::Borrowed("g"))));
    assert!(matches!(&line.fields[1].1, FieldValue::Text(Cow::Owned(text)) if text == "i\"j"));
}

#[test]
fn tags_in_any_order_are_the_same_series() {
    let mut lines: Vec<_> =
        parse(b"m,b=2,a=1,c=3 f=1\nm,c=3,b=2,a=1 f=1\n", Precision::Auto).map(Result::unwrap).collect();
    assert_ne!(lines[0].tags, lines[1].tags);
    lines.iter_mut().for_each(Line::sort_tags);
    assert_eq!(lines[0].tags, lines[1].tags);
    assert_eq!(lines[0].tags[0], ("a".into(), "1".into()));
}
