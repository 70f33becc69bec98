//! Joined rows.

use std::io::Cursor;

use arrow_array::{Array, cast::AsArray, types::Int64Type};
use arrow_ipc::reader::StreamReader;
use serde_json::{Value, json};

use crate::{
    asof::Joined,
    format::{Format, FormatError, asof},
    query::AsofAnswer,
};

fn answer() -> AsofAnswer {
    AsofAnswer {
        tag_names: vec!["symbol".to_owned(), "right_bid".to_owned()],
        pairs: vec![vec![Some("=A".to_owned()), Some("x".to_owned())], vec![None, Some("y".to_owned())]],
        left_fields: vec!["price".to_owned(), "age_us".to_owned()],
        right_fields: vec!["bid".to_owned()],
        rows: Joined {
            pairs: vec![0, 0, 1],
            times_us: vec![1_000_000, 2_000_000, 3_000_000],
            left: vec![1.5, f64::NAN, 2.5, 7.0, 3.5, 8.0],
            right: vec![f64::NAN, 9.25, f64::NAN],
            right_times_us: vec![None, Some(1_999_999), Some(2_000_000)],
        },
        ..AsofAnswer::default()
    }
}

#[test]
fn json_has_an_object_a_row_and_all_names_differ() {
    let value: Value = serde_json::from_slice(&asof(&answer(), Format::Json).unwrap()).unwrap();
    assert_eq!(
        value["rows"],
        json!([
            {"symbol": "=A", "tag_right_bid": "x", "time": "1970-01-01T00:00:01Z", "price": 1.5, "left_age_us": null,
             "right_bid": null, "right_time": null, "age_us": null},
            {"symbol": "=A", "tag_right_bid": "x", "time": "1970-01-01T00:00:02Z", "price": 2.5, "left_age_us": 7.0,
             "right_bid": 9.25, "right_time": "1970-01-01T00:00:01.999999Z", "age_us": 1},
            {"tag_right_bid": "y", "time": "1970-01-01T00:00:03Z", "price": 3.5, "left_age_us": 8.0,
             "right_bid": null, "right_time": "1970-01-01T00:00:02Z", "age_us": 1_000_000},
        ])
    );
}

#[test]
fn csv_leaves_what_is_missing_empty() {
    let text = String::from_utf8(asof(&answer(), Format::Csv).unwrap()).unwrap();
    assert_eq!(
        text,
        "symbol,tag_right_bid,time,price,left_age_us,right_bid,right_time,age_us\n\
         '=A,x,1970-01-01T00:00:01Z,1.5,,,,\n\
         '=A,x,1970-01-01T00:00:02Z,2.5,7.0,9.25,1970-01-01T00:00:01.999999Z,1\n\
         ,y,1970-01-01T00:00:03Z,3.5,8.0,,1970-01-01T00:00:02Z,1000000\n"
    );
}

#[test]
fn arrow_has_the_same_columns_and_nulls() {
    let bytes = asof(&answer(), Format::Arrow).unwrap();
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    let names: Vec<&str> = batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["symbol", "tag_right_bid", "time", "price", "left_age_us", "right_bid", "right_time", "age_us"]);
    let age = batch.column(7).as_primitive::<Int64Type>();
    assert!(age.is_null(0));
    assert_eq!((age.value(1), age.value(2)), (1, 1_000_000));
    assert!(batch.column(0).is_null(2) && batch.column(5).is_null(0));
}

#[test]
fn there_is_no_array_of_it() {
    for format in [Format::Npy, Format::Npz] {
        assert!(matches!(asof(&answer(), format), Err(FormatError::NotOffered { .. })));
    }
}
