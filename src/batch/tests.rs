use proptest::prelude::*;

use super::*;

fn column(name: &str, kind: ColumnType) -> BatchColumn {
    BatchColumn { name: name.to_owned(), kind }
}

/// Rows in the order in which they would be copied: time, series, values by the column's name.
fn copied(batch: &Batch) -> Vec<(i64, i64, Vec<(String, String)>)> {
    (0..batch.len())
        .map(|place| {
            let row = batch.row_at(place);
            let values = batch
                .values_of(row)
                .map(|(column, value)| (batch.columns()[column].name.clone(), format!("{value:?}")))
                .collect();
            (batch.time_us(row), batch.series_id(row), values)
        })
        .collect()
}

#[test]
fn values_come_back_and_what_was_not_given_is_null() {
    let kinds = [ColumnType::Float8, ColumnType::Int8, ColumnType::Bool, ColumnType::Text, ColumnType::Timestamptz];
    let mut batch = Batch::new(kinds.map(|kind| column(kind.sql(), kind)).to_vec());
    batch.push_row(1, 1, &[(3, Value::Text("ä")), (0, Value::Float8(-0.0))]);
    batch.push_row(2, 1, &[(4, Value::Timestamptz(7)), (2, Value::Bool(true)), (1, Value::Int8(i64::MIN))]);
    batch.push_row(3, 1, &[(3, Value::Text(""))]);
    assert_eq!(batch.value(0, 3), Some(Value::Text("ä")));
    assert_eq!(batch.value(0, 1), None);
    assert_eq!(batch.value(1, 1), Some(Value::Int8(i64::MIN)));
    assert_eq!(batch.value(1, 3), None);
    assert_eq!(batch.value(2, 3), Some(Value::Text("")));
    assert_eq!(batch.value(2, 4), None);
    assert_eq!(batch.time_bounds(), Some((1, 3)));
}

#[test]
fn equal_times_stay_in_their_order_of_arrival() {
    let mut batch = Batch::new(vec![column("v", ColumnType::Int8)]);
    for (time, series, value) in [(5, 2, 1), (5, 1, 2), (5, 2, 3), (4, 2, 4)] {
        batch.push_row(time, series, &[(0, Value::Int8(value))]);
    }
    batch.sort();
    let order: Vec<String> = copied(&batch).into_iter().map(|(_, _, values)| values[0].1.clone()).collect();
    assert_eq!(order, ["Int8(2)", "Int8(4)", "Int8(1)", "Int8(3)"]);
}

#[test]
#[should_panic(expected = "cannot stand")]
fn a_value_of_another_type_is_a_defect() {
    Batch::new(vec![column("v", ColumnType::Int8)]).push_row(0, 0, &[(0, Value::Bool(true))]);
}

proptest! {
    #[test]
    fn concatenation_is_the_sorted_union(
        rows in proptest::collection::vec((0_i64..5, 0_i64..4, proptest::option::of(any::<i64>()), 0_usize..3), 0..200)
    ) {
        // Batches with different columns, as requests have that were prepared before and after a field was added.
        let mut parts = [
            Batch::new(vec![column("a", ColumnType::Int8)]),
            Batch::new(vec![column("b", ColumnType::Int8), column("a", ColumnType::Int8)]),
            Batch::new(vec![column("c", ColumnType::Timestamptz)]),
        ];
        let mut expected = Vec::new();
        for (time, series, value, part) in rows {
            let (name, wrapped) = match part {
                0 => ("a", value.map(Value::Int8)),
                1 => ("b", value.map(Value::Int8)),
                _ => ("c", value.map(Value::Timestamptz)),
            };
            let values: Vec<_> = wrapped.map(|value| (0, value)).into_iter().collect();
            parts[part].push_row(time, series, &values);
            expected.push((time, series, wrapped.map(|value| (name.to_owned(), format!("{value:?}"))).into_iter().collect::<Vec<_>>()));
        }
        let mut all = copied(&Batch::concat(&parts.iter().collect::<Vec<_>>()));
        prop_assert!(all.is_sorted_by_key(|(time, series, _)| (*series, *time)));
        all.sort();
        expected.sort();
        prop_assert_eq!(all, expected);
    }
}
