//! `chunkwise ingest`

use chunkwise::config::Config;

use crate::{
    database::{Embedded, Place},
    listen,
    service::{self, Roles},
};

/// For `--help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  chunkwise ingest --database-url postgres://db.example/ticks
  chunkwise ingest --listen 127.0.0.1:8086         the port that InfluxDB's clients expect

It brings the database's schema up to date before it listens. SIGTERM or Ctrl-C finishes what was accepted, then stops.";

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let listener = listen::bind(&config.http).await?;
    let place = Place::for_everything(config, Embedded::MustRun).await?;
    place.prepare().await?;
    let served = service::run(listener, Roles::Ingestion, &place, config).await;
    served.and(place.close().await)
}
