//! One pass over a request's lines: into batches, without keeping the lines. Pure but for what is known of series.
//!
//! Most lines of a feed are of a known series, with the fields of the line before, and are read at a glance. Any other is
//! read whole, and it is only there that a line is found to be wrong: the short way knows no faults, only "not that way".

use hashbrown::HashMap;

use super::{
    IngestError, Refused, RowFault,
    draft::{Draft, Standing, Values, placeholder_of},
    look::Look,
    new_series::Barred,
    refusals::Refusals,
    room::Room,
    row::{Clock, fit},
    service::Core,
};
use crate::{
    protocol::{Glance, Limits, Line, Lines, Precision},
    series::{PartsReader, SeriesParts},
    spool::DecodedLines,
};

/// Measurements of one request.
const MOST_MEASUREMENTS: usize = 2_000;
/// So many lines are read under one look at the known series, and between two looks at the memory.
pub(super) const STRETCH_LINES: usize = 1_024;

/// Where a request's lines come from.
#[derive(Debug)]
pub(super) enum Source<'s, 'b> {
    /// Line protocol.
    Body(Precision),
    /// Lines that somebody else has read.
    Lines(&'s mut [Line<'b>]),
    /// Lines as a spooled request has them, known to be readable.
    Spooled(&'b [u8]),
}

/// A measurement's standing after it has grown, or why it cannot be had.
pub(super) type Settled = HashMap<String, Standing>;

/// What a pass made of a request.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) drafts: Vec<Draft>,
    pub(super) refusals: Refusals,
    /// Lines, the refused ones too.
    pub(super) lines: u64,
    /// Every line that could be read has a time.
    pub(super) all_timed: bool,
    /// Measurements are to be made or to grow: nothing was written into batches, and the pass is to be done again.
    pub(super) must_grow: bool,
}

/// The pass.
#[derive(Debug)]
pub(super) struct Scan<'s> {
    pub(super) core: &'s Core,
    pub(super) namespace: &'s str,
    pub(super) body: &'s [u8],
    pub(super) settled: &'s Settled,
    pub(super) barred: &'s Barred,
    pub(super) clock: Clock,
    pub(super) room: &'s mut Room,
}

/// A part of a line and its series, to be remembered.
type Learned<'b> = Vec<(usize, &'b [u8], i64)>;

impl Scan<'_> {
    /// Reads all lines.
    ///
    /// # Errors
    /// There is no room for what they become.
    pub(super) fn run(self, source: &mut Source<'_, '_>) -> Result<Scanned, IngestError> {
        let mut state = State {
            scanned: Scanned { all_timed: true, ..Scanned::default() },
            by_name: HashMap::new(),
            by_series: HashMap::new(),
            last: None,
            new_series: 0,
            new_series_limit: self.core.quota.left(),
        };
        let Self { core, namespace, body, settled, barred, clock, room } = self;
        let scan = Context { core, namespace, body, settled, barred, clock };
        match source {
            Source::Body(precision) => {
                let mut lines = Lines::new(body, *precision, Limits::default());
                let mut learned = Learned::new();
                loop {
                    let more = state.stretch(&scan, &mut lines, &mut learned);
                    state.teach(&core.parts, &mut learned);
                    room.cover(body.len() + state.bytes())?;
                    if !more {
                        break;
                    }
                }
            }
            Source::Lines(lines) => {
                let kept = lines.len();
                for stretch in lines.chunks_mut(STRETCH_LINES) {
                    for line in stretch {
                        line.sort_tags();
                        state.line(&scan, line);
                    }
                    room.cover_lines(body.len(), kept, state.bytes())?;
                }
            }
            Source::Spooled(bytes) => {
                let mut learned = Learned::new();
                // Whoever read the request from the spool has looked through its lines.
                let Ok(mut lines) = DecodedLines::new(bytes) else { return Ok(state.scanned) };
                loop {
                    let more = state.spooled_stretch(&scan, &mut lines, &mut learned);
                    state.teach(&core.spooled_parts, &mut learned);
                    room.cover(bytes.len() + state.bytes())?;
                    if !more {
                        break;
                    }
                }
            }
        }
        Ok(state.scanned)
    }
}

