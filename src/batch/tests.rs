//! Tests of batches: against a plain list of rows, and at their edges.

use proptest::{collection::vec, option, prelude::*};

use super::*;

/// A cell that owns its text.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Float(f64),
    Integer(i64),
    Boolean(bool),
    Text(String),
    Timestamp(i64),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Float(value) => Value::Float8(*value),
            Self::Integer(value) => Value::Int8(*value),
            Self::Boolean(value) => Value::Bool(*value),
            Self::Text(value) => Value::Text(value),
            Self::Timestamp(us) => Value::Timestamptz(*us),
        }
    }

    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Float8(value) => Self::Float(value),
            Value::Int8(value) => Self::Integer(value),
            Value::Bool(value) => Self::Boolean(value),
            Value::Text(value) => Self::Text(value.to_owned()),
            Value::Timestamptz(us) => Self::Timestamp(us),
        }
    }
}

/// What `push_row` takes.
type Values<'a> = [(usize, Value<'a>)];

/// A row as a list would have it: time, series, and a cell for each of the columns.
type PlainRow = (i64, i64, Vec<Option<Cell>>);

const KINDS: [ColumnType; 5] =
    [ColumnType::Float8, ColumnType::Text, ColumnType::Int8, ColumnType::Bool, ColumnType::Timestamptz];

fn columns(count: usize) -> Vec<BatchColumn> {
    KINDS.iter().cycle().take(count).enumerate().map(|(i, &kind)| BatchColumn { name: format!("c{i}"), kind }).collect()
}

fn cell(kind: ColumnType) -> BoxedStrategy<Cell> {
    match kind {
        ColumnType::Float8 => (-1e9..1e9).prop_map(Cell::Float).boxed(),
        ColumnType::Int8 => any::<i64>().prop_map(Cell::Integer).boxed(),
        ColumnType::Bool => any::<bool>().prop_map(Cell::Boolean).boxed(),
        ColumnType::Text => "[aé€]{0,4}".prop_map(Cell::Text).boxed(),
        ColumnType::Timestamptz => (MIN_TIME_US..=MAX_TIME_US).prop_map(Cell::Timestamp).boxed(),
    }
}

/// Rows over so many columns, few series and few times, so that many are equal in both.
fn plain_rows(count: usize) -> impl Strategy<Value = Vec<PlainRow>> {
    let cells: Vec<_> = columns(count).into_iter().map(|column| option::of(cell(column.kind))).collect();
    vec((0..5_i64, 0..3_i64, cells), 0..80)
}

fn batch_of(count: usize, rows: &[PlainRow]) -> Batch {
    let mut batch = Batch::new(columns(count));
    for (time_us, series_id, cells) in rows {
        // Backwards, to show that the order of a row's values does not matter.
        let values: Vec<_> =
            cells.iter().enumerate().rev().filter_map(|(i, cell)| Some((i, cell.as_ref()?.value()))).collect();
        batch.push_row(*time_us, *series_id, &values).unwrap();
    }
    batch
}

fn plain(batch: &Batch) -> Vec<PlainRow> {
    let row = |row: Row<'_>| (row.time_us(), row.series_id(), row.cells().map(|cell| cell.map(Cell::of)).collect());
    batch.rows().map(row).collect()
}

proptest! {
    #[test]
    fn a_batch_gives_back_its_rows_and_sorts_them_as_a_list(rows in plain_rows(7)) {
        let mut batch = batch_of(7, &rows);
        prop_assert_eq!(&plain(&batch), &rows);
        let times = rows.iter().map(|row| row.0);
        prop_assert_eq!(batch.time_bounds(), times.clone().min().zip(times.max()));

        batch.sort();
        let mut sorted = rows.clone();
        sorted.sort_by_key(|row| (row.1, row.0));
        prop_assert_eq!(plain(&batch), sorted);

        batch.push_row(9, 0, &[]).unwrap();
        prop_assert_eq!(plain(&batch)[..rows.len()].to_vec(), rows, "a row more, and they are as they arrived");
    }

    #[test]
    fn batches_of_different_columns_are_one_list(
        parts in vec((0..8_usize).prop_flat_map(|count| (Just(count), plain_rows(count), any::<bool>())), 0..5),
    ) {
        let batches: Vec<_> = parts.iter().map(|(count, rows, sorted)| {
            let batch = batch_of(*count, rows);
            if *sorted {
                batch.sort();
            }
            batch
        }).collect();
        let joined = Batch::concat(&batches.iter().collect::<Vec<_>>()).unwrap();

        let width = parts.iter().map(|part| part.0).max().unwrap_or(0);
        let expected: Vec<_> = parts.iter().flat_map(|(_, rows, _)| rows.clone()).map(|(time, series, mut cells)| {
            cells.resize(width, None);
            (time, series, cells)
        }).collect();
        prop_assert_eq!(joined.columns().len(), width);
        prop_assert_eq!(plain(&joined), expected);
        let bounds = batches.iter().filter_map(Batch::time_bounds);
        prop_assert_eq!(joined.time_bounds(), bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))));
    }
}

