//! What panels are made into, against the frame of all time at once.

use std::sync::Arc;

use chrono_tz::Tz;
use ndarray::{Array2, s};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    derive::{Earlier, Recipe},
    panel::{Base, Compute, LANES},
};
use crate::{
    frame::{Calendar, Frame, Shape, Shaper, assemble},
    question::{Fill, Grid, Transform, Width},
};

const BUCKET_US: i64 = 60 * Width::SECOND_US;

fn shapes() -> impl Strategy<Value = Shape> {
    let grid = prop::sample::select(vec![Grid::Observed, Grid::Regular, Grid::Own]);
    let fill = prop_oneof![
        Just(Fill::None),
        (1..40_i64).prop_map(|buckets| Fill::Locf { max_age: Width::Fixed(buckets * BUCKET_US) })
    ];
    let transform = prop::sample::select(vec![Transform::Level, Transform::Diff, Transform::Pct, Transform::LogReturn]);
    (grid, fill, transform).prop_map(|(grid, fill, transform)| Shape { grid, fill, transform })
}

/// Values of some series, with buckets in which none has one.
fn values() -> impl Strategy<Value = Array2<f64>> {
    (1..40_usize, 2..120_usize).prop_flat_map(|(series, buckets)| {
        let quiet = prop::collection::vec(prop::bool::weighted(0.2), buckets);
        let cells = prop::collection::vec((-2.0..50.0_f64, prop::bool::weighted(0.3)), series * buckets);
        (quiet, cells).prop_map(move |(quiet, cells)| {
            Array2::from_shape_fn((series, buckets), |(row, bucket)| {
                let (value, missing) = cells[row * buckets + bucket];
                if missing || quiet[bucket] { f64::NAN } else { value }
            })
        })
    })
}

fn observed(values: &Array2<f64>) -> Vec<bool> {
    values.columns().into_iter().map(|column| column.iter().any(|value| !value.is_nan())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_panel_is_its_part_of_the_whole_frame(values in values(), shape in shapes(), cut in 0..120_usize) {
        let (series, buckets) = values.dim();
        let cut = cut % buckets;
        let calendar = Calendar::new(Width::Fixed(BUCKET_US), Tz::UTC);
        let times_us: Vec<i64> = (0..).step_by(60_000_000).take(buckets).collect();
        let on_grid = observed(&values);
        let raw = Frame { times_us: times_us.clone(), values: values.clone() };
        let whole = assemble(raw, &on_grid, &shape, &calendar, i64::MIN);

        let before = Arc::new(Base::new(values.slice(s![.., ..cut]), on_grid[..cut].to_vec()));
        let base = Arc::new(Base::new(values.slice(s![.., cut..]), on_grid[cut..].to_vec()));
        let earlier = |bucket| Earlier { panel: Arc::clone(&before), bucket, start_us: times_us[bucket] };
        let history = (0..cut).map(earlier).collect();
        let shaper = Shaper::new(times_us.clone(), &on_grid, &shape, &calendar);
        let recipe = Recipe { base, history, shaper };
        let compute = recipe.derive();
        let view = compute.view();
        let (mut row, mut own) = (Vec::new(), vec![0.0; buckets - cut]);
        for place in 0..series {
            recipe.values(place, &mut row, &mut own);
            for (bucket, value) in own.iter().enumerate() {
                let column = whole.times_us.binary_search(&times_us[cut + bucket]).ok();
                let expected = column.map_or(f64::NAN, |column| whole.values[(place, column)]);
                prop_assert!(*value == expected || (value.is_nan() && expected.is_nan()), "{value} {expected}");
                let (tile, lane) = (place / LANES, place % LANES);
                let at = tile * (buckets - cut) + bucket;
                let there = view.present.get(at).map_or(view.full[tile], |bits| bits >> lane & 1 == 1);
                prop_assert_eq!(there, !value.is_nan());
                if there {
                    let offset = view.offsets.get(tile).map_or(0.0, |offsets| offsets[lane]);
                    let close = 1e-6 * (value.abs() + offset.abs()).max(1.0);
                    let near = (offset + f64::from(view.values[at][lane]) - value).abs() <= close;
                    prop_assert!(near || view.wild[tile] >> lane & 1 == 1);
                } else {
                    prop_assert_eq!(view.values.get(at).map_or(0.0, |values| values[lane]), 0.0);
                }
            }
        }
    }

    #[test]
    fn buckets_that_were_read_again_take_the_place_of_the_old_ones(
        values in values(), newer in values(), first in 0..120_usize,
    ) {
        let buckets = values.ncols();
        let first = first % buckets;
        let replaced = (buckets - first).min(newer.ncols());
        // Series only ever come to it.
        let series = values.nrows().max(newer.nrows());
        let mut part = Array2::from_elem((series, replaced), f64::NAN);
        part.slice_mut(s![..newer.nrows(), ..]).assign(&newer.slice(s![.., ..replaced]));
        let old = Base::new(values.view(), observed(&values));
        let whole = old.with(first, &Base::new(part.view(), observed(&part)));
        for place in 0..series {
            for bucket in 0..buckets {
                let expected = if (first..first + replaced).contains(&bucket) {
                    part[(place, bucket - first)]
                } else {
                    values.get((place, bucket)).copied().unwrap_or(f64::NAN)
                };
                let got = whole.value(place, bucket);
                prop_assert!(got == expected || (got.is_nan() && expected.is_nan()));
            }
        }
        prop_assert_eq!(&whole.valued, &whole.observed);
    }
}

fn derived(values: &Array2<f64>, transform: Transform) -> Compute {
    let calendar = Calendar::new(Width::Fixed(BUCKET_US), Tz::UTC);
    let buckets = values.ncols();
    let times_us: Vec<i64> = (0..).step_by(60_000_000).take(buckets).collect();
    let shape = Shape { grid: Grid::Observed, fill: Fill::None, transform };
    let base = Arc::new(Base::new(values.view(), vec![true; buckets]));
    let shaper = Shaper::new(times_us, &vec![true; buckets], &shape, &calendar);
    Recipe { base, history: Vec::new(), shaper }.derive()
}

#[test]
fn few_changes_get_no_offsets_by_chance_and_few_levels_do() {
    let mut random = StdRng::seed_from_u64(5);
    // Of the first bucket there is no change: so many are left.
    for changes in 1..12 {
        let mut near = Array2::from_shape_simple_fn((3_000, changes + 1), || random.random_range(-1.0..1.0));
        assert!(derived(&near, Transform::Diff).offsets.is_empty(), "{changes} changes");
        near += 5.0;
        assert!(!derived(&near, Transform::Level).offsets.is_empty(), "{changes} levels");
    }
}

#[test]
fn levels_get_offsets_and_changes_do_not() {
    let values = Array2::from_shape_fn((20, 32), |(row, bucket)| 100.0 + ((row * 7 + bucket * 13) % 11) as f64);
    let derive = |transform| derived(&values, transform);
    let level = derive(Transform::Level);
    assert_eq!((level.offsets.len(), level.full.as_slice()), (2, [true, false].as_slice()));
    assert!(level.values.iter().flatten().all(|deviation| deviation.abs() < 11.0));
    assert!(derive(Transform::Diff).offsets.is_empty());
}
