//! Fill and transform of one row, in place.

use super::Shape;
use crate::{
    frame::Calendar,
    question::{Grid, Transform},
};

/// What is done to every row.
pub(super) struct RowPlan<'a> {
    /// The start of each raw column.
    pub(super) times_us: &'a [i64],
    /// How old a carried value may be, `None` to carry nothing.
    pub(super) max_age_us: Option<i64>,
    /// The raw columns that are on the grid.
    pub(super) kept: &'a [usize],
    /// Which of the kept columns are neighbours.
    pub(super) neighbours: &'a Neighbours,
    /// What is made of them.
    pub(super) transform: Transform,
}

/// Which column is a column's neighbour.
#[derive(Debug, Clone)]
pub(super) enum Neighbours {
    /// The one before, but for these columns, which have none.
    Before {
        /// Ascending.
        first: Vec<usize>,
    },
    /// The last in which the row has a value, by the numbers of the columns' buckets.
    Own {
        /// One a column.
        ordinals: Vec<i64>,
    },
}

impl Neighbours {
    /// Of the columns that start at these times.
    pub(super) fn new(shape: &Shape, calendar: &Calendar, kept_us: &[i64]) -> Self {
        match (shape.transform, shape.grid) {
            (Transform::Level, _) => Self::Before { first: Vec::new() },
            _ if kept_us.is_empty() => Self::Before { first: Vec::new() },
            (_, Grid::Own) => Self::Own { ordinals: kept_us.iter().map(|start| calendar.ordinal(*start)).collect() },
            (_, Grid::Observed) => Self::Before { first: vec![0] },
            (_, Grid::Regular) => {
                let after_gaps = kept_us.windows(2).enumerate();
                let after_gaps = after_gaps.filter(|(_, pair)| calendar.next(pair[0]) != pair[1]);
                Self::Before { first: std::iter::once(0).chain(after_gaps.map(|(index, _)| index + 1)).collect() }
            }
        }
    }
}

impl RowPlan<'_> {
    /// Whether a row is as it should be already.
    pub(super) fn changes_nothing(&self) -> bool {
        self.max_age_us.is_none() && self.kept.len() == self.times_us.len() && self.transform == Transform::Level
    }

    /// Fills and transforms a row of raw columns; the kept columns end up at its front.
    pub(super) fn apply(&self, row: &mut [f64]) {
        if let Some(max_age_us) = self.max_age_us {
            carry_forward(row, self.times_us, max_age_us);
        }
        if self.kept.len() < row.len() {
            for (to, from) in self.kept.iter().enumerate() {
                row[to] = row[*from];
            }
        }
        let row = &mut row[..self.kept.len()];
        match self.transform {
            Transform::Level => {}
            Transform::Diff => self.neighbours.transform(row, |a, b| b - a),
            Transform::Pct => self.neighbours.transform(row, |a, b| b / a - 1.0),
            Transform::LogReturn => {
                self.neighbours.transform(row, |a, b| if a > 0.0 && b > 0.0 { (b / a).ln() } else { f64::NAN });
            }
        }
    }
}

/// Last observation carried forward: to columns that start at most `max_age_us` after the column of the value.
fn carry_forward(row: &mut [f64], times_us: &[i64], max_age_us: i64) {
    let mut last = None;
    for (value, start_us) in row.iter_mut().zip(times_us) {
        if !value.is_nan() {
            last = Some((*start_us, *value));
        } else if let Some((seen_us, seen)) = last
            && start_us.saturating_sub(seen_us) <= max_age_us
        {
            *value = seen;
        }
    }
}

impl Neighbours {
    /// Replaces every value by what `of` makes of its neighbour's and its own.
    fn transform(&self, row: &mut [f64], of: impl Fn(f64, f64) -> f64) {
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        match self {
            Self::Before { first } => {
                for column in (1..row.len()).rev() {
                    row[column] = finite(of(row[column - 1], row[column]));
                }
                for column in first {
                    row[*column] = f64::NAN;
                }
            }
            Self::Own { ordinals } => {
                let mut last: Option<(i64, f64)> = None;
                for (value, ordinal) in row.iter_mut().zip(ordinals) {
                    if value.is_nan() {
                        continue;
                    }
                    let own = *value;
                    *value = match last {
                        Some((seen, neighbour)) if ordinal - seen <= Grid::MAX_GAP => finite(of(neighbour, own)),
                        _ => f64::NAN,
                    };
                    last = Some((*ordinal, own));
                }
            }
        }
    }
}
