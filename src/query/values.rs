//! The values that were found for a question, and the frame that is made of them.

use std::sync::Arc;

use ndarray::Array2;
use tokio::time::Instant;

use super::{Receipt, blocks::FromPanels, kept::KeptRows, reading::ms};
use crate::{
    frame::{Calendar, Frame, Shape, assemble},
    question::Grid,
    window::{Plan, Reading},
};

/// The values of a question's series, not yet computed with.
pub(super) enum Values {
    /// Rows, for a frame.
    Rows(Unaligned),
    /// What blocks have, for a frame.
    Kept(KeptRows),
    /// Blocks.
    Panels(FromPanels),
}

/// What was read, not yet aligned.
pub(super) struct Unaligned {
    pub(super) reading: Reading,
    /// For each column whether it is known to be observed, besides what was read.
    pub(super) observed: Vec<bool>,
    pub(super) plan: Arc<Plan>,
    pub(super) calendar: Calendar,
    pub(super) shape: Shape,
}

impl Values {
    /// The frame of them; `None` for correlations' own values. Takes long for many cells.
    pub(super) fn align(self, receipt: &mut Receipt) -> Option<Frame> {
        self.align_all(receipt).map(|(frame, _)| frame)
    }

    /// The same, and the values of the further aggregates, in the same shape.
    pub(super) fn align_all(self, receipt: &mut Receipt) -> Option<(Frame, Vec<Array2<f64>>)> {
        match self {
            Self::Rows(rows) => rows.align(receipt),
            Self::Kept(rows) => Some((rows.align(receipt), Vec::new())),
            Self::Panels(_) => None,
        }
    }
}

impl Unaligned {
    /// Makes the frame, and the values of the further aggregates. Takes long for many cells.
    fn align(self, receipt: &mut Receipt) -> Option<(Frame, Vec<Array2<f64>>)> {
        let began = Instant::now();
        let Self { reading, mut observed, plan, calendar, shape } = self;
        if shape.grid == Grid::Observed {
            let seen = reading.observed();
            for ((observed, seen), of_others) in observed.iter_mut().zip(seen).zip(reading.seen_of_others) {
                *observed |= seen | of_others;
            }
        }
        let keep_from_us = plan.spans.first().map_or(i64::MAX, |span| span.from_us);
        let mut frames = reading.accumulators.into_iter().map(|accumulator| {
            let raw = Frame { times_us: plan.times_us(), values: accumulator.finish() };
            assemble(raw, &observed, &shape, &calendar, keep_from_us)
        });
        let frame = frames.next()?;
        let also = frames.map(|frame| frame.values).collect();
        receipt.ms.align = ms(began.elapsed());
        Some((frame, also))
    }
}
