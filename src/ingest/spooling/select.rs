//! Which lines of a request are worth keeping. What the database alone knows is found out later.

use super::super::{
    Refused, RowFault,
    refusals::Refusals,
    row::{Clock, fit},
    scan::Source,
    service::{Core, Work},
};
use crate::{
    hypertable::check_name,
    protocol::{self, Line},
    spool::{Untimed, encode_lines},
};

/// A request's lines, told apart.
#[derive(Debug)]
pub(super) struct Selection {
    /// The good lines, each with a time, as the spool keeps them.
    pub(super) bytes: Vec<u8>,
    /// How many they are.
    pub(super) good: u64,
    pub(super) refusals: Refusals,
    /// Lines, the refused ones too.
    pub(super) read: u64,
    /// Every line that could be read had a time.
    pub(super) all_timed: bool,
}

pub(super) fn select(core: &Core, work: &Work<'_, '_>, clock: Clock) -> Result<Selection, Untimed> {
    let mut selection =
        Selection { bytes: Vec::new(), good: 0, refusals: Refusals::default(), read: 0, all_timed: true };
    match &work.source {
        Source::Body(precision) => {
            let mut good = Vec::new();
            for line in protocol::parse(work.body, *precision) {
                match line {
                    Ok(line) => good.extend(selection.check(core, work, clock, line)),
                    Err(error) => {
                        selection.read += 1;
                        selection.refusals.push("syntax", || Refused::unreadable(&error, work.body));
                    }
                }
            }
            selection.keep(&good)?;
        }
        Source::Lines(lines) => {
            let good: Vec<_> =
                lines.iter().filter_map(|line| selection.check(core, work, clock, line.clone())).collect();
            selection.keep(&good)?;
        }
    }
    for refused in &work.unreadable {
        selection.read += 1;
        selection.refusals.push("syntax", || refused.clone());
    }
    Ok(selection)
}

impl Selection {
    fn check<'l>(&mut self, core: &Core, work: &Work<'_, '_>, clock: Clock, mut line: Line<'l>) -> Option<Line<'l>> {
        self.read += 1;
        self.all_timed &= line.time_us.is_some();
        line.sort_tags();
        if let Some((fault, about)) = misfit(core, work.namespace, &line, clock) {
            self.refusals.push(fault.class(), || Refused::unfit_line(&line, work.body, &fault, about));
            return None;
        }
        // The moment of its replay would be a wrong one.
        line.time_us.get_or_insert(clock.now_us);
        Some(line)
    }

    fn keep(&mut self, good: &[Line<'_>]) -> Result<(), Untimed> {
        self.good = good.len() as u64;
        encode_lines(good, &mut self.bytes)
    }
}

/// Why a line can never be written, as far as that is known without the database.
fn misfit<'l>(core: &Core, namespace: &str, line: &'l Line<'_>, clock: Clock) -> Option<(RowFault, &'l str)> {
    let Some(known) = core.growth.catalog().get(namespace, &line.measurement) else {
        let named = check_name(&line.measurement).map_err(|error| (RowFault::Name(error), &*line.measurement));
        let timed = clock.time_of(line.time_us).map_err(|ahead_s| (RowFault::TooFarAhead { ahead_s }, ""));
        return named.and(timed.map(drop)).err();
    };
    match fit(line, &known, core.growth.limits(), clock) {
        // What the measurement lacks it may get.
        Ok(_) | Err((RowFault::TooManyFields(..) | RowFault::TooManyTags(..), _)) => None,
        Err(misfit) => Some(misfit),
    }
}
