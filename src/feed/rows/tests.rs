//! Rows: the same from the same recipe, and read by others as what they say they are.

use super::*;

fn recipe(kind: Kind, shape: Shape) -> Recipe {
    Recipe {
        kind,
        seed: 1,
        measurement: "m".to_owned(),
        sources: 3,
        series: 100,
        fields: FieldSet::All,
        shape,
        start_us: 1_577_836_800_000_000,
        step_us: 1_000,
        lines_per_request: 100,
    }
}

fn body(rows: &Rows, source: u32, positions: Range<u64>) -> String {
    let mut out = Vec::new();
    rows.write(source, positions, "x", &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn line_protocol_reads_back_to_the_row() {
    for kind in [Kind::Assets, Kind::Sensors] {
        let rows = Rows::new(recipe(kind, Shape::LineProtocol)).unwrap();
        let text = body(&rows, 1, 0..2_000);
        let mut lines = influxdb_line_protocol::parse_lines(&text).map(Result::unwrap);
        rows.sent(1, 0..2_000, |seq| {
            let line = lines.next().unwrap();
            let row = rows.row(1, seq);
            assert_eq!(line.timestamp.unwrap(), rows.recipe().time_us(seq) * 1_000);
            for (key, value) in rows.tags(1, row.series) {
                assert_eq!(line.tag_value(key).unwrap().as_str(), value);
            }
            for (name, quantity) in rows.fields() {
                use influxdb_line_protocol::FieldValue;
                match (line.field_value(name), row.value(*quantity)) {
                    (None, None) => {}
                    (Some(FieldValue::F64(read)), Some(Value::Float(sent))) => {
                        assert_eq!(read.to_bits(), sent.to_bits(), "{name}");
                    }
                    (Some(FieldValue::I64(read)), Some(Value::Integer(sent))) => assert_eq!(*read, sent),
                    (Some(FieldValue::Boolean(read)), Some(Value::Truth(sent))) => assert_eq!(*read, sent),
                    (Some(FieldValue::String(read)), Some(Value::Text(sent))) => assert_eq!(read.as_str(), sent),
                    other => panic!("{name}: {other:?}"),
                }
            }
        });
        assert!(lines.next().is_none());
    }
}

#[test]
fn json_reads_back_to_the_row() {
    let rows = Rows::new(recipe(Kind::Assets, Shape::JsonFrame)).unwrap();
    let frame: serde_json::Value = serde_json::from_str(&body(&rows, 0, 0..500)).unwrap();
    assert_eq!((frame["id"].as_str(), frame["rows"].as_array().unwrap().len()), (Some("x"), 500));
    for (seq, read) in frame["rows"].as_array().unwrap().iter().enumerate() {
        let row = rows.row(0, seq as u64);
        assert_eq!(read["time"].as_i64().unwrap(), rows.recipe().time_us(seq as u64) * 1_000);
        let Some(Value::Float(exact)) = row.value(Quantity::Exact) else { panic!() };
        assert_eq!(read["fields"]["exact"].as_f64().unwrap().to_bits(), exact.to_bits());
        let note = row.value(Quantity::Note);
        assert_eq!(
            read["fields"].get("note").and_then(|note| note.as_str().map(str::len)),
            note.map(|note| match note {
                Value::Text(text) => text.len(),
                other => panic!("{other:?}"),
            })
        );
    }
    let rows = Rows::new(recipe(Kind::Assets, Shape::OpenTsdbJson)).unwrap();
    let points: serde_json::Value = serde_json::from_str(&body(&rows, 0, 0..500)).unwrap();
    let point = &points[0];
    assert_eq!((point["metric"].as_str(), point["timestamp"].as_i64()), (Some("m"), Some(1_577_836_800_000)));
    assert_eq!(point["tags"]["source"].as_str(), Some("0"));
}

#[test]
fn a_put_line_has_milliseconds_and_one_value() {
    let rows = Rows::new(Recipe { fields: FieldSet::Numbers, ..recipe(Kind::Assets, Shape::OpenTsdbPut) }).unwrap();
    let text = body(&rows, 2, 5..6);
    let words: Vec<_> = text.split_whitespace().collect();
    assert_eq!((words[0], words[1], words[2]), ("put", "m", "1577836800005"));
    assert!(words[3].parse::<f64>().unwrap() > 1.0 && words[4] == "source=2" && words[5].starts_with("symbol="));
    assert!(Rows::new(Recipe { step_us: 1, ..rows.recipe().clone() }).is_err(), "it has no microseconds");
}

#[test]
fn a_body_is_its_rows_one_after_the_other() {
    let rows = Rows::new(recipe(Kind::Sensors, Shape::LineProtocol)).unwrap();
    assert_eq!(body(&rows, 0, 0..300) + &body(&rows, 0, 300..900), body(&rows, 0, 0..900));
    assert_ne!(body(&rows, 0, 0..300), body(&rows, 1, 0..300));
    let other = Rows::new(Recipe { seed: 2, ..rows.recipe().clone() }).unwrap();
    assert_ne!(body(&rows, 0, 0..300), body(&other, 0, 0..300));
}

#[test]
fn sensors_miss_delay_and_repeat_readings_but_never_within_a_request() {
    let rows = Rows::new(recipe(Kind::Sensors, Shape::LineProtocol)).unwrap();
    let mut times = vec![0_u8; 20_000];
    let mut out_of_order = 0;
    for request in 0..200 {
        let mut within = std::collections::BTreeSet::new();
        let mut last = 0;
        rows.sent(0, request * 100..(request + 1) * 100, |seq| {
            assert!(within.insert(seq), "twice in one request");
            out_of_order += u32::from(seq < last);
            last = seq;
            times[usize::try_from(seq).unwrap()] += 1;
        });
    }
    // The last two requests' late readings are still to come.
    let count = |n| times[..19_800].iter().filter(|&&times| times == n).count();
    assert!((200..420).contains(&count(0)) && (200..420).contains(&count(2)), "{} {}", count(0), count(2));
    assert_eq!(count(0) + count(1) + count(2), 19_800);
    assert!(out_of_order > 300);
}

#[test]
fn a_time_leads_back_to_its_row() {
    let recipe = recipe(Kind::Assets, Shape::LineProtocol);
    for seq in [0, 1, 17, 1 << 40] {
        assert_eq!(recipe.seq_at(recipe.time_us(seq)), Some(seq));
    }
    assert_eq!(recipe.seq_at(recipe.start_us - 1_000), None);
    assert_eq!(recipe.seq_at(recipe.start_us + 1), None);
    assert_eq!((0..3).map(|source| recipe.series_of(source)).sum::<u32>(), 100);
}

#[test]
fn symbols_of_one_sector_move_together_more_than_others() {
    let rows = Rows::new(Recipe { sources: 1, series: 44, ..recipe(Kind::Assets, Shape::LineProtocol) }).unwrap();
    let mut prices = vec![0.0; 44];
    let mut closes: Vec<Vec<f64>> = Vec::new();
    for seq in 0..2_000_000 {
        if seq % 4_000 > 3_000 {
            let row = rows.row(0, seq);
            prices[row.series as usize] = row.first_hundredths as f64;
        }
        if seq % 4_000 == 3_999 {
            closes.push(prices.clone());
        }
    }
    let returns: Vec<Vec<f64>> =
        (0..44).map(|symbol| closes.windows(2).map(|pair| pair[1][symbol] / pair[0][symbol] - 1.0).collect()).collect();
    let (mut within, mut across) = (Vec::new(), Vec::new());
    for a in 0..44 {
        for b in a + 1..44 {
            let r = pearson(&returns[a], &returns[b]);
            if a % 11 == b % 11 { within.push(r) } else { across.push(r) }
        }
    }
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    assert!(mean(&within) > mean(&across) + 0.15 && mean(&across) > 0.05, "{} {}", mean(&within), mean(&across));
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let (a_mean, b_mean) = (mean(a), mean(b));
    let sum = |x: &[f64], x_mean: f64, y: &[f64], y_mean: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum()
    };
    sum(a, a_mean, b, b_mean) / (sum(a, a_mean, a, a_mean) * sum(b, b_mean, b, b_mean)).sqrt()
}