#[test]
fn a_row_that_the_database_would_refuse_leaves_no_trace() {
    let mut batch = batch_of(2, &[(1, 1, vec![Some(Cell::Float(1.0)), None])]);
    let before = plain(&batch);
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    let refused: [(i64, &Values<'_>, RowError); 6] = [
        (2, &[(0, Value::Float8(1.0)), (2, Value::Float8(1.0))], RowError::UnknownColumn { column: 2 }),
        (
            2,
            &[(1, Value::Text("x")), (0, Value::Int8(1))],
            RowError::TypeMismatch { column: "c0".into(), expected: ColumnType::Float8, found: ColumnType::Int8 },
        ),
        (2, &[(0, Value::Float8(1.0)), (1, Value::Text("a\0"))], RowError::NulByte { column: "c1".into() }),
        (2, &[(1, Value::Text(&long))], RowError::TextTooLong { column: "c1".into(), bytes: MAX_TEXT_BYTES + 1 }),
        (i64::MAX, &[], RowError::TimeOutOfRange { us: i64::MAX }),
        (MIN_TIME_US - 1, &[], RowError::TimeOutOfRange { us: MIN_TIME_US - 1 }),
    ];
    for (time_us, values, error) in refused {
        assert_eq!(batch.push_row(time_us, 1, values), Err(error));
        assert_eq!(plain(&batch), before);
        assert_eq!(batch.time_bounds(), Some((1, 1)));
    }
    batch.push_row(2, 1, &[(1, Value::Text(&long[1..]))]).unwrap();
}

#[test]
fn of_a_column_that_a_row_names_twice_the_later_value_counts() {
    let mut batch = Batch::new(columns(5));
    let first = [Value::Float8(1.0), Value::Text("one"), Value::Int8(1), Value::Bool(true), Value::Timestamptz(1)];
    let second = [Value::Float8(2.0), Value::Text("2"), Value::Int8(2), Value::Bool(false), Value::Timestamptz(2)];
    let values: Vec<_> = first.into_iter().enumerate().chain(second.into_iter().enumerate()).collect();
    batch.push_row(0, 0, &values[..5]).unwrap();
    batch.push_row(0, 0, &values).unwrap();
    assert_eq!(batch.row(0).cells().flatten().collect::<Vec<_>>(), first);
    assert_eq!(batch.row(1).cells().flatten().collect::<Vec<_>>(), second);
}

#[test]
fn a_column_of_two_types_is_named() {
    let other = Batch::new(vec![BatchColumn { name: "c0".into(), kind: ColumnType::Int8 }]);
    assert_eq!(
        Batch::concat(&[&Batch::new(columns(1)), &other]).unwrap_err(),
        ConcatError::TypeConflict { column: "c0".into(), first: ColumnType::Float8, second: ColumnType::Int8 }
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_column_that_few_rows_have_gives_back_its_values_joined_or_not(
        parts in vec(vec((0..4_000_usize, -1e9..1e9), 0..6), 1..4),
    ) {
        // Each part: rows with values after so many without, in an own column and in one that all rows have.
        let mut expected = Vec::new();
        let batches: Vec<_> = parts.iter().map(|values| {
            let mut batch = Batch::new(columns(3));
            for &(without, value) in values {
                for _ in 0..without {
                    batch.push_row(0, 0, &[(2, Value::Int8(7))]).unwrap();
                    expected.push((None, None));
                }
                batch.push_row(0, 0, &[(0, Value::Float8(value)), (1, Value::Text("few")), (2, Value::Int8(7))]).unwrap();
                expected.push((Some(Value::Float8(value)), Some(Value::Text("few"))));
            }
            batch
        }).collect();
        let joined = Batch::concat(&batches.iter().collect::<Vec<_>>()).unwrap();
        let few = |row: Row<'_>| row.cells().map(|cell| cell.map(Cell::of)).collect::<Vec<_>>();
        for (row, (float, text)) in joined.rows().zip(expected) {
            prop_assert_eq!(few(row), vec![float.map(Cell::of), text.map(Cell::of), Some(Cell::Integer(7))]);
        }
    }
}

#[test]
fn a_value_behind_many_rows_without_one_costs_no_more_than_another() {
    let mut batch = Batch::new(columns(101));
    for _ in 0..100_000 {
        batch.push_row(0, 0, &[]).unwrap();
    }
    let before = batch.bytes();
    for column in (0..100).filter(|column| column % 5 != 1) {
        let value = batch_value(batch.columns()[column].kind);
        batch.push_row(0, 0, &[(column, value), (100, Value::Float8(1.0))]).unwrap();
    }
    assert!(batch.bytes() - before < 100 * 400, "{} bytes more", batch.bytes() - before);
}

fn batch_value(kind: ColumnType) -> Value<'static> {
    match kind {
        ColumnType::Float8 => Value::Float8(1.0),
        ColumnType::Int8 => Value::Int8(1),
        ColumnType::Bool => Value::Bool(true),
        ColumnType::Text => Value::Text("x"),
        ColumnType::Timestamptz => Value::Timestamptz(1),
    }
}

#[test]
fn memory_grows_with_the_cells_that_there_are() {
    let row = |batch: &mut Batch, values: &[(usize, Value<'_>)]| {
        for time_us in 0..1_000 {
            batch.push_row(time_us, 1, values).unwrap();
        }
    };
    let (mut sparse, mut dense) = (Batch::new(columns(100)), Batch::new(columns(100)));
    row(&mut sparse, &[(0, Value::Float8(1.0))]);
    row(&mut dense, &(0..100).step_by(5).map(|i| (i, Value::Float8(1.0))).collect::<Vec<_>>());
    assert!(sparse.bytes() >= 1_000 * 24 && sparse.bytes() < 1_100 * 24 * 2, "{}", sparse.bytes());
    assert!(dense.bytes() > sparse.bytes() + 19 * 8_000, "{}", dense.bytes());
}

/// So many rows over so many columns, each with one or two, one column after the other.
fn sparse_batch(rows: usize, count: usize) -> Batch {
    let mut batch = Batch::new(columns(count));
    for row in 0..rows {
        let (first, second) = (row * 7 % count, row * 13 % count);
        let values: Vec<_> = [first, second].map(|column| (column, batch_value(KINDS[column % KINDS.len()]))).into();
        batch.push_row(0, 0, &values[..1 + row % 2]).unwrap();
    }
    batch
}

#[test]
fn a_batch_of_mostly_nulls_takes_memory_and_cells_in_proportion_to_its_values() {
    let batch = sparse_batch(10_000, 500);
    assert!(batch.bytes() < 12 << 20, "{} bytes", batch.bytes());
    let blocks = batch.blocks();
    let cells: usize = blocks.iter().map(|block| block.places.len() * block.columns.len()).sum();
    assert!((2..250).contains(&blocks.len()), "{} blocks", blocks.len());
    assert!(cells < 1_500_000, "{cells} cells of five million");
    assert!(cells <= 2 * 15_000 + blocks.len() * 8_192 + 15_000, "{cells}");
}

#[test]
fn a_batch_of_values_is_one_block_of_all_columns_however_large() {
    let mut batch = Batch::new(columns(3));
    for row in 0..30_000 {
        let values = [(0, Value::Float8(1.0)), (2, Value::Int8(row)), (1, Value::Text("tenth"))];
        batch.push_row(-row, row % 9, if row % 10 == 0 { &values } else { &values[..2] }).unwrap();
    }
    batch.sort();
    assert_eq!(batch.blocks(), [Block { places: 0..30_000, columns: vec![0, 1, 2] }]);
    assert_eq!(Batch::new(columns(2)).blocks(), [Block { places: 0..0, columns: vec![0, 1] }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn blocks_have_every_row_once_in_order_and_leave_out_no_value(
        rows in vec((0..4_i64, vec(0..400_usize, 0..4)), 0..400), repeated in 1..4_usize,
    ) {
        let mut batch = Batch::new(columns(400));
        for (series_id, named) in rows.iter().cycle().take(rows.len() * repeated) {
            let values: Vec<_> = named.iter().map(|&column| (column, batch_value(KINDS[column % KINDS.len()]))).collect();
            batch.push_row(0, *series_id, &values).unwrap();
        }
        batch.sort();
        let mut next = 0;
        for Block { places, columns } in batch.blocks() {
            prop_assert_eq!(places.start, next);
            next = places.end;
            prop_assert!(columns.is_sorted_by(|a, b| a < b));
            for row in places.map(|place| batch.row(place)) {
                let present = row.cells().flatten().count();
                prop_assert_eq!(columns.iter().filter_map(|&column| row.cell(column)).count(), present);
            }
        }
        prop_assert_eq!(next, batch.len());
    }
}
