//! Which buckets of which panels are summed together.

use std::ops::Range;

use super::{
    super::kernel::{sums::TargetSums, tiles::STRETCH},
    Panel,
};

/// Buckets of one panel in which the target has a value.
pub(super) struct Step {
    pub(super) panel: usize,
    /// The first bucket of the panel.
    pub(super) from: usize,
    /// From the first to the last, with those between them in which the target has no value.
    pub(super) len: usize,
    /// Where they are, counted from the first; empty where they follow each other.
    pub(super) at: Vec<usize>,
    /// The target's deviations.
    pub(super) x: Vec<f32>,
    pub(super) sums: TargetSums,
    /// The target's offset, as a deviation from its reference.
    pub(super) offset: f64,
}

/// What is summed in float32 before it goes to float64.
pub(super) enum Stretch {
    /// Of panels whose deviations are from 0, which may go on from panel to panel.
    FromZero(Vec<Step>),
    /// Of a panel with offsets.
    FromOffsets(Step),
}

/// Stretches that belong to the same ranges.
pub(super) struct Segment {
    pub(super) stretches: Vec<Stretch>,
    pub(super) ranges: Vec<usize>,
}

/// What is to be summed.
pub(super) struct Plan {
    pub(super) segments: Vec<Segment>,
    /// What the target's deviations are brought to.
    pub(super) reference: f64,
}

/// Cuts the ranges into segments, these into stretches, and these into steps.
pub(super) fn plan(panels: &[Panel<'_>], target: usize, ranges: &[Range<usize>]) -> Plan {
    let mut cuts: Vec<usize> = ranges.iter().flat_map(|range| [range.start, range.end]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut reference = None;
    let mut segments = Vec::new();
    for cut in cuts.windows(2) {
        let (from, to) = (cut[0], cut[1]);
        let holds = |range: &Range<usize>| range.start <= from && to <= range.end;
        let holding: Vec<usize> = (0..ranges.len()).filter(|range| holds(&ranges[*range])).collect();
        if holding.is_empty() {
            continue;
        }
        let mut stretches = Vec::new();
        let mut first = 0;
        for (index, panel) in panels.iter().enumerate() {
            let within = from.saturating_sub(first)..to.saturating_sub(first).min(panel.buckets);
            for step in steps(index, panel, target, within, &mut reference) {
                add(&mut stretches, step, panel.offsets.is_empty());
            }
            first += panel.buckets;
        }
        segments.push(Segment { stretches, ranges: holding });
    }
    Plan { segments, reference: reference.unwrap_or(0.0) }
}

fn add(stretches: &mut Vec<Stretch>, step: Step, from_zero: bool) {
    if !from_zero {
        stretches.push(Stretch::FromOffsets(step));
        return;
    }
    if let Some(Stretch::FromZero(steps)) = stretches.last_mut() {
        let held: usize = steps.iter().map(|step| step.x.len()).sum();
        if held + step.x.len() <= STRETCH {
            steps.push(step);
            return;
        }
    }
    stretches.push(Stretch::FromZero(vec![step]));
}

/// The steps of a panel.
fn steps(
    index: usize,
    panel: &Panel<'_>,
    target: usize,
    within: Range<usize>,
    reference: &mut Option<f64>,
) -> Vec<Step> {
    let offset = panel.offset(target);
    let there: Vec<(usize, f32)> =
        within.filter_map(|bucket| panel.value(target, bucket).map(|value| (bucket, value))).collect();
    let mut step = |values: &[(usize, f32)]| {
        let (&[(from, _), ..], &[.., (last, _)]) = (values, values) else { return None };
        let len = last + 1 - from;
        let follow_each_other = len == values.len();
        let at = if follow_each_other { Vec::new() } else { values.iter().map(|(bucket, _)| bucket - from).collect() };
        let x: Vec<f32> = values.iter().map(|(_, x)| *x).collect();
        let sums = x.iter().fold(TargetSums::default(), |sums, x| {
            let x = f64::from(*x);
            TargetSums { n: sums.n + 1.0, x: sums.x + x, xx: sums.xx + x * x }
        });
        let offset = offset - *reference.get_or_insert(offset);
        Some(Step { panel: index, from, len, at, x, sums, offset })
    };
    there.chunks(STRETCH).filter_map(&mut step).collect()
}
