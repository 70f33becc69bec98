//! Files of TSBS, in both of its formats that are loaded.

use super::*;
use crate::protocol::FieldValue;

const HEAD: &str = "tags,hostname string,region string\ncpu,usage_user,usage_system\nmem,used\n\n";

/// Rows of two hosts in both formats, one of `cpu` and one of `mem` each in turn.
fn both_formats(rows: usize) -> (String, String) {
    let (mut tsbs, mut influx) = (HEAD.to_owned(), String::new());
    for row in 0..rows {
        let (host, time, value) = (row / 2 % 2, 1_451_606_400_000_000_000_u64 + row as u64 * 1_000_000_000, row % 100);
        let tags = format!("hostname=host_{host},region=eu-west-1");
        tsbs.push_str(&format!("tags,{tags}\n"));
        if row % 2 == 0 {
            tsbs.push_str(&format!("cpu,{time},{value},{}\n", 100 - value));
            let line = format!("cpu,{tags} usage_user={value}i,usage_system={}i {time}\n", 100 - value);
            influx.push_str(&line);
        } else {
            tsbs.push_str(&format!("mem,{time},{value}\n"));
            influx.push_str(&format!("mem,{tags} used={value}i {time}\n"));
        }
    }
    (tsbs, influx)
}

/// What is loaded, with numbers as numbers: a format without types has floats.
fn loaded(plan: &Plan) -> Vec<String> {
    let mut shown = Vec::new();
    for raw in plan.parts().unwrap() {
        let part = plan.read(raw.unwrap()).unwrap();
        for line in part.lines().map(Result::unwrap) {
            let fields = line.fields.iter().map(|(name, value)| match value {
                FieldValue::Float(number) => format!("{name}={number}"),
                FieldValue::Integer(number) => format!("{name}={number}"),
                other => panic!("{other:?}"),
            });
            shown.push(format!(
                "{} {:?} {:?} {:?}",
                line.measurement,
                line.tags,
                fields.collect::<Vec<_>>(),
                line.time_us
            ));
        }
    }
    shown
}

#[test]
fn both_formats_of_a_file_are_the_same_rows_plain_and_compressed() {
    // More than a part.
    let (tsbs, influx) = both_formats(PART_ROWS + 10);
    let plan = |name: &str, bytes: &[u8]| {
        let file = Written::new(name, bytes);
        let plan = file.plan(&LoadOptions::default()).unwrap();
        (loaded(&plan), plan.to_string(), census(&plan))
    };
    let (expected, shown, counted) = plan("timescaledb-data", tsbs.as_bytes());
    assert_eq!(expected.len(), PART_ROWS + 10);
    assert!(
        expected[0].starts_with("cpu [(\"hostname\", \"host_0\"), (\"region\", \"eu-west-1\")]"),
        "{}",
        expected[0]
    );
    assert!(shown.contains("TSBS") && shown.contains("cpu, 2 fields: `usage_user`, `usage_system`"), "{shown}");
    assert_eq!((counted.parts, counted.tally.rows, counted.series), (2, PART_ROWS as u64 + 10, 4));
    for (name, bytes) in [
        ("timescaledb-data.gz", gzip(tsbs.as_bytes())),
        ("influx-data", influx.clone().into_bytes()),
        ("influx-data.gz", gzip(influx.as_bytes())),
    ] {
        assert!(plan(name, &bytes).0 == expected, "{name}");
    }
}

#[test]
fn a_bad_row_is_told_with_its_line_in_the_file_and_costs_only_itself() {
    let (mut text, _) = both_formats(4);
    text.push_str("tags,hostname=host_0\ncpu,1451606400000000000,1\ntags,hostname=host_0\n");
    let file = Written::new("data", &text);
    let counted = census(&file.plan(&LoadOptions::default()).unwrap());
    let lines: Vec<u64> = counted.tally.errors.iter().map(|error| error.line).collect();
    assert_eq!((counted.tally.rows, counted.tally.refused, lines), (4, 2, vec![14, 15]), "{:?}", counted.tally);
    let said = counted.tally.errors[0].to_string();
    assert!(said.contains("there are 1 values, and the file's head names 2"), "{said}");

    let stops = LoadOptions { bad_rows: BadRows::Stop, ..LoadOptions::default() };
    let plan = file.plan(&stops).unwrap();
    let raw = plan.parts().unwrap().next().unwrap().unwrap();
    assert!(matches!(plan.read(raw), Err(LoadError::BadRow(error)) if error.line == 14));
}

#[test]
fn what_is_no_such_file_says_so() {
    let said = LoadOptions { format: Some(FileFormat::Tsbs), ..LoadOptions::default() };
    for text in ["time,v\n2020-01-01,1\n", "tags,hostname string\n\n", "cpu,hostname=h usage_user=1i 1\n"] {
        let error = Written::new("data", text).plan(&said).unwrap_err();
        assert!(matches!(error, LoadError::Tsbs(_)), "{text:?}: {error}");
    }
    let (text, _) = both_formats(2);
    let file = Written::new("data", text);
    let growing = LoadOptions { growth: Growth::Growing, ..said.clone() };
    assert!(matches!(file.plan(&growing), Err(LoadError::NotFollowed(_))));
    let named = LoadOptions { measurement: Some("cpu".to_owned()), ..LoadOptions::default() };
    assert!(matches!(file.plan(&named), Err(LoadError::OnlyForTables("--measurement"))));
}

#[test]
fn a_load_that_was_cut_off_goes_on_behind_what_is_written() {
    let (text, _) = both_formats(PART_ROWS * 2 + 10);
    let file = Written::new("data", text);
    let plan = file.plan(&LoadOptions::default()).unwrap();
    let parts: Vec<RawPart> = plan.parts().unwrap().map(Result::unwrap).collect();
    assert_eq!(parts.len(), 3);
    let first = (parts[0].place.key, parts[0].place.extent);
    let mut again = plan.parts().unwrap();
    let mut ask = |key: PartKey| Ok((key == first.0).then_some(first.1));
    let mut histories = Vec::new();
    while let Some(part) = again.next_part(&mut ask).unwrap() {
        assert_eq!(part.place.key, parts[histories.len()].place.key);
        histories.push(part.place.history);
    }
    assert_eq!(histories, [History::Written, History::New, History::New]);
}
