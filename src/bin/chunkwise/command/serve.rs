//! `chunkwise serve`

use chunkwise::config::Config;

use crate::{
    database::Place,
    listen,
    service::{self, Roles},
};

/// For `--help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  chunkwise serve --database-url postgres://db.example/ticks
  chunkwise serve --read-database-url postgres://replica.example/ticks --listen 127.0.0.1:8081

It writes nothing and makes nothing: `chunkwise ingest`, `up` or `db migrate` must have made the schema.";

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let listener = listen::bind(&config.http).await?;
    let place = Place::for_questions(config).await?;
    place.verify().await?;
    let served = service::run(listener, Roles::Questions, &place, config).await;
    served.and(place.close().await)
}
