//! Arrow and CSV, read by arrow-ipc and by the csv crate. Both are compared to rows that the tests write out by hand,
//! so each also says that the other has the same columns.

use std::io::Cursor;

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use proptest::prelude::*;

use super::*;

/// Column names, then one list of cells a row; a missing cell is `None`. Floats are their bits.
type Cells = Vec<Vec<Option<String>>>;

fn some(text: impl ToString) -> Option<String> {
    Some(text.to_string())
}

fn float(value: f64) -> Option<String> {
    value.is_finite().then(|| value.to_bits().to_string())
}

fn read_batches(bytes: &[u8]) -> (Vec<String>, Vec<String>, Vec<RecordBatch>) {
    let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    let schema = reader.schema();
    let names = schema.fields().iter().map(|field| field.name().clone()).collect();
    let types = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    (names, types, reader.map(Result::unwrap).collect())
}

fn arrow_cell(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_bits().to_string(),
        DataType::Timestamp(..) => time(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_string::<i32>();
            values.value(dictionary.key(row).unwrap()).to_owned()
        }
        other => panic!("no column of an answer is {other}"),
    })
}

fn read_arrow(bytes: &[u8]) -> (Vec<String>, Vec<String>, Cells) {
    let (names, types, batches) = read_batches(bytes);
    let cells = batches
        .iter()
        .flat_map(|batch| {
            (0..batch.num_rows())
                .map(move |row| batch.columns().iter().map(|column| arrow_cell(column, row)).collect::<Vec<_>>())
        })
        .collect();
    (names, types, cells)
}

/// CSV's cells with the floats of the columns in `floats` as their bits.
fn read_csv(bytes: &[u8], floats: &[&str]) -> (Vec<String>, Cells) {
    let mut reader = ::csv::Reader::from_reader(bytes);
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let cells = reader
        .records()
        .map(|record| {
            record
                .unwrap()
                .iter()
                .zip(&names)
                .map(|(cell, name)| match cell {
                    "" => None,
                    cell if floats.contains(&name.as_str()) => float(cell.parse().unwrap()),
                    cell => some(cell),
                })
                .collect()
        })
        .collect();
    (names, cells)
}

/// What CSV makes of a cell that Arrow has: a formula gets an apostrophe, an empty text is an empty cell.
fn as_csv(cells: &Cells) -> Cells {
    let cell = |cell: &Option<String>| match cell.as_deref() {
        Some("") => None,
        Some(text) if text == ODD[2] => Some(format!("'{text}")),
        other => other.map(str::to_owned),
    };
    cells.iter().map(|row| row.iter().map(cell).collect()).collect()
}

const INT: &str = "Int64";
const FLOAT: &str = "Float64";
const TAG: &str = "Dictionary(Int32, Utf8)";
const TIME: &str = "Timestamp(µs, \"UTC\")";

#[test]
fn a_long_window_has_a_row_for_every_value_and_none_for_what_is_missing() {
    let answer = window_answer();
    let mut expected = Cells::new();
    for (row, series) in answer.rows.series.iter().enumerate() {
        for (column, us) in TIMES_US.iter().enumerate() {
            let value = answer.frame.values[[row, column]];
            if value.is_finite() {
                let [tag, symbol] = [series.tags[0].clone(), series.tags[1].clone()];
                expected.push(vec![some(series.series_id), tag, symbol, some(time(*us)), float(value)]);
            }
        }
    }
    assert_eq!(expected.len(), 9);

    let (names, types, cells) = read_arrow(&window(&answer, Format::Arrow, Layout::Long).unwrap());
    assert_eq!(names, ["series_id", "tag_time", "symbol", "time", "value"]);
    assert_eq!(types, [INT, TAG, TAG, TIME, FLOAT]);
    assert_eq!(cells, expected);

    let (names, cells) = read_csv(&window(&answer, Format::Csv, Layout::Long).unwrap(), &["value"]);
    assert_eq!(names, ["series_id", "tag_time", "symbol", "time", "value"]);
    assert_eq!(cells, as_csv(&expected));
}

#[test]
fn a_wide_window_has_a_column_for_every_series() {
    let mut answer = window_answer();
    Arc::make_mut(&mut answer.rows).tag_names = vec!["symbol".to_owned()];
    for (series, name) in Arc::make_mut(&mut answer.rows).series.iter_mut().zip(["time", "B\"C", "=D", "E,\nF"]) {
        series.tags = vec![Some(name.to_owned())];
    }
    let expected: Cells = (0..TIMES_US.len())
        .map(|column| {
            let values = answer.frame.values.column(column);
            std::iter::once(some(time(TIMES_US[column]))).chain(values.iter().map(|value| float(*value))).collect()
        })
        .collect();

    let (names, types, cells) = read_arrow(&window(&answer, Format::Arrow, Layout::Wide).unwrap());
    assert_eq!(names, ["time", "time (1)", "B\"C", "=D", "E,\nF"]);
    assert_eq!(types, [TIME, FLOAT, FLOAT, FLOAT, FLOAT]);
    assert_eq!(cells, expected);

    let floats = ["time (1)", "B\"C", "'=D", "E,\nF"];
    let (names, cells) = read_csv(&window(&answer, Format::Csv, Layout::Wide).unwrap(), &floats);
    assert_eq!(names, ["time", "time (1)", "B\"C", "'=D", "E,\nF"]);
    assert_eq!(cells, expected);
}

