use proptest::prelude::*;

use super::*;

type Row = (i64, i64, Option<f64>, Option<i64>);

fn keys((_, _, price, size): Row) -> [Option<Key>; 2] {
    [price.and_then(Key::of_float), size.map(Key::of_int)]
}

fn bars() -> Bars {
    Bars::new(vec![Number::Float, Number::Int], Some(Weighting { value: 0, weight: 1 }))
}

fn of_rows(width_us: i64, rows: &[Row]) -> Finished {
    let mut bars = bars();
    for row in rows {
        bars.add(row.0.div_euclid(width_us) * width_us, row.0, row.1, &keys(*row));
    }
    bars.finish()
}

/// Few different times and values, so that many are equal.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let price = prop_oneof![
        (-3_i32..3).prop_map(|n| f64::from(n) / 2.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        any::<f64>(),
    ];
    let row = (-30_i64..30, 0_i64..3, proptest::option::of(price), proptest::option::of(-3_i64..3));
    proptest::collection::vec(row, 0..60)
}

/// What there is to know of a bucket, but for sums.
fn exact(bucket: BucketBars<'_>) -> (i64, i64, Vec<(i64, [Key; 4])>) {
    let exact = bucket.bars.iter().map(|bar| match bar.count {
        0 => (0, [Key(0); 4]),
        count => (count, [bar.first, bar.last, bar.min, bar.max]),
    });
    (bucket.series_id, bucket.time_us, exact.collect())
}

proptest! {
    #[test]
    fn keys_are_ordered_as_the_values_and_read_back(a: f64, b: f64) {
        match (Key::of_float(a), Key::of_float(b)) {
            (Some(x), Some(y)) => {
                prop_assert_eq!(x.cmp(&y), (a + 0.0).total_cmp(&(b + 0.0)));
                prop_assert_eq!(x.float().to_bits(), (a + 0.0).to_bits());
                prop_assert_eq!(Number::Float.key(Some(&Number::Float.bytes(x))), Some(x));
            }
            (x, y) => prop_assert!(x.is_some() == a.is_finite() && y.is_some() == b.is_finite()),
        }
    }

    #[test]
    fn bars_are_those_of_a_plain_calculation(rows in rows(), width in 1_i64..20) {
        let finished = of_rows(width, &rows);
        let mut buckets: Vec<(i64, i64)> = rows
            .iter()
            .filter(|row| keys(**row).iter().any(Option::is_some))
            .map(|row| (row.1, row.0.div_euclid(width) * width))
            .collect();
        buckets.sort_unstable();
        buckets.dedup();
        prop_assert_eq!(finished.len(), buckets.len());
        for (at, (series_id, start)) in buckets.into_iter().enumerate() {
            let within = |row: &&Row| row.1 == series_id && row.0.div_euclid(width) * width == start;
            let values = |field: usize| -> Vec<(i64, Key)> {
                rows.iter().filter(within).filter_map(|row| Some((row.0, keys(*row)[field]?))).collect()
            };
            let expected = [0, 1].map(|field| {
                let values = values(field);
                let (Some(&first), Some(&last)) = (
                    values.iter().min_by_key(|(time, key)| (*time, std::cmp::Reverse(*key))),
                    values.iter().max(),
                ) else {
                    return (0, [Key(0); 4]);
                };
                let (min, max) = (values.iter().map(|v| v.1).min().unwrap(), values.iter().map(|v| v.1).max().unwrap());
                (i64::try_from(values.len()).unwrap(), [first.1, last.1, min, max])
            });
            let bucket = finished.get(at).unwrap();
            prop_assert_eq!(exact(bucket), (series_id, start, expected.to_vec()));
            let sizes: i64 = values(1).iter().map(|(_, key)| key.0).sum();
            prop_assert_eq!(bucket.bars[1].sum(), sizes as f64);
        }
    }

    #[test]
    fn order_and_levels_do_not_show(rows in rows(), cut in 0_usize..60) {
        let whole = of_rows(20, &rows);
        let mut turned = rows.clone();
        turned.rotate_left(cut.min(rows.len()));
        turned.reverse();
        let turned = of_rows(20, &turned);
        // By way of narrower bars, as wider levels are made.
        let narrow = of_rows(5, &rows);
        let mut merged = bars();
        for bucket in narrow.iter() {
            let stored: Vec<Bar> = bucket
                .bars
                .iter()
                .map(|bar| Bar::stored(bucket.time_us, [bar.first, bar.last, bar.min, bar.max], bar.sum(), bar.count))
                .collect();
            merged.merge(bucket.time_us.div_euclid(20) * 20, bucket.series_id, &stored, bucket.weighted);
        }
        let merged = merged.finish();
        let wider = narrow.wider(|_| true, |us| us.div_euclid(20) * 20);
        prop_assert!(merged.iter().map(|b| b.bars[0].sum().to_bits()).eq(wider.iter().map(|b| b.bars[0].sum().to_bits())));
        prop_assert_eq!(narrow.wider(|us| us < 0, |us| us.div_euclid(20) * 20).iter().map(exact).collect::<Vec<_>>(),
            wider.iter().filter(|b| b.time_us < 0).map(exact).collect::<Vec<_>>());
        for other in [&turned, &merged, &wider] {
            prop_assert_eq!(whole.len(), other.len());
            for (a, b) in whole.iter().zip(other.iter()) {
                prop_assert_eq!(exact(a), exact(b));
                let scale = rows.iter().filter_map(|row| row.2).filter(|p| p.is_finite()).map(f64::abs).sum::<f64>();
                let (x, y) = (a.bars[0].sum(), b.bars[0].sum());
                prop_assert!(x == y || (x - y).abs() <= scale * 1e-12 || !scale.is_finite(), "{} {}", x, y);
            }
        }
    }
}

#[test]
fn a_value_without_a_weight_has_none_in_the_weighted_mean() {
    let finished = of_rows(10, &[(0, 1, Some(2.0), Some(3)), (1, 1, Some(100.0), None), (2, 1, None, Some(50))]);
    assert_eq!(finished.get(0).unwrap().weighted, Weighted { product: 6.0, weight: 3.0 });
}
