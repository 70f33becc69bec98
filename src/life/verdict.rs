//! What is to become of a chunk, from what is known of it. Pure.

/// What is known of a chunk. Times are microseconds since 1970, on the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The database's time.
    pub now_us: i64,
    /// The first time after the chunk.
    pub to_us: i64,
    /// The measurement's setting, or the default.
    pub seal_after_us: i64,
    /// The quiet period.
    pub quiet_us: i64,
    /// The measurement's retention.
    pub retention_us: Option<i64>,
    /// When it was last seen to be written to; `None` if it was not looked at before.
    pub changed_us: Option<i64>,
    /// When its sealing was complete, if what that made is still there.
    pub sealed_us: Option<i64>,
    /// How long its sealing took.
    pub sealed_took_us: i64,
    /// Whether enough was written since to seal it once more.
    pub is_late: bool,
    /// When to try again, after a failure.
    pub retry_us: Option<i64>,
}

/// What is to become of a chunk now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is hot, and will be sealed at this time at the earliest.
    Wait(i64, Why),
    /// It is to be sealed.
    Seal,
    /// It is sealed, and nothing is to be done.
    Sealed,
    /// It is sealed, and will be sealed once more at this time at the earliest, because of rows that came late.
    ResealLater(i64),
    /// It is sealed, and to be sealed once more.
    Reseal,
    /// It is older than the retention.
    Drop,
}

/// What a hot chunk waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its time is not over, by `seal_after`.
    Time,
    /// Rows were written to it a moment ago.
    Quiet,
    /// Sealing it failed.
    Failed,
}

/// A second sealing comes no sooner than so many times the length of the first after it: late rows that trickle in cost at
/// most a twentieth of a core.
const PATIENCE: i64 = 20;

/// What is to become of the chunk now.
#[must_use]
pub fn verdict(facts: &Facts) -> Verdict {
    let Facts { now_us, to_us, quiet_us, .. } = *facts;
    if facts.retention_us.is_some_and(|retention_us| to_us <= now_us.saturating_sub(retention_us)) {
        return Verdict::Drop;
    }
    // Not looked at before: written to just now, for all that is known.
    let quiet_at = facts.changed_us.unwrap_or(now_us).saturating_add(quiet_us);
    let retry_at = facts.retry_us.unwrap_or(i64::MIN);
    if let Some(sealed_us) = facts.sealed_us {
        if !facts.is_late {
            return Verdict::Sealed;
        }
        let pause_us = facts.sealed_took_us.saturating_mul(PATIENCE).max(quiet_us);
        let at = quiet_at.max(sealed_us.saturating_add(pause_us)).max(retry_at);
        return if at <= now_us { Verdict::Reseal } else { Verdict::ResealLater(at) };
    }
    let over_at = to_us.saturating_add(facts.seal_after_us);
    let waits = [(over_at, Why::Time), (retry_at, Why::Failed), (quiet_at, Why::Quiet)];
    match waits.into_iter().find(|(at, _)| *at > now_us) {
        Some((at, why)) => Verdict::Wait(at, why),
        None => Verdict::Seal,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOT: Facts = Facts {
        now_us: 1_000,
        to_us: 500,
        seal_after_us: 100,
        quiet_us: 50,
        retention_us: None,
        changed_us: Some(900),
        sealed_us: None,
        sealed_took_us: 0,
        is_late: false,
        retry_us: None,
    };

    #[test]
    fn a_chunk_is_sealed_once_its_time_is_over_and_it_is_quiet() {
        assert_eq!(verdict(&HOT), Verdict::Seal);
        assert_eq!(verdict(&Facts { to_us: 901, ..HOT }), Verdict::Wait(1_001, Why::Time));
        assert_eq!(verdict(&Facts { changed_us: Some(951), ..HOT }), Verdict::Wait(1_001, Why::Quiet));
        assert_eq!(verdict(&Facts { changed_us: None, ..HOT }), Verdict::Wait(1_050, Why::Quiet), "never looked at");
        assert_eq!(verdict(&Facts { retry_us: Some(1_001), ..HOT }), Verdict::Wait(1_001, Why::Failed));
        assert_eq!(verdict(&Facts { to_us: i64::MAX, ..HOT }), Verdict::Wait(i64::MAX, Why::Time));
    }

    #[test]
    fn late_rows_are_folded_in_after_a_pause_that_grows_with_the_work() {
        let sealed = Facts { sealed_us: Some(700), ..HOT };
        assert_eq!(verdict(&sealed), Verdict::Sealed);
        let late = Facts { is_late: true, ..sealed };
        assert_eq!(verdict(&late), Verdict::Reseal);
        assert_eq!(verdict(&Facts { changed_us: Some(990), ..late }), Verdict::ResealLater(1_040));
        assert_eq!(verdict(&Facts { sealed_took_us: 30, ..late }), Verdict::ResealLater(1_300));
    }

    #[test]
    fn what_is_older_than_the_retention_is_dropped_sealed_or_not() {
        let expired = Facts { retention_us: Some(500), ..HOT };
        assert_eq!(verdict(&expired), Verdict::Drop);
        assert_eq!(verdict(&Facts { sealed_us: Some(700), ..expired }), Verdict::Drop);
        assert_ne!(verdict(&Facts { to_us: 501, ..expired }), Verdict::Drop, "its last moment is still kept");
    }

    proptest! {
        #[test]
        fn what_waits_is_due_at_the_time_it_was_told(
            to_us in 0..5_000i64, seal_after_us in 0..500i64, quiet_us in 1..500i64, changed_us in 0..1_000i64,
            sealed_us in proptest::option::of(0..1_000i64), took in 0..50i64, retry_us in proptest::option::of(0..3_000i64),
        ) {
            let facts = Facts {
                now_us: 1_000, to_us, seal_after_us, quiet_us, changed_us: Some(changed_us), sealed_us,
                sealed_took_us: took, is_late: true, retry_us, retention_us: None,
            };
            let mut later = facts;
            // Each wait names its end, and there are but three.
            for _ in 0..4 {
                match verdict(&later) {
                    Verdict::Wait(at, _) | Verdict::ResealLater(at) => {
                        prop_assert!(at > later.now_us);
                        later.now_us = at;
                    }
                    _ => break,
                }
            }
            prop_assert!(matches!(verdict(&later), Verdict::Seal | Verdict::Reseal));
        }
    }
}
