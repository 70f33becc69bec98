//! What `up --demo` adds: real prices of the past, and a made-up feed that goes on.

use std::{fs, path::Path};

use anyhow::Context;
use chunkwise::{
    feed::{Assets, AssetsOptions, Feed, FeedError, Pace},
    load::{LoadOptions, Plan, WideOptions},
};

/// Daily adjusted closing prices of 20 stocks of the S&P 500, 1990 to 2022; tests/data/README.md says where from.
const PRICES: &[u8] = include_bytes!("../../../tests/data/sp500_prices.csv.gz");

/// How the prices are loaded, from a copy in `folder`: measurement `prices`, tag `symbol`, field `close`.
pub(crate) fn prices_plan(folder: &Path) -> anyhow::Result<Plan> {
    let path = folder.join("sp500_prices.csv.gz");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, PRICES))
        .with_context(|| format!("writing the demonstration's prices to {}", path.display()))?;
    let options = LoadOptions {
        measurement: Some("prices".to_owned()),
        wide: Some(WideOptions::new("symbol", Some("close".to_owned()))),
        ..LoadOptions::default()
    };
    Ok(Plan::infer(&path, &options)?)
}

/// Trades of 100 made-up assets that move together, 200 a second, in the measurement `ticks`.
#[derive(Debug)]
pub(crate) struct LiveFeed {
    assets: Assets,
    pace: Pace,
    begun_us: i64,
    sent_lines: u64,
}

impl LiveFeed {
    /// The feed begins at `begun_us`, microseconds since 1970 UTC.
    pub(crate) fn new(begun_us: i64) -> Result<Self, FeedError> {
        let assets = Assets::new(AssetsOptions { symbols: 100, ..AssetsOptions::default() })?;
        let pace = Pace::per_second(const { std::num::NonZeroU64::new(200).expect("a constant above zero") });
        Ok(Self { assets, pace, begun_us, sent_lines: 0 })
    }

    /// The lines that have become due by `now_us`, as line protocol with nanoseconds.
    pub(crate) fn due(&mut self, now_us: i64) -> Vec<u8> {
        let mut lines = Vec::new();
        // A clock that was put back makes nothing due until it has caught up.
        let Ok(elapsed_us) = u64::try_from(now_us.saturating_sub(self.begun_us)) else { return lines };
        while self.sent_lines < self.pace.due(elapsed_us) {
            let time_us = self.begun_us.saturating_add(self.pace.offset_us(self.sent_lines));
            self.assets.write_next(time_us, &mut lines);
            self.sent_lines += 1;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use chunkwise::load::PlannedContent;

    use super::*;

    #[test]
    fn the_prices_in_the_program_are_twenty_stocks() {
        let folder = tempfile::tempdir().unwrap();
        let plan = prices_plan(folder.path()).unwrap();
        let PlannedContent::Csv(csv) = &plan.content else { panic!("{plan}") };
        assert_eq!(csv.mapping.measurement, "prices");
        assert_eq!(csv.sample.series, 20);
    }

    #[test]
    fn each_line_is_sent_once_when_its_time_has_come() {
        const BEGUN_US: i64 = 1_700_000_000_000_000;
        let mut feed = LiveFeed::new(BEGUN_US).unwrap();
        let lines = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(feed.due(BEGUN_US - 1)).len(), 0);
        let first = lines(feed.due(BEGUN_US));
        assert_eq!(first.len(), 1);
        assert!(first[0].starts_with("ticks,symbol=") && first[0].ends_with(" 1700000000000000000"), "{first:?}");
        assert_eq!(lines(feed.due(BEGUN_US + 999_999)).len(), 199);
        assert_eq!(lines(feed.due(BEGUN_US + 500_000)).len(), 0, "the clock was put back");
    }
}
