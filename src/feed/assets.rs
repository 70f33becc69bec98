//! Trades of correlated assets.
//!
//! ```text
//! r = market_beta dM + sector_beta dS + own dW + s^2 dt / 2      price <- price (1 + r)
//! ```
//!
//! `M`, the `S` of each sector and the `W` of each symbol are independent random walks in time, `s` a symbol's whole
//! volatility; the last term keeps the median price where it is. Yearly volatilities are 0.30 for the market times a beta
//! of 0.7 to 1.3, 0.35 for the sector, 0.40 for the symbol itself: two symbols of one sector correlate by about 0.57, two
//! of different ones by about 0.24. Trading never pauses.

use super::{
    Feed, FeedError,
    decimal::{hundredths, push_hundredths, push_integer, push_line_end},
    noise::Noise,
    within,
};

const YEAR_US: f64 = 365.25 * 86_400_000_000.0;
const MARKET_VOLATILITY: f64 = 0.30;
const SECTOR_VOLATILITY: f64 = 0.35;
const OWN_VOLATILITY: f64 = 0.40;

/// What assets there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetsOptions {
    /// Symbols, up to 1,000,000.
    pub symbols: u32,
    /// Sectors, up to 1,000; the symbol with the index `i` is in the sector `i % sectors`.
    pub sectors: u32,
    /// Equal seeds give equal feeds.
    pub seed: u64,
}

impl Default for AssetsOptions {
    /// 1,000 symbols in 11 sectors.
    fn default() -> Self {
        Self { symbols: 1_000, sectors: 11, seed: 1 }
    }
}

/// A trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// The symbol's index; [`Assets::symbol`] has its name.
    pub symbol: u32,
    /// The price, in whole cents.
    pub price: f64,
    /// How much was traded: a whole number of lots of 100.
    pub size: f64,
}

/// Correlated assets, traded one after the other at random.
#[derive(Debug, Clone)]
pub struct Assets {
    noise: Noise,
    start_us: Option<i64>,
    market: Walk,
    sectors: Vec<Walk>,
    assets: Vec<Asset>,
}

#[derive(Debug, Clone)]
struct Asset {
    name: String,
    market_beta: f64,
    price: f64,
    /// The market's and the sector's level at the last trade, and the time of it.
    market_seen: f64,
    sector_seen: f64,
    own: Walk,
}

/// A random walk with a variance of 1 a year.
#[derive(Debug, Clone, Copy, Default)]
struct Walk {
    level: f64,
    time_us: Option<i64>,
}

impl Walk {
    /// Walks on to `time_us`; returns the years that it took.
    fn advance(&mut self, time_us: i64, start_us: i64, noise: &mut Noise) -> f64 {
        let last_us = self.time_us.unwrap_or(start_us);
        let years = (time_us.saturating_sub(last_us).max(0)) as f64 / YEAR_US;
        self.level += years.sqrt() * noise.normal();
        self.time_us = Some(time_us.max(last_us));
        years
    }
}

impl Assets {
    /// Makes the assets, with prices between 5 and 500.
    ///
    /// # Errors
    /// [`FeedError::OutOfRange`] for no symbols or sectors, or too many.
    pub fn new(options: AssetsOptions) -> Result<Self, FeedError> {
        let symbols = within("symbols", options.symbols, 1_000_000)?;
        let sectors = within("sectors", options.sectors, 1_000)?;
        let mut noise = Noise::new(options.seed);
        let asset = |index| Asset {
            name: ticker(index),
            market_beta: noise.between(0.7, 1.3),
            price: noise.between(5.0, 500.0),
            market_seen: 0.0,
            sector_seen: 0.0,
            own: Walk::default(),
        };
        let assets = (0..symbols).map(asset).collect();
        let sectors = vec![Walk::default(); sectors as usize];
        Ok(Self { noise, start_us: None, market: Walk::default(), sectors, assets })
    }

