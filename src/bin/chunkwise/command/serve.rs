//! `chunkwise serve`

use chunkwise::config::Config;

use crate::{
    database::Place,
    listen::{Listeners, StopSignal},
    service::{self, Roles},
};

/// For `--help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  chunkwise serve --database-url postgres://db.example/ticks
  chunkwise serve --read-database-url postgres://replica.example/ticks --listen 127.0.0.1:8081

It writes nothing and makes nothing: `chunkwise ingest`, `up` or `db migrate` must have made the schema.";

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut stop = StopSignal::listen()?;
    let listeners = Listeners::bind_http(config).await?;
    let Some(place) = stop.unless_heard(open(config)).await else { return Ok(()) };
    let place = place?;
    let served = service::run(listeners, Roles::Questions, &place, config, stop).await;
    served.and(place.close().await)
}

async fn open(config: &Config) -> anyhow::Result<Place> {
    let place = Place::for_questions(config).await?;
    place.verify().await?;
    Ok(place)
}
