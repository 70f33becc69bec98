use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Rows of some series: time and value, by a number of their own.
type Rows = BTreeMap<u32, (i64, i64, i64)>;

fn newest<'r>(rows: impl Iterator<Item = &'r (i64, i64, i64)>) -> BTreeMap<i64, (i64, i64)> {
    let mut newest = BTreeMap::new();
    for (series, us, value) in rows {
        let known = newest.entry(*series).or_insert((*us, *value));
        *known = (*known).max((*us, *value));
    }
    newest
}

fn answer(newest: &BTreeMap<i64, (i64, i64)>) -> LatestAnswer {
    let series = newest.keys().map(|id| TaggedSeries { series_id: *id, tags: vec![Some(format!("S{id}"))] }).collect();
    LatestAnswer {
        rows: Arc::new(SelectedSeries { tag_names: vec!["symbol".to_owned()], series, version: String::new() }),
        times_us: newest.values().map(|(us, _)| *us).collect(),
        values: LatestValues::Ints(newest.values().map(|(_, value)| *value).collect()),
        written: Written::default(),
    }
}

/// An insertion, a deletion or an update of the row of this number, and a stretch around what it touches.
#[derive(Debug, Clone)]
struct Change {
    number: u32,
    row: Option<(i64, i64, i64)>,
    around: (i64, i64),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let row = (0_i64..6, 0_i64..40, 0_i64..4);
    let change = (0_u32..30, proptest::option::weighted(0.7, row), (0_i64..3, 0_i64..3));
    let change = change.prop_map(|(number, row, around)| Change { number, row, around });
    proptest::collection::vec(change, 0..8)
}

proptest! {
    #[test]
    fn what_is_brought_up_to_date_is_what_is_read_anew(before in changes(), after in changes()) {
        let mut rows = Rows::new();
        for change in before {
            change.row.map(|row| rows.insert(change.number, row));
        }
        let kept = answer(&newest(rows.values()));
        let mut dirty = Vec::new();
        for Change { number, row, around: (back, forth) } in after {
            let was = match row {
                Some(row) => rows.insert(number, row),
                None => rows.remove(&number),
            };
            for (_, us, _) in was.into_iter().chain(row) {
                dirty.push(Stretch { from_us: us - back, to_us: us + forth + 1 });
            }
        }
        let dirty = crate::hypertable::changes::merged(dirty);
        let within = |us: i64| dirty.iter().any(|stretch| stretch.from_us <= us && us < stretch.to_us);
        let found: Found = newest(rows.values().filter(|(_, us, _)| within(*us)))
            .into_iter()
            .map(|(id, (us, value))| (id, (us, value.to_be_bytes().to_vec())))
            .collect();
        let known = |id: i64| kept.rows.series.iter().any(|series| series.series_id == id);
        let mut new: Vec<i64> = found.keys().copied().filter(|id| !known(*id)).collect();
        new.sort_unstable();
        let new = new.into_iter().map(|id| TaggedSeries { series_id: id, tags: vec![Some(format!("S{id}"))] }).collect();
        let measurement = Measurement::new(1, "public".to_owned(), "m".to_owned(), "m".to_owned(), 1);
        let expected = answer(&newest(rows.values()));
        match refreshed(&measurement, ColumnType::Int8, &kept, &dirty, &found, new) {
            Some(answer) => {
                prop_assert_eq!(&answer.rows.series, &expected.rows.series);
                prop_assert_eq!(&answer.times_us, &expected.times_us);
                prop_assert_eq!(&answer.values, &expected.values);
            }
            // Only where a last value went.
            None => {
                let gone = |at: usize, id: i64| newest(rows.values()).get(&id).is_none_or(|(us, _)| *us < kept.times_us[at]);
                prop_assert!(kept.rows.series.iter().enumerate().any(|(at, series)| gone(at, series.series_id)));
            }
        }
    }
}