#[test]
fn a_correlation_has_a_row_for_every_range_and_series() {
    let answer = correlate_answer();
    let [StatColumn::One(_, q), StatColumn::One(_, p), StatColumn::Interval(low, high)] = answer.stats.as_slice()
    else {
        panic!("the fixture has three stats");
    };
    let mut expected = Cells::new();
    for range in 0..2 {
        for (column, series) in answer.rows.series.iter().enumerate() {
            let at = [range, column];
            let mut row = vec![some(range), some(series.series_id), series.tags[0].clone(), series.tags[1].clone()];
            row.extend([float(answer.r[at]), some(answer.n[at])]);
            row.extend([p, low, high, q].map(|stat| float(stat[at])));
            expected.push(row);
        }
    }
    // A tag is prefixed only by a column of the answer, and `time` is none of a correlation's.
    let columns = ["range", "series_id", "time", "symbol", "r", "n", "p_value", "ci95_low", "ci95_high", "q_value"];

    let (names, types, cells) = read_arrow(&correlate(&answer, None, Format::Arrow).unwrap());
    assert_eq!(names, columns);
    assert_eq!(types, [INT, INT, TAG, TAG, FLOAT, INT, FLOAT, FLOAT, FLOAT, FLOAT]);
    assert_eq!(cells, expected);

    let floats = ["r", "p_value", "ci95_low", "ci95_high", "q_value"];
    let (names, cells) = read_csv(&correlate(&answer, None, Format::Csv).unwrap(), &floats);
    assert_eq!(names, columns);
    assert_eq!(cells, as_csv(&expected));
}

#[test]
fn a_list_of_series_has_a_row_for_every_series() {
    let listing = listing();
    let expected: Cells = listing
        .rows
        .iter()
        .map(|row| {
            let [tag, symbol] = [row.series.tags[0].clone(), row.series.tags[1].clone()];
            vec![some(row.series.series_id), tag, symbol, row.first_us.map(time), row.last_us.map(time)]
        })
        .collect();
    let (names, types, cells) = read_arrow(&series_list(&listing, Format::Arrow).unwrap());
    assert_eq!(names, ["series_id", "time", "symbol", "first", "last"]);
    assert_eq!(types, [INT, TAG, TAG, TIME, TIME]);
    assert_eq!(cells, expected);
    let (_, cells) = read_csv(&series_list(&listing, Format::Csv).unwrap(), &[]);
    assert_eq!(cells, as_csv(&expected));
}

#[test]
fn a_long_answer_comes_in_batches_that_share_a_dictionary() {
    let answer = long_window(150_000);
    let (_, _, batches) = read_batches(&window(&answer, Format::Arrow, Layout::Long).unwrap());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [65_536, 65_536, 18_928]);
    let last = batches[2].column_by_name("value").unwrap().as_primitive::<Float64Type>();
    assert_eq!(last.value(18_927).to_bits(), 149_999_f64.to_bits());
    assert_eq!(arrow_cell(batches[2].column_by_name("symbol").unwrap(), 0), some("A"));

    let (_, _, batches) = read_batches(&window(&answer, Format::Arrow, Layout::Wide).unwrap());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 150_000);
    assert_eq!(arrow_cell(batches[1].column(0), 0), some(time(65_536_000_000)));
}

#[test]
fn an_answer_without_rows_still_has_its_columns() {
    for layout in [Layout::Long, Layout::Wide] {
        let (names, _, cells) = read_arrow(&window(&empty_window(), Format::Arrow, layout).unwrap());
        let (csv_names, csv_cells) = read_csv(&window(&empty_window(), Format::Csv, layout).unwrap(), &[]);
        assert_eq!(names, csv_names);
        assert!(cells.is_empty() && csv_cells.is_empty());
    }
    assert_eq!(window(&empty_window(), Format::Csv, Layout::Long).unwrap(), b"series_id,symbol,time,value\n");
}

proptest! {
    #[test]
    fn every_finite_number_reads_back_from_csv_to_the_same_bits(bits in any::<u64>()) {
        let mut answer = long_window(1);
        answer.frame.values[[0, 0]] = f64::from_bits(bits);
        let (_, cells) = read_csv(&window(&answer, Format::Csv, Layout::Wide).unwrap(), &["A"]);
        prop_assert_eq!(&cells[0][1], &float(f64::from_bits(bits)));
    }

    #[test]
    fn any_tag_survives_arrow_and_csv(tag in "[^=+@\\-\t\r']\\PC{0,20}") {
        let mut answer = long_window(1);
        Arc::make_mut(&mut answer.rows).series[0].tags[0] = Some(tag.clone());
        let (_, _, cells) = read_arrow(&window(&answer, Format::Arrow, Layout::Long).unwrap());
        prop_assert_eq!(cells[0][1].as_ref(), Some(&tag));
        let (_, cells) = read_csv(&window(&answer, Format::Csv, Layout::Long).unwrap(), &[]);
        prop_assert_eq!(cells[0][1].as_ref(), Some(&tag));
    }
}
