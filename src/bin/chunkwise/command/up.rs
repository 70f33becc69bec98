//! `chunkwise up`

use chunkwise::config::Config;
use clap::Args;

use crate::{
    database::{Embedded, Place},
    demo,
    listen::{self, ListenArgs, StopSignal},
    service::{self, Roles},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise up --demo                              a database of its own, real prices, a live feed
  chunkwise up --database-url postgres://db/ticks  your own TimescaleDB
  chunkwise up --listen 127.0.0.1:0                a free port, printed as `listening on http://...`

Without --database-url and DATABASE_URL a TimescaleDB is started in the data folder; on Debian it is fetched first if the
machine has none (93 MB, signed packages, no root needed). SIGTERM or Ctrl-C finishes what was accepted, then stops. The
last who leaves the database stops it, unless `chunkwise db start` started it.")]
pub(crate) struct UpArgs {
    /// Also load 32 years of real daily prices (measurement prices) and stream a made-up feed (measurement ticks)
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    pub(crate) listen: ListenArgs,
}

pub(crate) async fn run(args: &UpArgs, config: &Config) -> anyhow::Result<()> {
    // Until the service listens a signal ends this at once; later ones are the service's own, which drains.
    let mut stop = StopSignal::listen()?;
    let listener = listen::bind(&config.http).await?;
    let Some(place) = stop.unless_heard(Place::for_everything(config, Embedded::Start)).await else { return Ok(()) };
    let place = place?;
    let roles = if args.demo { Roles::EverythingWithDemo } else { Roles::Everything };
    let served = match stop.unless_heard(prepare(args, config, &place)).await {
        Some(Ok(())) => service::run(listener, roles, &place, config, stop).await,
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    served.and(place.close().await)
}

async fn prepare(args: &UpArgs, config: &Config, place: &Place) -> anyhow::Result<()> {
    place.prepare().await?;
    if args.demo {
        demo::load_prices(place, config).await?;
    }
    Ok(())
}
