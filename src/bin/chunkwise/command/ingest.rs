//! `chunkwise ingest`

use chunkwise::config::Config;

use crate::{
    database::{Embedded, Place},
    listen::{Listeners, StopSignal},
    service::{self, Roles},
};

/// For `--help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  chunkwise ingest --database-url postgres://db.example/ticks
  chunkwise ingest --listen 127.0.0.1:8086         the port that InfluxDB's clients expect

It brings the database's schema up to date before it listens. SIGTERM or Ctrl-C finishes what was accepted, then stops.";

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut stop = StopSignal::listen()?;
    let listeners = Listeners::bind(config).await?;
    let Some(place) = stop.unless_heard(open(config)).await else { return Ok(()) };
    let place = place?;
    let served = service::run(listeners, Roles::Ingestion, &place, config, stop).await;
    served.and(place.close().await)
}

async fn open(config: &Config) -> anyhow::Result<Place> {
    let place = Place::for_everything(config, Embedded::MustRun).await?;
    place.prepare().await?;
    Ok(place)
}
