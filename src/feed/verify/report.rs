//! What was found.

use serde::Serialize;

use crate::feed::journal::{Outcome, Recorded};

/// So many faults are shown; all are counted.
const SHOWN: usize = 20;

/// Whether a feed's promises were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They were.
    Kept,
    /// They were not.
    Broken,
}

/// A row that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// `lost`, `twice`, `phantom`, `wrong`, `torn`.
    pub what: &'static str,
    /// The source, where it is known.
    pub source: Option<u32>,
    /// The number of the row within its source, where it is known.
    pub row: Option<u64>,
    /// More about it.
    pub detail: String,
}

/// The result of a verification. The fields in the first group are faults and must be 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Acknowledged rows that are not there.
    pub lost: u64,
    /// Rows that are there more often than they were sent.
    pub twice: u64,
    /// Rows that were never sent, or were refused.
    pub phantom: u64,
    /// Rows with another value than was sent.
    pub wrong: u64,
    /// Requests in doubt of which a part is there.
    pub torn: u64,
    /// Requests in doubt that the ledger has and the table has not.
    pub ledger_without_rows: u64,
    /// Rows in the root table, beside every chunk.
    pub root_rows: u64,

    /// Rows in the table.
    pub rows: u64,
    /// Rows that were acknowledged, each as often as it was sent.
    pub acknowledged_rows: u64,
    /// Requests whose outcome the journal does not know, and that are there.
    pub in_doubt_present: u64,
    /// ... and that are not.
    pub in_doubt_absent: u64,
    /// Rows sent without acknowledgement.
    pub unacknowledged_rows: u64,
    /// Those of them that are not there: no fault, because nothing was promised.
    pub missing: u64,
    /// Requests that were refused, in part or whole.
    pub refused_requests: u64,
    /// Whether the journal's last line was cut.
    pub journal_torn: bool,
    /// The first faults.
    pub faults: Vec<Fault>,
}

impl Proof {
    pub(super) fn new(recorded: &Recorded) -> Self {
        let batches = recorded.sources.iter().flatten();
        let refused = batches.filter(|batch| matches!(batch.outcome, Outcome::Refused { .. })).count();
        Self {
            lost: 0,
            twice: 0,
            phantom: 0,
            wrong: 0,
            torn: 0,
            ledger_without_rows: 0,
            root_rows: 0,
            rows: 0,
            acknowledged_rows: 0,
            in_doubt_present: 0,
            in_doubt_absent: 0,
            unacknowledged_rows: 0,
            missing: 0,
            refused_requests: refused as u64,
            journal_torn: recorded.torn,
            faults: Vec::new(),
        }
    }

    /// Whether every fault is 0.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let faults =
            [self.lost, self.twice, self.phantom, self.wrong, self.torn, self.ledger_without_rows, self.root_rows];
        if faults.iter().all(|&count| count == 0) { Verdict::Kept } else { Verdict::Broken }
    }

    pub(super) fn show(
        &mut self,
        what: &'static str,
        source: Option<u32>,
        row: Option<u64>,
        detail: impl FnOnce() -> String,
    ) {
        if self.faults.len() < SHOWN {
            self.faults.push(Fault { what, source, row, detail: detail() });
        }
    }
}
