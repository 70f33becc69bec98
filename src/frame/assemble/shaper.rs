//! Fill and transform row by row, for whoever holds no frame of all rows.

use super::{
    Shape, positions,
    row::{Neighbours, RowPlan},
};
use crate::{
    frame::Calendar,
    question::{Grid, Transform},
};

/// Makes of a row of raw columns what [`assemble`](super::assemble) makes of it.
#[derive(Debug, Clone)]
pub struct Shaper {
    times_us: Vec<i64>,
    max_age_us: Option<i64>,
    kept: Vec<usize>,
    neighbours: Neighbours,
    transform: Transform,
}

impl Shaper {
    /// What is made of neighbours.
    #[must_use]
    pub fn transform(&self) -> Transform {
        self.transform
    }

    /// For rows whose columns start at these times. `on_grid[c]` says whether column `c` is on the grid: whether any series
    /// of the measurement (`observed`) or any of those asked for (`own`) has the field in it; `regular` does not look at it.
    ///
    /// # Panics
    /// If `on_grid` is not as long as `times_us`.
    #[must_use]
    pub fn new(times_us: Vec<i64>, on_grid: &[bool], shape: &Shape, calendar: &Calendar) -> Self {
        assert_eq!(times_us.len(), on_grid.len(), "every column is on the grid or not");
        let kept = match shape.grid {
            Grid::Observed | Grid::Own => positions(on_grid),
            Grid::Regular => (0..times_us.len()).collect(),
        };
        let kept_us: Vec<i64> = kept.iter().map(|column| times_us[*column]).collect();
        let neighbours = Neighbours::new(shape, calendar, &kept_us);
        Self { times_us, max_age_us: shape.max_age_us(), kept, neighbours, transform: shape.transform }
    }

    /// The columns on the grid, ascending.
    #[must_use]
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// Fills and transforms a row in place; its columns on the grid end up at the front.
    ///
    /// # Panics
    /// If the row has not as many columns as there are times.
    pub fn apply(&self, row: &mut [f64]) {
        assert_eq!(row.len(), self.times_us.len(), "every column has a time");
        let plan = RowPlan {
            times_us: &self.times_us,
            max_age_us: self.max_age_us,
            kept: &self.kept,
            neighbours: &self.neighbours,
            transform: self.transform,
        };
        plan.apply(row);
    }
}
