//! The panels of one question: what correlations and frames take from them.

use std::{ops::Range, sync::Arc};

use super::{derive::Recipe, panel::Compute};
use crate::{correlation::Panel, window::Span};

/// The panels of a question, in order of time; they stay as they are whatever happens to blocks.
#[derive(Debug)]
pub struct Panels {
    pub(super) recipes: Vec<(Span, Arc<Recipe>)>,
    /// None where there is so little that it is computed in float64.
    pub(super) computes: Option<Vec<Arc<Compute>>>,
    pub(super) width_us: i64,
    /// What they cost.
    pub cost: Cost,
}

/// What was read to have panels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows that came from the database.
    pub rows_read: u64,
    /// Bytes of them.
    pub bytes_read: u64,
    /// Chunks that the question's time overlaps, and those before that its first buckets depend on.
    pub chunks: u64,
    /// Of these, the ones of which something was read.
    pub chunks_read: u64,
}

impl Panels {
    /// As correlations take them in float32; `None` where there are so few values that float64 is as good.
    #[must_use]
    pub fn views(&self) -> Option<Vec<Panel<'_>>> {
        let computes = self.computes.as_ref()?;
        Some(computes.iter().map(|compute| compute.view()).collect())
    }

    /// The buckets that are on the grid, counted through all panels, ascending.
    #[must_use]
    pub fn on_grid(&self) -> Vec<usize> {
        let mut on_grid = Vec::new();
        let mut first = 0;
        for (_, recipe) in &self.recipes {
            on_grid.extend(recipe.on_grid().map(|bucket| first + bucket));
            first += recipe.base.buckets;
        }
        on_grid
    }

    /// How many buckets start before a time.
    #[must_use]
    pub fn buckets_before(&self, us: i64) -> usize {
        let of = |span: &Span| {
            let us = us.clamp(span.from_us, span.to_us) - span.from_us;
            usize::try_from(us / self.width_us + i64::from(us % self.width_us != 0)).unwrap_or(0)
        };
        self.recipes.iter().map(|(span, _)| of(span)).sum()
    }

    /// When each bucket starts, counted through all panels: microseconds since 1970 UTC.
    #[must_use]
    pub fn starts_us(&self) -> Vec<i64> {
        let step = usize::try_from(self.width_us).unwrap_or(usize::MAX);
        self.recipes.iter().flat_map(|(span, _)| (span.from_us..span.to_us).step_by(step)).collect()
    }

    /// The values of a series in some buckets, counted through all panels, in float64, missing = NaN.
    #[must_use]
    pub fn row(&self, place: usize, columns: Range<usize>) -> Vec<f64> {
        let (mut row, mut own, mut buffer) = (Vec::with_capacity(columns.len()), Vec::new(), Vec::new());
        let mut first = 0;
        for (_, recipe) in &self.recipes {
            let end = first + recipe.base.buckets;
            let within = columns.start.max(first)..columns.end.min(end);
            if !within.is_empty() {
                own.resize(recipe.base.buckets, f64::NAN);
                recipe.values(place, &mut buffer, &mut own);
                row.extend_from_slice(&own[within.start - first..within.end - first]);
            }
            first = end;
        }
        row
    }
}
