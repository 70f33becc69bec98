//! Parts and their keys: what a load that is started again finds.

use hashbrown::HashSet;

use super::*;
use crate::protocol::FieldValue;

/// 120,000 records: three parts.
fn ticks() -> String {
    let rows = (0..120_000).map(|row| format!("{},S{},{}.5\n", 1_577_836_800 + row / 100, row % 100, row));
    std::iter::once("ts,symbol,price\n".to_owned()).chain(rows).collect()
}

fn keys(plan: &Plan) -> Vec<PartKey> {
    plan.parts().unwrap().map(|raw| raw.unwrap().place.key).collect()
}

#[test]
fn the_same_file_has_the_same_keys_however_it_is_stored() {
    let text = ticks();
    let plain = Written::new("a.csv", &text);
    let packed = Written::new("a.csv.gz", gzip(text.as_bytes()));
    let first = keys(&plain.plan(&LoadOptions::default()).unwrap());
    assert_eq!(first.len(), 3);
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 3);
    assert_eq!(keys(&packed.plan(&LoadOptions::default()).unwrap()), first);
}

#[test]
fn reading_a_file_differently_changes_all_keys() {
    let file = Written::new("a.csv", ticks());
    let first = keys(&file.plan(&LoadOptions::default()).unwrap());
    for options in [
        LoadOptions { measurement: Some("b".into()), ..LoadOptions::default() },
        LoadOptions { tag_columns: Some(vec![]), ..LoadOptions::default() },
        LoadOptions {
            time_zone: Zone(chrono_tz::Tz::Asia__Tokyo),
            time_format: Some("%s".into()),
            ..LoadOptions::default()
        },
    ] {
        let other = keys(&file.plan(&options).unwrap());
        assert!(first.iter().zip(&other).all(|(a, b)| a != b), "{options:?}");
    }
}

#[test]
fn equal_parts_of_one_file_have_different_keys() {
    let file = Written::new("a.csv", format!("ts,v\n{}", "1577836800,1\n".repeat(100_000)));
    let keys = keys(&file.plan(&LoadOptions::default()).unwrap());
    assert!(keys.len() == 2 && keys[0] != keys[1]);
}

#[test]
fn the_parts_together_are_the_file_and_know_their_lines() {
    let text = ticks();
    let file = Written::new("a.csv", &text);
    let plan = file.plan(&LoadOptions::default()).unwrap();
    let parts: Vec<RawPart> = plan.parts().unwrap().map(Result::unwrap).collect();
    let joined: Vec<u8> = parts.iter().flat_map(|part| plan.read(part.clone()).unwrap().bytes).collect();
    assert_eq!(format!("ts,symbol,price\n{}", String::from_utf8(joined).unwrap()), text);
    assert_eq!(parts.iter().map(|part| part.place.first_line).collect::<Vec<_>>(), [2, 50_002, 100_002]);
    let part = plan.read(parts[1].clone()).unwrap();
    let Content::Rows(rows) = &part.content else { panic!("planned as line protocol") };
    assert_eq!((rows.len(), part.file_line(rows.lines[7])), (50_000, 50_009));
    let (start, end) = rows.spans[7];
    assert_eq!(&part.bytes[start as usize..end as usize], b"1577837300,S7,50007.5");
}

#[test]
fn line_protocol_is_handed_on_whole_line_by_whole_line() {
    let text: String = (0..60_000).map(|row| format!("m,tag=a v={row},note=\"one\ntwo\" {row}\n")).collect();
    let file = Written::new("a.lp.gz", gzip(text.as_bytes()));
    let plan = file.plan(&LoadOptions::default()).unwrap();
    let parts: Vec<Part> = plan.parts().unwrap().map(|raw| plan.read(raw.unwrap()).unwrap()).collect();
    assert_eq!(parts.iter().map(|part| part.place.first_line).collect::<Vec<_>>(), [1, 100_001]);
    assert!(parts.iter().all(|part| part.bytes.starts_with(b"m,tag=a v=") && part.bytes.ends_with(b"\n")));
    let joined: Vec<u8> = parts.iter().flat_map(|part| part.bytes.clone()).collect();
    assert_eq!(joined, text.as_bytes());
}

#[test]
fn a_file_with_another_header_than_the_plan_is_not_loaded() {
    let file = Written::new("a.csv", "time,v\n2020-01-01,1\n");
    let plan = file.plan(&LoadOptions::default()).unwrap();
    fs::write(&file.path, "time,w\n2020-01-01,1\n").unwrap();
    assert!(matches!(plan.parts(), Err(LoadError::Changed)));
}

#[test]
fn a_plain_files_last_row_tells_its_span() {
    // Sorted by series: 20 series of 1,000 days each, of which the sample sees ten.
    let rows = (0..20_000i64).map(|row| format!("{},S{},1\n", 1_577_836_800 + row % 1_000 * 86_400, row / 1_000));
    let text: String = std::iter::once("ts,symbol,price\n".to_owned()).chain(rows).collect();
    let plan = Written::new("a.csv", text).plan(&LoadOptions::default()).unwrap();
    let sample = &csv(&plan).sample;
    assert!((sample.rate.unwrap().rows_per_day / 20.0 - 1.0).abs() < 0.1, "{:?}", sample.rate);
    assert!((19_000..21_000).contains(&sample.estimated_rows));
}

#[test]
fn lines_are_the_rows_with_their_places() {
    let file = Written::new(
        "prices.csv",
        "time,symbol,exchange,v,ok,seen\n\n2020-01-01 00:00:00.1234567,A,,1.5,,2020-01-02\n",
    );
    let options = LoadOptions { tag_columns: Some(vec!["symbol".into(), "exchange".into()]), ..LoadOptions::default() };
    let plan = file.plan(&options).unwrap();
    let part = plan.read(plan.parts().unwrap().next().unwrap().unwrap()).unwrap();
    let line = part.lines().next().unwrap().unwrap();
    assert_eq!((line.measurement.as_ref(), line.number, line.rounded), ("prices", 2, true));
    assert_eq!(part.file_line(line.number), 3);
    assert_eq!(line.time_us, Some(1_577_836_800_123_456));
    assert_eq!(line.tags.to_vec(), [("symbol".into(), "A".into())]);
    let fields = [("v".into(), FieldValue::Float(1.5)), ("seen".into(), FieldValue::Timestamp(1_577_923_200_000_000))];
    assert_eq!(line.fields.to_vec(), fields);
    assert!(part.bytes[line.bytes.clone()].starts_with(b"2020-01-01 00:00:00.1234567,A"));
    assert_eq!(part.lines().size_hint(), (1, Some(1)));
}
