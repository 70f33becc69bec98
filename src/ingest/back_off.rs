//! How long to wait before trying again.

use std::time::{Duration, Instant};

use rand::Rng as _;

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
}
