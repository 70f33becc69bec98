//! Panels of values that are in no database, for who measures what correlations cost alone.

use std::ops::Range;

use chrono_tz::Tz;
use ndarray::Array2;

use super::{
    derive::Recipe,
    layout::Layout,
    panel::{Base, Compute},
};
use crate::{
    correlation::Panel,
    frame::{Calendar, Shape, Shaper},
    hypertable::Chunk,
    question::{Fill, Grid, Transform, Width},
    window::Span,
};

const WIDTH_US: i64 = 60 * Width::SECOND_US;
const WIDTH: Width = Width::Fixed(WIDTH_US);
/// What is given is computed with as it is.
const AS_IT_IS: Shape = Shape { grid: Grid::Regular, fill: Fill::None, transform: Transform::Level };

/// Compute panels that were cut and derived as those of a measurement are, and belong to none.
#[derive(Debug)]
pub struct LoosePanels(Vec<Compute>);

impl LoosePanels {
    /// Panels of `series` series over `buckets` buckets, in chunks of `chunk_buckets`. `values` is asked for the values of
    /// consecutive stretches of buckets: a row a series, a column a bucket, missing = NaN. Base panels are held one by one.
    ///
    /// # Panics
    /// If `values` gives an array of another shape.
    #[must_use]
    pub fn derive(
        series: usize,
        buckets: usize,
        chunk_buckets: usize,
        mut values: impl FnMut(Range<usize>) -> Array2<f64>,
    ) -> Self {
        let calendar = Calendar::new(WIDTH, Tz::UTC);
        let us = |bucket: usize| WIDTH_US.saturating_mul(i64::try_from(bucket).unwrap_or(i64::MAX));
        let chunks: Vec<Chunk> = (0..)
            .zip((0..buckets).step_by(chunk_buckets.max(1)))
            .map(|(id, from)| Chunk { id, from_us: us(from), to_us: us(buckets.min(from + chunk_buckets.max(1))) })
            .collect();
        let Some(layout) = Layout::new(&chunks, WIDTH, &calendar, series) else { return Self(Vec::new()) };
        let mut first = 0;
        let panel = |place: super::layout::Place| {
            let within = first..first + layout.buckets(place.span);
            first = within.end;
            let own = values(within.clone());
            assert_eq!(own.dim(), (series, within.len()), "a row a series, a column a bucket");
            let on_grid = vec![true; within.len()];
            let shaper = Shaper::new(within.map(us).collect(), &on_grid, &AS_IT_IS, &calendar);
            let base = Base::new(own.view(), on_grid).into();
            drop(own);
            Recipe { base, history: Vec::new(), shaper }.derive()
        };
        Self(layout.panels(&[Span { from_us: 0, to_us: us(buckets) }]).into_iter().map(panel).collect())
    }

    /// The most memory that [`derive`](Self::derive) takes, with the panels that it gives.
    #[must_use]
    pub fn most_bytes(series: usize, buckets: usize) -> u64 {
        let series = series.next_multiple_of(Panel::LANES) as u64;
        // A value and its bit.
        let kept = |buckets: u64| {
            let values = series.saturating_mul(buckets);
            values.saturating_mul(4).saturating_add(values / 8)
        };
        // Of a panel under way, its values come twice as float64.
        let panel = Layout::panel_buckets(usize::try_from(series).unwrap_or(usize::MAX)).min(buckets) as u64;
        kept(buckets as u64).saturating_add(series.saturating_mul(panel).saturating_mul(16)).saturating_add(kept(panel))
    }

    /// As correlations take them.
    #[must_use]
    pub fn views(&self) -> Vec<Panel<'_>> {
        self.0.iter().map(Compute::view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        correlation::{one_vs_all, one_vs_panels},
        question::Method,
    };

    #[test]
    fn they_are_cut_at_chunks_and_give_what_the_values_give() {
        let (series, buckets) = (40, 23);
        let all = Array2::from_shape_fn((series, buckets), |(row, column)| {
            let missing = row % 3 == 1 && column % 7 == 2;
            if missing { f64::NAN } else { ((row * 31 + column * 17) % 29) as f64 - 14.0 }
        });
        let mut asked = Vec::new();
        let panels = LoosePanels::derive(series, buckets, 5, |within| {
            asked.push(within.clone());
            all.slice(ndarray::s![.., within]).to_owned()
        });
        assert_eq!(asked, [0..5, 5..10, 10..15, 15..20, 20..23]);
        let ranges = [0..buckets, 3..17];
        let found = one_vs_panels(&panels.views(), 2, series, &ranges, 3);
        let expected = one_vs_all(all.row(2), all.view(), &ranges, Method::Pearson, 3);
        assert_eq!(found.n, expected.n);
        assert!(found.doubtful.is_empty());
        for (found, expected) in found.r.iter().zip(&expected.r) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    #[test]
    fn a_long_chunk_has_the_usual_panels_and_memory_is_that_of_its_values() {
        let lengths = |series| -> Vec<usize> {
            let panels = LoosePanels::derive(series, 130, 130, |within| Array2::zeros((series, within.len())));
            panels.views().iter().map(|panel| panel.buckets).collect()
        };
        assert_eq!(lengths(9_000), [64, 64, 2]);
        assert_eq!(lengths(3), [130]);
        assert!(LoosePanels::derive(3, 0, 5, |_| Array2::zeros((3, 0))).views().is_empty());
        let bytes = LoosePanels::most_bytes(100_000, 2_000);
        assert!((825_000_000..960_000_000).contains(&bytes), "{bytes}");
    }
}
