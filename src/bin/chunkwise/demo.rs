//! What `up --demo` adds: real prices of the past, and a made-up feed that goes on.

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use chunkwise::{
    config::Config,
    feed::{Assets, AssetsOptions, Feed, FeedError, Pace},
    ingest::{BodyRequest, Identity, Ingest, PartialWrites, Protocol, RequestId},
    load::{LoadOptions, Plan, WideOptions},
    protocol::Precision,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    database::{self, Place},
    loader::Loader,
    output, service,
};

/// Daily adjusted closing prices of 20 stocks of the S&P 500, 1990 to 2022; tests/data/README.md says where from.
const PRICES: &[u8] = include_bytes!("../../../tests/data/sp500_prices.csv.gz");

/// How often the feed's lines are written.
const BEAT: Duration = Duration::from_millis(100);

/// Loads the prices, unless they are there. A load that was cut off is completed.
pub(crate) async fn load_prices(place: &Place, config: &Config) -> anyhow::Result<()> {
    let plan = Arc::new(prices_plan(&database::local_config(config)?.data_dir.join("demo"))?);
    let counted = Arc::clone(&plan);
    let census = tokio::task::spawn_blocking(move || counted.dry_run(|_| {})).await??;
    if rows_there(place, config).await? >= census.tally.rows {
        return Ok(());
    }
    let loader = Loader::start(place, &config.namespace, service::ingest_options(config));
    let loaded = loader.load(&plan, None).await;
    loader.finish().await;
    tracing::info!(rows = loaded?.written_rows, measurement = "prices", "the demonstration's prices are loaded");
    Ok(())
}

async fn rows_there(place: &Place, config: &Config) -> anyhow::Result<u64> {
    let mut connection = place.database.reader().acquire().await?;
    let Some(prices) = chunkwise::hypertable::load_measurement(&mut connection, &config.namespace, "prices").await?
    else {
        return Ok(0);
    };
    let count = format!("SELECT count(*) FROM {}", prices.storage());
    let rows: i64 = sqlx::query_scalar(&count).fetch_one(&mut *connection).await?;
    Ok(rows.unsigned_abs())
}

/// Writes the feed as a client would, until it is told to stop.
pub(crate) async fn stream(ingest: Ingest, namespace: String, stop: CancellationToken) {
    let now_us = || chrono::Utc::now().timestamp_micros();
    let mut feed = match LiveFeed::new(now_us()) {
        Ok(feed) => feed,
        Err(error) => return tracing::error!(error = %error, "the demonstration's feed cannot be made"),
    };
    while stop.run_until_cancelled(tokio::time::sleep(BEAT)).await.is_some() {
        let body = feed.due(now_us());
        let Ok(room) = ingest.reserve(body.len()).await else { continue };
        let request = BodyRequest {
            protocol: Protocol::Demo,
            room,
            namespace: &namespace,
            body: &body,
            precision: Precision::Nanoseconds,
            identity: Identity::Fixed(RequestId::fresh(Uuid::new_v4())),
            partial: PartialWrites::Accept,
            interval_us: None,
        };
        if let Err(error) = ingest.write_body(request).await {
            // What was due is made up: a gap in it harms nobody.
            tracing::warn!(error = %error, "the demonstration's feed was not written");
        }
    }
}

/// Three commands to try.
pub(crate) fn invite(address: SocketAddr) -> anyhow::Result<()> {
    let text = format!(
        r#"
try, in another terminal:

  1. which stocks moved with Apple in 2020?
     curl -s http://{address}/api/v1/correlate -d '{{"measurement": "prices", "field": "close", "bucket": "1d",
       "transform": "log_return", "target": {{"symbol": "AAPL"}}, "top": 5,
       "ranges": [{{"from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"}}]}}'

  2. the last seconds of the live feed, as SQL
     chunkwise db psql -- -c "SELECT * FROM ticks WHERE time > now() - interval '5 seconds' LIMIT 10"

  3. write a line of your own
     curl -si "http://{address}/write?precision=s" -d "room,place=kitchen temperature=21.5"

the API, to click through: http://{address}/api/docs
Ctrl-C stops everything.
"#
    );
    output::print(text.as_bytes())
}

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

/// Trades of 1,000 made-up assets that move together, 1,000 a second, in the measurement `ticks` (`price`, `size`).
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
        let assets = Assets::new(AssetsOptions { symbols: 1_000, ..AssetsOptions::default() })?;
        let pace = Pace::per_second(const { std::num::NonZeroU64::new(1_000).expect("a constant above zero") });
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
        assert_eq!(lines(feed.due(BEGUN_US + 999_999)).len(), 999);
        assert_eq!(lines(feed.due(BEGUN_US + 500_000)).len(), 0, "the clock was put back");
    }
}
