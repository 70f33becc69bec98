//! How long to wait before trying again, for whoever does.

use std::time::{Duration, Instant};

use rand::Rng as _;

use super::IngestError;

/// Pauses that double, each cut by a random part so that many who lost the same peer do not come back at once.
#[derive(Debug)]
pub(super) struct BackOff {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

impl BackOff {
    /// What lasted so long was no failure to begin with.
    const LASTING: Duration = Duration::from_secs(10);

    pub(super) fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, next: shortest }
    }

    /// For connections.
    pub(super) fn of_connections() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(30))
    }

    /// The next pause: between half of the present length and all of it.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    /// The next pause after a connection that began then: a short one if it lasted.
    pub(super) fn pause_after(&mut self, began: Instant) -> Duration {
        if began.elapsed() >= Self::LASTING {
            self.next = self.shortest;
        }
        self.pause()
    }
}

/// The attempts to write what nobody would send again: for as long as the database is away.
#[derive(Debug)]
pub(super) struct Delivering {
    pauses: BackOff,
    stale: u32,
}

impl Delivering {
    /// A measurement that is dropped again and again while it is written to is somebody's script.
    const MOST_STALE: u32 = 20;

    pub(super) fn begin() -> Self {
        Self { pauses: BackOff::new(Duration::from_millis(100), Duration::from_secs(2)), stale: 0 }
    }

    /// How long to wait before the next attempt; `None` if none would ever succeed.
    pub(super) fn pause_after(&mut self, error: &IngestError) -> Option<Duration> {
        match error {
            IngestError::Unavailable(_) | IngestError::Overloaded => {}
            IngestError::Stale if self.stale < Self::MOST_STALE => self.stale += 1,
            _ => return None,
        }
        Some(self.pauses.pause())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_what_lasted() {
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_millis(350));
        let mut back_off = BackOff::new(shortest, longest);
        for most_ms in [100, 200, 350, 350] {
            let pause = back_off.pause_after(Instant::now());
            let most = Duration::from_millis(most_ms);
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
        }
        let long_ago = Instant::now().checked_sub(Duration::from_secs(11)).unwrap();
        assert!(back_off.pause_after(long_ago) <= shortest);
    }

    #[test]
    fn a_delivery_waits_for_the_database_as_long_as_it_takes_and_for_nothing_else() {
        let mut delivering = Delivering::begin();
        assert!((0..1_000).all(|_| delivering.pause_after(&IngestError::Unavailable(None)).is_some()));
        assert_eq!(std::iter::from_fn(|| delivering.pause_after(&IngestError::Stale)).count(), 20);
        assert_eq!(delivering.pause_after(&IngestError::KeyMismatch), None);
    }
}
