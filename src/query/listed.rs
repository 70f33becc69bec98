//! The series that a question found: its own list, or all of a measurement's as blocks keep them.

use std::sync::Arc;

use super::{AnswerRows, AnswerSeries};
use crate::{block::Roster, hypertable::Measurement, question::Selector, series};

/// The series of an answer, ascending by id.
pub(super) enum Listed {
    /// Those that a selector matched.
    Some(AnswerRows),
    /// All of the measurement, not copied: a hundred thousand have several hundred thousand texts.
    All(Arc<Roster>),
}

impl Listed {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Some(rows) => rows.series.len(),
            Self::All(roster) => roster.selected.series.len(),
        }
    }

    /// Their ids.
    pub(super) fn ids(&self) -> Box<dyn Iterator<Item = i64> + '_> {
        match self {
            Self::Some(rows) => Box::new(rows.series.iter().map(|series| series.series_id)),
            Self::All(roster) => Box::new(roster.selected.series.iter().map(|(id, _)| *id)),
        }
    }

    /// What of a selector none of them has.
    pub(super) fn unmatched(&self, selector: &Selector) -> Vec<String> {
        match self {
            Self::Some(rows) => rows.unmatched(selector),
            // Only a selector that asks for nothing in particular gives all.
            Self::All(_) => Vec::new(),
        }
    }

    /// All of them.
    pub(super) fn into_rows(self) -> AnswerRows {
        match self {
            Self::Some(rows) => rows,
            Self::All(roster) => {
                let selected = &roster.selected;
                let series = (0..selected.series.len()).filter_map(|row| series_of(&roster, row)).collect();
                AnswerRows { tag_names: selected.tag_names.clone(), series, version: selected.version.clone() }
            }
        }
    }

    /// These, in this order.
    pub(super) fn into_some(self, measurement: &Measurement, rows: &[usize]) -> AnswerRows {
        let (tag_names, series): (_, Vec<AnswerSeries>) = match self {
            Self::Some(all) => (all.tag_names, rows.iter().filter_map(|row| all.series.get(*row).cloned()).collect()),
            Self::All(roster) => {
                let series = rows.iter().filter_map(|row| series_of(&roster, *row)).collect();
                (roster.selected.tag_names.clone(), series)
            }
        };
        let version = series::version(measurement, series.iter().map(|series| series.series_id));
        AnswerRows { tag_names, series, version }
    }
}

fn series_of(roster: &Roster, row: usize) -> Option<AnswerSeries> {
    let (series_id, tags) = roster.selected.series.get(row)?;
    Some(AnswerSeries { series_id: *series_id, tags: tags.clone() })
}