    /// How many symbols there are.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.assets.len()
    }

    /// The name of a symbol, such as `BDFG`: four letters, five from the 160,001st on, without vowels so that none is a
    /// word. Names do not depend on the seed. `None` for an index that there is not.
    #[must_use]
    pub fn symbol(&self, index: u32) -> Option<&str> {
        self.assets.get(index as usize).map(|asset| asset.name.as_str())
    }

    /// The sector of a symbol.
    #[must_use]
    pub fn sector(&self, index: u32) -> usize {
        index as usize % self.sectors.len()
    }

    /// The next trade, of a random symbol, at `time_us` (microseconds since 1970 UTC).
    pub fn next_tick(&mut self, time_us: i64) -> Tick {
        let start_us = *self.start_us.get_or_insert(time_us);
        let symbol = self.noise.below(u32::try_from(self.assets.len()).unwrap_or(u32::MAX));
        let sector = self.sector(symbol);
        self.market.advance(time_us, start_us, &mut self.noise);
        self.sectors[sector].advance(time_us, start_us, &mut self.noise);
        let asset = &mut self.assets[symbol as usize];
        let own_before = asset.own.level;
        let years = asset.own.advance(time_us, start_us, &mut self.noise);
        let market = asset.market_beta * MARKET_VOLATILITY;
        let variance = market * market + SECTOR_VOLATILITY * SECTOR_VOLATILITY + OWN_VOLATILITY * OWN_VOLATILITY;
        let change = market * (self.market.level - asset.market_seen)
            + SECTOR_VOLATILITY * (self.sectors[sector].level - asset.sector_seen)
            + OWN_VOLATILITY * (asset.own.level - own_before)
            + variance * years / 2.0;
        asset.market_seen = self.market.level;
        asset.sector_seen = self.sectors[sector].level;
        // Years between two trades of a symbol make steps that a linear one must not take.
        asset.price = (asset.price * (1.0 + change.clamp(-0.5, 1.0))).clamp(0.01, 1e9);
        let price = hundredths(asset.price) as f64 / 100.0;
        Tick { symbol, price, size: f64::from(self.noise.geometric() * 100) }
    }

    /// Appends a trade as `ticks,symbol=BDFG price=101.25,size=300 1577836800000000000` and a line break.
    pub fn write_tick(&self, tick: &Tick, time_us: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"ticks,symbol=");
        out.extend_from_slice(self.symbol(tick.symbol).unwrap_or("none").as_bytes());
        out.extend_from_slice(b" price=");
        push_hundredths(out, hundredths(tick.price));
        out.extend_from_slice(b",size=");
        push_integer(out, hundredths(tick.size) / 100);
        push_line_end(out, time_us);
    }
}

impl Feed for Assets {
    fn write_next(&mut self, time_us: i64, out: &mut Vec<u8>) {
        let tick = self.next_tick(time_us);
        self.write_tick(&tick, time_us, out);
    }
}

/// The name of the symbol with that index.
pub(super) fn ticker(index: u32) -> String {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    const FOUR_LETTERS: u64 = 160_000;
    const FIVE_LETTERS: u64 = 3_200_000;
    // Shares no factor with 20, and so takes each index to a name of its own, and neighbours far apart.
    const STRIDE: u64 = 63_241;
    let index = u64::from(index);
    let (letters, names) = if index < FOUR_LETTERS { (4, FOUR_LETTERS) } else { (5, FIVE_LETTERS) };
    let mut rest = index * STRIDE % names;
    let mut name = String::with_capacity(letters);
    for _ in 0..letters {
        name.push(char::from(LETTERS[usize::try_from(rest % 20).unwrap_or(0)]));
        rest /= 20;
    }
    name
}

#[cfg(test)]
mod tests {
    use hashbrown::HashSet;

    use super::*;

    fn bytes(options: AssetsOptions, lines: i64) -> Vec<u8> {
        let mut assets = Assets::new(options).unwrap();
        let mut out = Vec::new();
        (0..lines).for_each(|line| assets.write_next(1_577_836_800_000_000 + line * 1_000, &mut out));
        out
    }

    #[test]
    fn equal_seeds_give_equal_bytes_and_others_do_not() {
        let options = AssetsOptions::default();
        assert_eq!(bytes(options, 2_000), bytes(options, 2_000));
        assert_ne!(bytes(options, 2_000), bytes(AssetsOptions { seed: 2, ..options }, 2_000));
    }

    #[test]
    fn the_bytes_of_a_seed_stay_what_they_are() {
        let first = bytes(AssetsOptions::default(), 1_000);
        assert_eq!(blake3::hash(&first).to_hex()[..16], *PINNED, "{}", String::from_utf8_lossy(&first[..200]));
    }

