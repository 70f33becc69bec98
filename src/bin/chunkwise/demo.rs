//! The feed of `up --demo`: made-up trades whose prices move together. Pure; the same seed makes the same feed.

use std::fmt::Write;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Name, first price, and how much of the market's moves it makes its own.
const ASSETS: [(&str, f64, f64); 8] = [
    ("ALPHA", 182.0, 0.9),
    ("BRAVO", 64.5, 0.8),
    ("CHARLIE", 415.0, 0.7),
    ("DELTA", 27.3, 0.5),
    ("ECHO", 98.0, 0.3),
    ("FOXTROT", 12.8, 0.0),
    ("GOLF", 150.0, -0.3),
    ("HOTEL", 73.1, -0.7),
];

/// The standard deviation of a step's relative move.
const VOLATILITY: f64 = 5e-4;

/// A source of trades.
#[derive(Debug)]
pub(crate) struct Feed {
    random: ChaCha8Rng,
    prices: [f64; ASSETS.len()],
}

impl Feed {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), prices: ASSETS.map(|(_, price, _)| price) }
    }

    /// One trade of every asset at `time_us`, as line protocol with microseconds.
    pub(crate) fn step(&mut self, time_us: i64) -> String {
        let market = self.shock();
        let mut lines = String::new();
        for (index, (symbol, _, share)) in ASSETS.into_iter().enumerate() {
            let own = self.shock();
            let step = VOLATILITY * (share * market + (1.0 - share * share).sqrt() * own);
            self.prices[index] *= step.exp();
            let size = self.random.random_range(1..=500);
            let line = writeln!(lines, "ticks,symbol={symbol} price={:.4},size={size} {time_us}", self.prices[index]);
            debug_assert!(line.is_ok(), "writing to a String cannot fail");
        }
        lines
    }

    /// Mean 0, deviation 1: the sum of twelve uniform numbers, less six, is normal enough for a demonstration.
    fn shock(&mut self) -> f64 {
        (0..12).map(|_| self.random.random::<f64>()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(steps: i64) -> Vec<[f64; ASSETS.len()]> {
        let mut feed = Feed::new(7);
        (0..steps)
            .map(|time_us| {
                feed.step(time_us);
                feed.prices
            })
            .collect()
    }

    fn correlation(rows: &[[f64; ASSETS.len()]], a: usize, b: usize) -> f64 {
        let moves = |asset: usize| -> Vec<f64> { rows.windows(2).map(|w| (w[1][asset] / w[0][asset]).ln()).collect() };
        let (x, y) = (moves(a), moves(b));
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt()
    }

    #[test]
    fn assets_move_together_as_their_shares_say() {
        let rows = prices(4_000);
        assert!((correlation(&rows, 0, 1) - 0.72).abs() < 0.05);
        assert!((correlation(&rows, 0, 7) + 0.63).abs() < 0.05);
        assert!(correlation(&rows, 0, 5).abs() < 0.05);
    }

    #[test]
    fn the_same_seed_makes_the_same_feed() {
        let (mut one, mut other) = (Feed::new(1), Feed::new(1));
        let text = one.step(1_700_000_000_000_000);
        assert_eq!(text, other.step(1_700_000_000_000_000));
        assert_eq!(text.lines().count(), ASSETS.len());
        assert!(text.starts_with("ticks,symbol=ALPHA price=18") && text.contains(",size="), "{text}");
        assert_ne!(text, Feed::new(2).step(1_700_000_000_000_000));
    }
}
