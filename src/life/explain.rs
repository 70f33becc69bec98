//! Says in words why a chunk is in its state, what happens next, and when. Pure.

use super::{ChunkLook, Verdict, Why};
use crate::question::{Timestamp, Width};

impl ChunkLook {
    /// A sentence or two, for people.
    #[must_use]
    pub fn explain(&self) -> String {
        let facts = &self.facts;
        let at = Timestamp::display_us;
        let how = if self.compressed { "in the columnstore" } else { "indexed by series and time" };
        let hot = match self.verdict() {
            Verdict::Drop => return "older than the measurement's retention: dropped at the next look".to_owned(),
            Verdict::Sealed => "sealed: ",
            Verdict::ResealLater(_) | Verdict::Reseal => "sealed, but rows came late: ",
            Verdict::Wait(..) | Verdict::Seal => "hot: ",
        };
        let next = match self.verdict() {
            Verdict::Drop => String::new(),
            Verdict::Sealed => {
                format!("{how} since {}", facts.sealed_us.map_or_else(|| "it was made".to_owned(), at))
            }
            Verdict::Reseal => "they are folded in at the next look".to_owned(),
            Verdict::ResealLater(due_us) => format!("they are folded in after {}", at(due_us)),
            Verdict::Seal => "its time is over and it is quiet, so it is sealed at the next look".to_owned(),
            Verdict::Wait(due_us, Why::Time) if due_us == i64::MAX => "its time has no end".to_owned(),
            Verdict::Wait(due_us, Why::Time) => format!(
                "its time ends at {}, and it is sealed {} later, after {}, if nothing is written to it for {} then",
                at(facts.to_us),
                Width::Fixed(facts.seal_after_us),
                at(due_us),
                Width::Fixed(facts.quiet_us)
            ),
            Verdict::Wait(due_us, Why::Quiet) => format!(
                "its time is over, but rows were written to it within the last {}: sealed after {} if no more come",
                Width::Fixed(facts.quiet_us),
                at(due_us)
            ),
            Verdict::Wait(due_us, Why::Failed) => format!(
                "sealing it failed {} times, the last time because {}: tried again after {}",
                self.failures,
                self.failure.as_deref().unwrap_or("of a reason that was not noted"),
                at(due_us)
            ),
        };
        let kept = facts.retention_us.map_or_else(
            || "kept for ever".to_owned(),
            |retention_us| format!("dropped after {}", at(facts.to_us.saturating_add(retention_us))),
        );
        format!("{hot}{next}; {kept}")
    }
}
