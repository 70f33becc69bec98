//! `chunkwise serve`

use chunkwise::config::Config;

use crate::{
    database::Place,
    listen,
    service::{self, Roles},
};

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let listener = listen::bind(&config.http).await?;
    let place = Place::for_questions(config).await?;
    place.verify().await?;
    let served = service::run(listener, Roles::Questions, &place, config).await;
    served.and(place.close().await)
}