/// What does not change during a pass.
struct Context<'s> {
    core: &'s Core,
    namespace: &'s str,
    body: &'s [u8],
    settled: &'s Settled,
    barred: &'s Barred,
    clock: Clock,
}

struct State {
    scanned: Scanned,
    by_name: HashMap<String, usize>,
    by_series: HashMap<(i32, i64), usize>,
    /// The draft of the line before, by its measurement and epoch.
    last: Option<((i32, i64), usize)>,
    new_series: u64,
    new_series_limit: u64,
}

impl State {
    /// Reads some lines; false at the end.
    fn stretch<'b>(&mut self, scan: &Context<'b>, lines: &mut Lines<'b>, learned: &mut Learned<'b>) -> bool {
        let known = scan.core.parts.read();
        let mut values = Values::new();
        let mut line = Line::default();
        for _ in 0..STRETCH_LINES {
            let glance = lines.glance();
            if let Some(glance) = &glance
                && self.at_a_glance(scan, &known, glance, &mut values).is_some()
            {
                lines.pass(glance);
                continue;
            }
            let Some(read) = lines.next_into(&mut line) else { return false };
            match read {
                Ok(()) => {
                    line.sort_tags();
                    let series = self.line(scan, &line);
                    // (A glance may have been at a blank line or a comment before this one.)
                    if let (Some((draft, id)), Some(glance)) =
                        (series, glance.filter(|glance| glance.number() == line.number))
                    {
                        self.learn(draft, id, &glance, learned);
                    }
                }
                Err(error) => {
                    self.scanned.lines += 1;
                    self.scanned.refusals.push(error.reason.label(), || Refused::unreadable(&error, scan.body));
                }
            }
        }
        true
    }

    /// Reads some lines of the spool; false at the end.
    fn spooled_stretch<'b>(
        &mut self,
        scan: &Context<'b>,
        lines: &mut DecodedLines<'b>,
        learned: &mut Learned<'b>,
    ) -> bool {
        let known = scan.core.spooled_parts.read();
        let mut values = Values::new();
        for _ in 0..STRETCH_LINES {
            let glance = lines.glance();
            if let Some(glance) = &glance
                && let Some(behind) = self.at_a_glance(scan, &known, glance, &mut values)
            {
                lines.pass(behind);
                continue;
            }
            let Some(Ok(mut line)) = lines.next() else { return false };
            line.sort_tags();
            // A series that is new is learned when it comes again.
            if let (Some((draft, id)), Some(glance)) = (self.line(scan, &line), glance)
                && placeholder_of(id).is_none()
            {
                learned.push((draft, glance.series_part(), id));
            }
        }
        true
    }

    #[inline]
    fn at_a_glance<'b, L: Look<'b>>(
        &mut self,
        scan: &Context<'_>,
        known: &PartsReader<'_>,
        glance: &L,
        values: &mut Values<'b>,
    ) -> Option<L::Read> {
        if self.scanned.must_grow {
            return None;
        }
        let series = known.get(scan.namespace, glance.series_part())?;
        let owner = (series.measurement, series.epoch);
        let at = match self.last {
            Some((last, at)) if last == owner => at,
            _ => *self.by_series.get(&owner)?,
        };
        self.last = Some((owner, at));
        let draft = &mut self.scanned.drafts[at];
        values.clear();
        draft.begin_row();
        let (given_us, read) = glance.read(|name, value| draft.enter(name, &value, values))?;
        let time_us = scan.clock.time_of(given_us).ok()?;
        let retention_us = draft.measurement().and_then(|measurement| measurement.retention_us);
        if scan.clock.expired_s(time_us, retention_us).is_some() {
            return None;
        }
        draft.batch.push_row(time_us, series.series_id, values).ok()?;
        draft.lines.push(glance.number());
        self.scanned.lines += 1;
        self.scanned.all_timed &= given_us.is_some();
        Some(read)
    }

    /// Enters a line that was read whole, with its tags sorted; its draft and its series, if it became a row.
    fn line(&mut self, scan: &Context<'_>, line: &Line<'_>) -> Option<(usize, i64)> {
        self.scanned.lines += 1;
        self.scanned.all_timed &= line.time_us.is_some();
        let at = match self.draft(scan, &line.measurement) {
            Ok(at) => at,
            Err(fault) => return self.refuse(scan, line, &fault, &line.measurement),
        };
        let limits = scan.core.growth.limits();
        let draft = &mut self.scanned.drafts[at];
        if draft.want(line, limits) {
            self.scanned.must_grow = true;
        }
        if let Standing::Refused(fault) = &draft.standing {
            let fault = fault.clone();
            return self.refuse(scan, line, &fault, &line.measurement);
        }
        if self.scanned.must_grow {
            return None;
        }
        let measurement = draft.measurement()?.clone();
        let row = match fit(line, &measurement, limits, scan.clock) {
            Ok(row) => row,
            Err((fault, about)) => return self.refuse(scan, line, &fault, about),
        };
        if !draft.knows(row.key) {
            if let Some(verdict) = scan.barred.reason(&draft.name, row.key) {
                return self.refuse(scan, line, &RowFault::Series(verdict.to_string()), &line.measurement);
            }
            if self.new_series == self.new_series_limit {
                let fault = RowFault::TooManyNewSeries(scan.core.quota.limit());
                return self.refuse(scan, line, &fault, &line.measurement);
            }
            self.new_series += 1;
        }
        let series_id = draft.series(row.key, line);
        match draft.push(line.number, &row, series_id) {
            Ok(()) => Some((at, series_id)),
            Err(error) => self.refuse(scan, line, &RowFault::Row(error), ""),
        }
    }

    /// The draft of a measurement.
    fn draft(&mut self, scan: &Context<'_>, name: &str) -> Result<usize, RowFault> {
        if let Some(&at) = self.by_name.get(name) {
            return Ok(at);
        }
        let at = self.scanned.drafts.len();
        if at == MOST_MEASUREMENTS {
            return Err(RowFault::TooManyMeasurements(at));
        }
        let standing = match scan.settled.get(name) {
            Some(settled) => settled.clone(),
            None => match scan.core.growth.catalog().get(scan.namespace, name) {
                Some(known) => Standing::Known(known),
                None => Standing::New,
            },
        };
        let ids = match &standing {
            Standing::Known(measurement) | Standing::Grown(measurement) => {
                self.by_series.insert((measurement.id, measurement.epoch), at);
                scan.core.ids.of(measurement)
            }
            Standing::New | Standing::Refused(_) => crate::series::MeasurementIds::default(),
        };
        self.scanned.drafts.push(Draft::new(name.to_owned(), standing, ids));
        self.by_name.insert(name.to_owned(), at);
        Ok(at)
    }

    fn refuse(&mut self, scan: &Context<'_>, line: &Line<'_>, fault: &RowFault, about: &str) -> Option<(usize, i64)> {
        self.scanned.refusals.push(fault.class(), || Refused::unfit_line(line, scan.body, fault, about));
        None
    }

    fn learn<'b>(&mut self, draft: usize, series_id: i64, glance: &Glance<'b>, learned: &mut Learned<'b>) {
        match placeholder_of(series_id) {
            None => learned.push((draft, glance.series_part(), series_id)),
            Some(new) => {
                let start = glance.bytes().start;
                self.scanned.drafts[draft].note_part(new, start..start + glance.series_part().len());
            }
        }
    }

    fn teach(&mut self, parts: &SeriesParts, learned: &mut Learned<'_>) {
        for same in learned.chunk_by(|a, b| a.0 == b.0) {
            if let Some(measurement) = same.first().and_then(|(draft, ..)| self.scanned.drafts[*draft].measurement()) {
                parts.put(measurement, same.iter().map(|(_, part, id)| (*part, *id)));
            }
        }
        learned.clear();
    }

    fn bytes(&self) -> usize {
        let drafts: usize = self.scanned.drafts.iter().map(Draft::bytes).sum();
        drafts + self.scanned.refusals.bytes()
    }
}
