//! What a written request is answered.

use super::Refused;

/// How safe a written request is. The weaker is the greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// COMMIT returned, with `synchronous_commit = on`.
    #[default]
    Committed,
    /// The database is away; the lines are on this machine's disk and will be committed when it is back.
    Spooled,
}

impl Ack {
    /// Its name in answers.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Spooled => "spooled",
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How safe it is.
    pub ack: Ack,
    /// Rows committed; of a repetition, those that the first request committed.
    pub written: u64,
    /// Lines refused, in order; of very many, the first.
    pub refused: Vec<Refused>,
    /// How many lines were refused.
    pub refused_total: u64,
    /// How many of them only the database refused: they are kept as dead letters.
    pub dead_lettered: u64,
    /// The ledger had it already, and nothing was written now.
    pub duplicate: bool,
}

impl Written {
    /// The answer to a repetition.
    pub(super) fn before(written: u64, refused: Vec<Refused>, dead_lettered: u64) -> Self {
        Self {
            written,
            refused_total: refused.len() as u64,
            refused,
            dead_lettered,
            duplicate: true,
            ..Self::default()
        }
    }
}
