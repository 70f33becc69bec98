//! Parquet: every type, what is refused, and damaged files.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int16Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
    types::Int32Type,
};
use proptest::prelude::*;

use super::*;
use crate::protocol::Precision;

fn packed(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn written(columns: Vec<(&str, ArrayRef)>) -> Written {
    Written::new("a.parquet", packed(columns))
}

fn times(seconds: &[i64]) -> ArrayRef {
    let us: Vec<i64> = seconds.iter().map(|second| (1_577_836_800 + second) * 1_000_000).collect();
    Arc::new(TimestampMicrosecondArray::from(us).with_timezone("UTC"))
}

fn options() -> LoadOptions {
    LoadOptions::default()
}

#[test]
fn every_type_that_a_field_can_hold_is_read() {
    let file = written(vec![
        ("time", times(&[0, 1])),
        ("f32", Arc::new(Float32Array::from(vec![Some(1.5), None]))),
        ("i16", Arc::new(Int16Array::from(vec![-7, 8]))),
        ("u64", Arc::new(UInt64Array::from(vec![7, 9_223_372_036_854_775_807]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("cost", Arc::new(Decimal128Array::from(vec![12_345, -5]).with_precision_and_scale(10, 2).unwrap())),
        ("day", Arc::new(Date32Array::from(vec![1, 2]))),
        ("symbol", Arc::new(DictionaryArray::<Int32Type>::from_iter(["A", "B"]))),
        ("note", Arc::new(StringArray::from(vec![Some("hi"), Some("")]))),
    ]);
    let named = LoadOptions { tag_columns: Some(vec!["symbol".into()]), ..options() };
    let plan = file.plan(&named).unwrap();
    assert_eq!(
        rows_of(&plan),
        [
            "1577836800 symbol=A f32=1.5 i16=Some(-7) u64=Some(7) ok=Some(true) cost=123.45 day=Some(86400000000) \
             note=Some(\"hi\")",
            "1577836801 symbol=B f32=NaN i16=Some(8) u64=Some(9223372036854775807) ok=None cost=-0.05 \
             day=Some(172800000000) note=None",
        ]
    );
    let shown = plan.to_string();
    for part in ["Parquet", "`f32` float8", "`i16` int8", "`ok` bool", "`day` timestamptz", "`note` text"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn a_bad_value_refuses_its_row_with_row_column_and_name() {
    let file = written(vec![
        ("v", Arc::new(Float64Array::from(vec![1.0, f64::INFINITY, f64::NAN, 4.0]))),
        ("n", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(1), None, Some(4)]))),
        ("ts", Arc::new(TimestampNanosecondArray::from(vec![Some(1_999), Some(1), Some(2), None]))),
    ]);
    let counted = census(&file.plan(&options()).unwrap());
    let refused: Vec<String> = counted.tally.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "row 1, column 2 (`n`): `18446744073709551615` is beyond 9223372036854775807, the largest integer that can \
             be stored",
            "row 2, column 1 (`v`): `inf` is not a finite number",
            "row 4, column 3 (`ts`): the time is missing",
        ]
    );
    assert_eq!((counted.tally.rows, counted.tally.empty), (0, 1), "a row of NaN and null has no value");
    let strict = LoadOptions { bad_rows: BadRows::Stop, ..options() };
    assert!(matches!(file.plan(&strict).unwrap().dry_run(|_| {}), Err(LoadError::BadRow(_))));
}

#[test]
fn times_are_typed_or_numbers_or_text_and_rounded_down() {
    let value = || ("v", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef);
    let us = |column: ArrayRef, options: &LoadOptions| {
        let range_us = census(&written(vec![("time", column), value()]).plan(options).unwrap()).range_us;
        range_us.unwrap().0
    };
    assert_eq!(us(Arc::new(TimestampNanosecondArray::from(vec![-1])), &options()), -1);
    let zurich = LoadOptions { time_zone: Zone(chrono_tz::Tz::Europe__Zurich), ..options() };
    assert_eq!(us(times(&[0]), &zurich), 1_577_836_800_000_000, "it says UTC");
    let local = Arc::new(TimestampNanosecondArray::from(vec![1_577_836_800_000_000_000]));
    assert_eq!(us(local, &zurich), 1_577_833_200_000_000, "it says no zone");
    assert_eq!(us(Arc::new(Int64Array::from(vec![1_577_836_800_000])), &options()), 1_577_836_800_000_000);
    assert_eq!(us(Arc::new(Int64Array::from(vec![20_200_101])), &options()), 1_577_836_800_000_000);
    let hours = LoadOptions { precision: Some(Precision::Hours), ..options() };
    assert_eq!(us(Arc::new(Int64Array::from(vec![2])), &hours), 7_200_000_000);
    assert_eq!(us(Arc::new(StringArray::from(vec!["2020-01-01"])), &options()), 1_577_836_800_000_000);
}

#[test]
fn what_cannot_be_stored_is_left_out_with_a_note_and_an_error_where_it_is_asked_for() {
    let blob = || ("blob", Arc::new(BinaryArray::from(vec![&b"x"[..]])) as ArrayRef);
    let file = written(vec![("time", times(&[0])), ("v", Arc::new(Float64Array::from(vec![1.0]))), blob()]);
    let plan = file.plan(&options()).unwrap();
    assert!(plan.to_string().contains("note: `blob` holds Binary"), "{plan}");
    assert_eq!(rows_of(&plan), ["1577836800 v=1"]);
    let asked = LoadOptions { tag_columns: Some(vec!["blob".into()]), ..options() };
    let error = file.plan(&asked).unwrap_err();
    assert_eq!(error.to_string(), "column `blob` holds Binary, which is no tag: leave it out");
    let asked = LoadOptions { time_column: Some("blob".into()), ..options() };
    assert!(matches!(file.plan(&asked), Err(LoadError::UnsupportedColumn { what: "time", .. })));
    assert!(matches!(written(vec![("time", times(&[0])), blob()]).plan(&options()), Err(LoadError::NoFields)));
}

#[test]
fn a_wide_file_has_a_series_a_column() {
    let file = written(vec![
        ("Date", Arc::new(Date32Array::from(vec![18_262, 18_263]))),
        ("A", Arc::new(Float64Array::from(vec![Some(1.0), None]))),
        ("B", Arc::new(Int64Array::from(vec![2, 3]))),
    ]);
    assert_eq!(
        rows_of(&file.plan(&wide("symbol")).unwrap()),
        ["1577836800 symbol=A value=1", "1577836800 symbol=B value=2", "1577923200 symbol=B value=3"]
    );
}

#[test]
fn a_file_that_was_written_anew_with_more_rows_is_known_by_its_beginning() {
    let first: Vec<i64> = (0..70_000).collect();
    let file = |rows: &[i64]| written(vec![("time", times(rows)), ("v", Arc::new(Int64Array::from(rows.to_vec())))]);
    let mut ledger = hashbrown::HashMap::new();
    let longer: Vec<i64> = (0..130_000).collect();
    for (rows, expected) in [(&first, 70_000), (&first, 0), (&longer, 60_000), (&longer, 0)] {
        let file = file(rows);
        let plan = file.plan(&options()).unwrap();
        let mut parts = plan.parts().unwrap();
        let mut written = 0;
        while let Some(raw) = parts.next_part(&mut |key| Ok(ledger.get(&key).copied())).unwrap() {
            let place = raw.place.clone();
            if place.history != History::Written {
                written += plan.read(raw).unwrap().tally.rows;
                ledger.insert(place.key, place.extent);
            }
        }
        assert_eq!(written, expected);
    }
}

#[test]
fn wrapped_parquet_is_refused_with_what_to_do() {
    let bytes = packed(vec![("time", times(&[0])), ("v", Arc::new(Float64Array::from(vec![1.0])))]);
    for (name, packed) in [("a.parquet.gz", gzip(&bytes)), ("a.zst", zstd::encode_all(&bytes[..], 3).unwrap())] {
        let error = Written::new(name, packed).plan(&options()).unwrap_err();
        assert!(error.to_string().contains("within gzip or zstd"), "{error}");
    }
    let follow = LoadOptions { growth: Growth::Growing, ..options() };
    assert!(matches!(Written::new("a.parquet", &bytes).plan(&follow), Err(LoadError::NotFollowed(_))));
    assert!(matches!(Written::new("a.parquet", "").plan(&options()), Err(LoadError::Empty)));
    assert!(matches!(Written::new("a.parquet", "time,v\n1,2\n").plan(&options()), Err(LoadError::Parquet { .. })));
    assert!(matches!(
        Written::new("b", &bytes[..bytes.len() - 9]).plan(&options()),
        Err(LoadError::Parquet { after_rows: 0, .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever bytes are damaged: an error or rows, never a panic.
    #[test]
    fn no_damage_makes_it_panic(at in proptest::collection::vec((0.0f64..1.0, any::<u8>()), 1..6)) {
        let mut bytes = packed(vec![
            ("time", times(&[0, 1, 2, 3])),
            ("v", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0), Some(3.0)]))),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
            ("s", Arc::new(StringArray::from(vec!["a", "b", "a", "long text"]))),
        ]);
        for (share, byte) in at {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            let index = (bytes.len() as f64 * share) as usize;
            bytes[index] = byte;
        }
        let file = Written::new("a.parquet", &bytes);
        if let Ok(plan) = file.plan(&options()) {
            drop(plan.dry_run(|_| {}));
        }
    }
}
