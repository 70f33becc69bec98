//! Which series come first.

use std::cmp::Ordering;

use ndarray::ArrayView2;

use crate::question::{Order, RankBy};

/// The `top` series of an r of (ranges, series), best first, as columns of `r`; `exclude` is left out.
///
/// A series' score is |r|, r or -r, of one range or the greatest over all of them. Series without a score, undefined in
/// the range or in all ranges, come last; equal scores go by column. O(series) but for sorting the `top`.
///
/// # Panics
/// If `rank_by` names a range that `r` has not.
#[must_use]
pub fn rank(r: ArrayView2<'_, f64>, order: Order, rank_by: RankBy, top: usize, exclude: Option<usize>) -> Vec<usize> {
    let score = |r: f64| match order {
        Order::Abs => r.abs(),
        Order::Desc => r,
        Order::Asc => -r,
    };
    // `max` passes over NaN, and every score is above minus infinity; adding 0 makes -0 equal to 0.
    let best = |column: usize| match rank_by {
        RankBy::Max => r.column(column).iter().fold(f64::NEG_INFINITY, |best, r| best.max(score(*r))),
        RankBy::Range(range) => f64::NEG_INFINITY.max(score(r[(range, column)])),
    } + 0.0;
    let mut scored: Vec<(f64, usize)> =
        (0..r.ncols()).filter(|column| Some(*column) != exclude).map(|column| (best(column), column)).collect();

    let best_first = |a: &(f64, usize), b: &(f64, usize)| -> Ordering { b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)) };
    if top < scored.len() {
        scored.select_nth_unstable_by(top, best_first);
        scored.truncate(top);
    }
    scored.sort_unstable_by(best_first);
    scored.into_iter().map(|(_, column)| column).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn series_are_ranked_by_the_score_asked_for() {
        let r = array![[0.5, -0.9, NAN, 0.1, NAN], [0.6, 0.0, 0.3, NAN, NAN]];
        assert_eq!(rank(r.view(), Order::Abs, RankBy::Max, 9, None), [1, 0, 2, 3, 4]);
        assert_eq!(rank(r.view(), Order::Desc, RankBy::Max, 9, None), [0, 2, 3, 1, 4]);
        assert_eq!(rank(r.view(), Order::Asc, RankBy::Max, 2, None), [1, 3]);
        assert_eq!(rank(r.view(), Order::Abs, RankBy::Range(0), 9, None), [1, 0, 3, 2, 4]);
        assert_eq!(rank(r.view(), Order::Abs, RankBy::Range(1), 2, Some(0)), [2, 1]);
        assert_eq!(rank(r.view(), Order::Abs, RankBy::Max, 0, None), [0_usize; 0]);
    }

    proptest! {
        #[test]
        fn the_top_is_the_beginning_of_the_whole_ranking(
            scores in prop::collection::vec(prop_oneof![-3..4_i32, Just(9)], 0..60),
            top in 0..70_usize,
        ) {
            let r = scores.iter().map(|score| if *score == 9 { NAN } else { -f64::from(*score) / 3.0 });
            let r: Vec<f64> = r.collect();
            let r = Array2::from_shape_vec((1, r.len()), r).unwrap();
            let mut whole: Vec<usize> = (0..r.ncols()).collect();
            whole.sort_by(|a, b| match (r[(0, *a)], r[(0, *b)]) {
                (a, b) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
                (a, b) => b.abs().partial_cmp(&a.abs()).unwrap(),
            });
            whole.truncate(top);
            prop_assert_eq!(rank(r.view(), Order::Abs, RankBy::Range(0), top, None), whole);
        }
    }
}
