//! `chunkwise ingest`

use chunkwise::config::Config;

use crate::{
    database::{Embedded, Place},
    listen,
    service::{self, Roles},
};

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let listener = listen::bind(&config.http).await?;
    let place = Place::for_everything(config, Embedded::MustRun).await?;
    place.prepare().await?;
    let served = service::run(listener, Roles::Ingestion, &place, config).await;
    served.and(place.close().await)
}
