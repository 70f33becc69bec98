//! Rows as TSBS writes them, and what is not.

use proptest::prelude::*;

use super::{super::FieldValue, *};

const HEAD: &str = "tags,hostname string,region string\ncpu,usage_user,usage_system\ndisk,free,used\n\n";

fn head() -> Head {
    Head::parse(HEAD.as_bytes()).unwrap()
}

/// Each row as line protocol would show it, each refusal with its place.
fn read(body: &str) -> Vec<String> {
    let head = head();
    Records::new(body.as_bytes(), &head)
        .map(|record| match record {
            Err(error) => error.to_string(),
            Ok(line) => {
                let tags: String = line.tags.iter().map(|(name, value)| format!(",{name}={value}")).collect();
                let fields = line.fields.iter().map(|(name, value)| match value {
                    FieldValue::Float(number) => format!("{name}={number}"),
                    other => format!("{name}={other:?}"),
                });
                let fields: Vec<String> = fields.collect();
                format!("{}{tags} {} {}", line.measurement, fields.join(","), line.time_us.unwrap())
            }
        })
        .collect()
}

#[test]
fn a_row_is_a_line_of_tags_and_one_of_values() {
    let body = "tags,hostname=host_0,region=eu-west-1\ncpu,1451606400000000000,58,2\n\
                tags,hostname=host_0,region=eu-west-1,path=/dev/sda1\r\ndisk,1451606400000000000,1.5,\r\n\
                tags,hostname=host_1,region=\ncpu,1451606400000000999,-1e3,0";
    assert_eq!(
        read(body),
        [
            "cpu,hostname=host_0,region=eu-west-1 usage_user=58,usage_system=2 1451606400000000",
            "disk,hostname=host_0,region=eu-west-1,path=/dev/sda1 free=1.5 1451606400000000",
            "cpu,hostname=host_1 usage_user=-1000,usage_system=0 1451606400000000",
        ]
    );
    let head = head();
    let last = Records::new(body.as_bytes(), &head).last().unwrap().unwrap();
    assert!(last.rounded && last.number == 5);
    assert_eq!(&body.as_bytes()[last.bytes.clone()], &body.as_bytes()[body.find("tags,hostname=host_1").unwrap()..]);
    assert_eq!(read("tags,hostname=a\ncpu,0,,\n"), Vec::<String>::new(), "a row without a value is none");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_column_and_costs_only_itself() {
    let good = "tags,hostname=h\ncpu,0,1,2\n";
    for (bad, wanted) in [
        ("cpu,0,1,2\n", "line 1, column 1: the values have no tags before them"),
        ("tags,hostname=h\n", "line 1, column 16: the tags have no values behind them"),
        ("tags,hostname=h\n\n", "line 1, column 16: the tags have no values"),
        ("tags,hostname=h\ncpu,0,1\n", "line 2, column 7: there are 1 values, and the file's head names 2"),
        ("tags,hostname=h\ncpu,0,1,2,3\n", "line 2, column 7: there are 3 values"),
        ("tags,hostname=h\ncpu,0\n", "line 2, column 6: there are 0 values"),
        ("tags,hostname=h\ncpu\n", "line 2, column 4: the time is not an integer"),
        ("tags,hostname=h\ncpu,later,1,2\n", "line 2, column 5: the time is not an integer"),
        ("tags,hostname=h\ncpu,99999999999999999999,1,2\n", "line 2, column 5: the time is not an integer"),
        ("tags,hostname=h\ncpu,0,1,x\n", "line 2, column 9: \"x\" is not a number"),
        ("tags,hostname=h\ncpu,0,1,inf\n", "line 2, column 9: the number is not finite"),
        ("tags,hostname=h\ngpu,0,1,2\n", "line 2, column 1: \"gpu\" is not in the file's head"),
        ("tags,hostname\ncpu,0,1,2\n", "line 1, column 6: a tag has no value here"),
        ("tags\ncpu,0,1,2\n", "line 1, column 6: a tag has no value here"),
        ("tags,=h\ncpu,0,1,2\n", "line 1, column 6: a tag has no name here"),
        ("tags,hostname=h,hostname=i\ncpu,0,1,2\n", "line 1, column 17: the tag \"hostname\" comes twice"),
        ("tags,region=a,region=b\ncpu,0,1,2\n", "line 1, column 15: the tag \"region\" comes twice"),
        ("tags,hostname=h,usage_user=i\ncpu,0,1,2\n", "line 2, column 7: \"usage_user\" is a tag and a field"),
        ("tags,time=h\ncpu,0,1,2\n", "line 1, column 6: \"time\" cannot name a tag"),
        ("tags,hostname=h\0\ncpu,0,1,2\n", "line 1, column 16: the line has a NUL byte"),
    ] {
        let found = read(&format!("{bad}{good}"));
        assert!(found[0].starts_with(wanted), "{bad:?}: {}", found[0]);
        assert_eq!(found[1..], ["cpu,hostname=h usage_user=1,usage_system=2 0"], "{bad:?}");
    }
    let huge = format!("tags,hostname={}\ncpu,0,1,2\n{good}", "h".repeat(2_000_000));
    assert!(read(&huge)[0].contains("longer than 1048576 bytes") && read(&huge).len() == 2);
    let many: String = (0..300).map(|tag| format!(",t{tag}=v")).collect();
    assert!(read(&format!("tags{many}\ncpu,0,1,2\n"))[0].contains("more than 256 tags"));
    let head = head();
    let mut broken = Records::new(b"tags,hostname=\xff\ncpu,0,1,2\n", &head);
    assert_eq!(broken.next().unwrap().unwrap_err().column, 15);
}

#[test]
fn a_head_names_tags_and_fields_and_ends_with_a_blank_line() {
    assert_eq!(head_bytes(format!("{HEAD}tags,hostname=h\n").as_bytes()), Some(HEAD.len()));
    assert_eq!(head_bytes(&HEAD.as_bytes()[..HEAD.len() - 1]), None);
    assert_eq!(head().tags(), ["hostname", "region"]);
    let measurements: Vec<_> = head().measurements().map(|(name, fields)| (name.to_owned(), fields.len())).collect();
    assert_eq!(measurements, [("cpu".to_owned(), 2), ("disk".to_owned(), 2)]);
    assert_eq!(Head::parse(b"tags,hostname\r\ncpu,usage_user\r\n\r\n").unwrap().tags(), ["hostname"], "no types");
    for (text, wanted) in [
        ("", "no head"),
        ("\n", "no head"),
        ("tags,a string\n\n", "no head"),
        ("cpu,usage_user\n\n", "no head"),
        ("tags,a string\ncpu\n\n", "line 2 of the head has a name"),
        ("tags,a string\n,b\n\n", "line 2 of the head has a name"),
        ("tags,a string\ncpu,b,b\n\n", "has the name \"b\" a second time"),
        ("tags,a string\ncpu,a\n\n", "has the name \"a\" a second time"),
        ("tags,a string\ncpu,b\ncpu,b\n\n", "has the name \"cpu\" a second time"),
        ("tags,a string\ncpu,time\n\n", "\"time\" cannot name"),
        ("tags,a\0 string\ncpu,b\n\n", "not UTF-8"),
    ] {
        let error = Head::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    let wide: String = (0..2_000).map(|field| format!(",f{field}")).collect();
    assert!(matches!(
        Head::parse(format!("tags,a\ncpu{wide}\n\n").as_bytes()),
        Err(HeadError::TooMany { count: 2_000, .. })
    ));
    let endless = "x\n".repeat(100_000);
    assert!(head_bytes(endless.as_bytes()).is_some_and(|end| end < 70_000), "what never ends is given up");
}

proptest! {
    /// However a body is cut between records, the same comes out.
    #[test]
    fn a_body_is_cut_between_rows(pieces in proptest::collection::vec(
        prop_oneof![
            Just("tags,hostname=h\ncpu,0,1,2\n"), Just("tags,hostname=h\n"), Just("cpu,0,1,2\n"), Just("\n"),
            Just("tags\n"), Just("tagsx,0\n"), Just("tags,hostname=h\r\ndisk,1000,1,\r\n"),
        ],
        0..12,
    )) {
        let body = pieces.concat();
        let mut rest = body.as_str();
        let mut found = Vec::new();
        while let Some(length) = record_bytes(rest.as_bytes()) {
            found.extend(read(&rest[..length]));
            rest = &rest[length..];
        }
        found.extend(read(rest));
        // Line numbers count from each piece's first line.
        let bare = |shown: String| shown.split_once(", ").map_or(shown.clone(), |(_, place)| place.to_owned());
        let whole: Vec<String> = read(&body).into_iter().map(bare).collect();
        prop_assert_eq!(found.into_iter().map(bare).collect::<Vec<_>>(), whole);
    }

    #[test]
    fn no_bytes_are_too_odd(body in proptest::collection::vec(
        prop_oneof![Just(b'\n'), Just(b','), Just(b'='), Just(b't'), any::<u8>()], 0..200,
    )) {
        let head = head();
        for record in Records::new(&body, &head) {
            let bytes = match record { Ok(line) => line.bytes, Err(error) => error.bytes };
            prop_assert!(bytes.start <= bytes.end && bytes.end <= body.len());
        }
        drop(Head::parse(&body));
        prop_assert!(head_bytes(&body).is_none_or(|end| end <= body.len()));
        prop_assert!(record_bytes(&body).is_none_or(|end| end <= body.len()));
    }
}