    /// Figures measured on other bytes do not compare: change this only on purpose.
    const PINNED: &str = "46316a398b4cfe27";

    #[test]
    fn every_line_is_well_formed() {
        let out = bytes(AssetsOptions { symbols: 50, sectors: 3, seed: 9 }, 5_000);
        let text = std::str::from_utf8(&out).unwrap();
        let lines: Vec<_> = influxdb_line_protocol::parse_lines(text).map(Result::unwrap).collect();
        assert_eq!(lines.len(), 5_000);
        for line in &lines {
            assert_eq!((line.series.measurement.as_str(), line.field_set.len()), ("ticks", 2));
            assert!(line.timestamp.is_some_and(|ns| ns % 1_000_000 == 0));
        }
    }

    #[test]
    fn prices_are_whole_cents_and_sizes_whole_lots() {
        let mut assets = Assets::new(AssetsOptions { symbols: 10, sectors: 2, seed: 3 }).unwrap();
        for day in 0..20_000 {
            let tick = assets.next_tick(day * 86_400_000_000);
            assert!(tick.price >= 0.01 && (tick.price * 100.0 - (tick.price * 100.0).round()).abs() < 1e-4);
            assert!(tick.size >= 100.0 && tick.size % 100.0 == 0.0);
        }
    }

    #[test]
    fn a_time_that_falls_moves_no_price() {
        let mut assets = Assets::new(AssetsOptions { symbols: 1, sectors: 1, seed: 3 }).unwrap();
        let price = assets.next_tick(1_000_000).price;
        assert_eq!(assets.next_tick(0).price, price);
        assert_eq!(assets.next_tick(i64::MIN).price, price);
    }

    #[test]
    fn names_are_unique_also_where_they_grow_longer() {
        let names: HashSet<String> = (0..200_000).map(ticker).collect();
        assert_eq!(names.len(), 200_000);
        assert_eq!((ticker(1).len(), ticker(160_000).len()), (4, 5));
    }

    #[test]
    fn options_out_of_range_are_refused() {
        for (symbols, sectors) in [(0, 1), (1, 0), (1_000_001, 1), (1, 1_001)] {
            assert!(Assets::new(AssetsOptions { symbols, sectors, seed: 1 }).is_err());
        }
    }

    /// The mean correlation of five-minute returns over pairs within a sector and over pairs across sectors.
    #[test]
    fn symbols_of_one_sector_move_together_more_than_others() {
        const SYMBOLS: usize = 30;
        let mut assets = Assets::new(AssetsOptions { symbols: 30, sectors: 3, seed: 5 }).unwrap();
        let mut prices = [0.0; SYMBOLS];
        let mut closes: Vec<[f64; SYMBOLS]> = Vec::new();
        // Each symbol trades about every 6 seconds for a day.
        for step in 0..432_000i64 {
            let tick = assets.next_tick(step * 200_000);
            prices[tick.symbol as usize] = tick.price;
            if step % 1_500 == 1_499 {
                closes.push(prices);
            }
        }
        let returns = |symbol: usize| -> Vec<f64> {
            closes.windows(2).map(|pair| pair[1][symbol] / pair[0][symbol] - 1.0).collect()
        };
        let returns: Vec<Vec<f64>> = (0..SYMBOLS).map(returns).collect();
        let (mut within, mut across) = (Vec::new(), Vec::new());
        for a in 0..SYMBOLS {
            for b in a + 1..SYMBOLS {
                let pairs = if a % 3 == b % 3 { &mut within } else { &mut across };
                pairs.push(correlation(&returns[a], &returns[b]));
            }
        }
        let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
        let (within, across) = (mean(&within), mean(&across));
        assert!((0.40..0.65).contains(&within) && (0.10..0.35).contains(&across), "{within} {across}");
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
        let (a_mean, b_mean) = (mean(a), mean(b));
        let product = |x: &[f64], x_mean: f64, y: &[f64], y_mean: f64| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum()
        };
        product(a, a_mean, b, b_mean) / (product(a, a_mean, a, a_mean) * product(b, b_mean, b, b_mean)).sqrt()
    }
}
