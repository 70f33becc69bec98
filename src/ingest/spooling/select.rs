//! Which lines of a request are worth keeping. What the database alone knows is found out later.

use super::super::{
    IngestError, Refused, RowFault,
    refusals::Refusals,
    row::{Clock, fit},
    scan::{STRETCH_LINES, Source},
    service::{Core, Work},
};
use crate::{
    hypertable::check_name,
    protocol::{self, Line},
    spool::encode_lines,
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

/// # Errors
/// There is no room for the lines.
pub(super) fn select(core: &Core, work: &mut Work<'_, '_>, clock: Clock) -> Result<Selection, IngestError> {
    let mut selection =
        Selection { bytes: Vec::new(), good: 0, refusals: Refusals::default(), read: 0, all_timed: true };
    let Work { room, namespace, source, body, unreadable, .. } = work;
    let check = Check { core, namespace, body, clock };
    match source {
        Source::Body(precision) => {
            let mut good = Vec::new();
            for line in protocol::parse(body, *precision) {
                match line {
                    Ok(line) => good.extend(selection.check(&check, line)),
                    Err(error) => {
                        selection.read += 1;
                        selection.refusals.push(error.reason.label(), || Refused::unreadable(&error, body));
                    }
                }
                if !good.is_empty() && good.len().is_multiple_of(STRETCH_LINES) {
                    room.cover_lines(body.len(), good.len(), 0)?;
                }
            }
            selection.keep(&good)?;
        }
        // It is in a spool already.
        Source::Spooled(_) => return Err(IngestError::Unavailable(None)),
        Source::Lines(lines) => {
            // Those that are kept already, and a copy of each.
            room.cover_lines(body.len(), 2 * lines.len(), 0)?;
            let good: Vec<_> = lines.iter().filter_map(|line| selection.check(&check, line.clone())).collect();
            selection.keep(&good)?;
        }
    }
    for refused in &*unreadable {
        selection.read += 1;
        selection.refusals.push("syntax", || refused.clone());
    }
    Ok(selection)
}

impl Selection {
    fn check<'l>(&mut self, check: &Check<'_>, mut line: Line<'l>) -> Option<Line<'l>> {
        self.read += 1;
        self.all_timed &= line.time_us.is_some();
        line.sort_tags();
        if let Some((fault, about)) = check.misfit(&line) {
            self.refusals.push(fault.class(), || Refused::unfit_line(&line, check.body, &fault, about));
            return None;
        }
        // The moment of its replay would be a wrong one.
        line.time_us.get_or_insert(check.clock.now_us);
        Some(line)
    }

    fn keep(&mut self, good: &[Line<'_>]) -> Result<(), IngestError> {
        self.good = good.len() as u64;
        encode_lines(good, &mut self.bytes).map_err(|error| {
            tracing::error!(error = %error, "a request could not be spooled by a defect");
            IngestError::Unavailable(None)
        })
    }
}

/// What lines are checked against.
struct Check<'w> {
    core: &'w Core,
    namespace: &'w str,
    body: &'w [u8],
    clock: Clock,
}

impl Check<'_> {
    /// Why a line can never be written, as far as that is known without the database.
    fn misfit<'l>(&self, line: &'l Line<'_>) -> Option<(RowFault, &'l str)> {
        let Self { core, namespace, body: _, clock } = self;
        let Some(known) = core.growth.catalog().get(namespace, &line.measurement) else {
            let named = check_name(&line.measurement).map_err(|error| (RowFault::Name(error), &*line.measurement));
            let timed = clock.time_of(line.time_us).map_err(|ahead_s| (RowFault::TooFarAhead { ahead_s }, ""));
            return named.and(timed.map(drop)).err();
        };
        match fit(line, &known, core.growth.limits(), *clock) {
            // What the measurement lacks it may get.
            Ok(_) | Err((RowFault::TooManyFields(..) | RowFault::TooManyTags(..), _)) => None,
            Err(misfit) => Some(misfit),
        }
    }
}
