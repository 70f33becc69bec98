//! What the commands that take away have in common: they show what would go, and ask.

use std::io::{BufRead, IsTerminal, stderr, stdin};

use anyhow::{Context, bail};
use chunkwise::{
    config::Config,
    http::error::ApiError,
    query::Questions,
    question::{Invalid, Selector, TimeRange, Timestamp},
    removal::{Dependents, RemovalError, delete_rows, drop_measurement, drop_series},
    series::PageRequest,
};
use clap::Args;

use super::engine_error;
use crate::{
    database::{Embedded, Place},
    output,
    question_args::tag,
    service,
    table::printable,
};

/// Whether to go ahead without asking.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Do not ask; needed where nobody can be asked, as in a script
    #[arg(long)]
    yes: bool,
}

impl Consent {
    /// Shows what would go; an error unless somebody says yes.
    fn obtain(&self, what: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() || !stderr().is_terminal() {
            return Err(
                Invalid::new("--yes", format!("is needed where nobody can be asked; this would go: {what}")).into()
            );
        }
        eprint!("This will be deleted for good: {what}. Type yes to go on: ");
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer).context("reading your answer")?;
        if answer.trim() != "yes" {
            bail!("nothing was deleted");
        }
        Ok(())
    }
}

/// `chunkwise measurement drop`
#[derive(Debug, Args)]
pub(crate) struct DropArgs {
    /// The measurement
    #[arg(value_name = "NAME")]
    name: String,
    /// Drop views that somebody has built upon it too; without, they are in the way
    #[arg(long)]
    cascade: bool,
    #[command(flatten)]
    consent: Consent,
}

/// `chunkwise measurement delete-range`
#[derive(Debug, Args)]
pub(crate) struct DeleteRangeArgs {
    /// The measurement
    #[arg(value_name = "NAME")]
    name: String,
    /// The first moment
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// The first moment after
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
    /// Only series with this tag, or series_id=3; again for more: any value of a tag, all tags [default: all series]
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag)]
    tag: Vec<String>,
    #[command(flatten)]
    consent: Consent,
}

/// `chunkwise series drop`
#[derive(Debug, Args)]
pub(crate) struct DropSeriesArgs {
    /// The measurement
    #[arg(value_name = "NAME")]
    name: String,
    /// Series with this tag, or series_id=3; again for more: any value of a tag, all tags
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag, required = true)]
    tag: Vec<String>,
    #[command(flatten)]
    consent: Consent,
}

pub(crate) async fn drop(args: &DropArgs, config: &Config) -> anyhow::Result<()> {
    let place = open(config).await?;
    let questions = Questions::new(place.database.clone(), service::query_limits(config));
    let there = questions.measurements(&config.namespace).await?;
    let what = match there.iter().find(|measurement| measurement.name == args.name) {
        Some(found) => format!(
            "the measurement {} with {} series and about {} rows",
            printable(&found.name),
            found.series,
            found.rows
        ),
        None => {
            let known = there.into_iter().map(|measurement| measurement.name).collect();
            return Err(advised(RemovalError::UnknownMeasurement { name: args.name.clone(), known }));
        }
    };
    args.consent.obtain(&what)?;
    let upon = if args.cascade { Dependents::Cascade } else { Dependents::Keep };
    let rows = drop_measurement(&place.database, &config.namespace, &args.name, upon).await.map_err(advised)?;
    told(place, rows).await
}

pub(crate) async fn delete_range(args: &DeleteRangeArgs, config: &Config) -> anyhow::Result<()> {
    let selector = Selector::from_pairs(&args.tag)?;
    let range = TimeRange { from: args.from, to: args.to };
    let of = if args.tag.is_empty() { "all series".to_owned() } else { args.tag.join(", ") };
    args.consent.obtain(&format!(
        "all rows of {} of {} from {} to {}",
        printable(&of),
        printable(&args.name),
        range.from,
        range.to
    ))?;
    let place = open(config).await?;
    let rows = delete_rows(&place.database, &config.namespace, &args.name, range, &selector).await.map_err(advised)?;
    told(place, rows).await
}

pub(crate) async fn drop_some_series(args: &DropSeriesArgs, config: &Config) -> anyhow::Result<()> {
    let selector = Selector::from_pairs(&args.tag)?;
    let place = open(config).await?;
    let questions = Questions::new(place.database.clone(), service::query_limits(config));
    let request = PageRequest { selector: selector.clone(), limit: 1, ..PageRequest::default() };
    let (page, _) = questions.series(&config.namespace, &args.name, &request).await.map_err(engine_error)?;
    args.consent.obtain(&format!(
        "{} series of {} ({}) with all their rows",
        page.total,
        printable(&args.name),
        printable(&args.tag.join(", "))
    ))?;
    let rows = drop_series(&place.database, &config.namespace, &args.name, &selector).await.map_err(advised)?;
    told(place, rows).await
}

async fn open(config: &Config) -> anyhow::Result<Place> {
    let place = Place::for_everything(config, Embedded::MustRun).await?;
    place.verify().await?;
    Ok(place)
}

async fn told(place: Place, rows: u64) -> anyhow::Result<()> {
    place.leave().await?;
    output::print(format!("{rows} rows deleted\n").as_bytes())
}

/// What the asker can mend is told as REST tells it; what they cannot, with its causes.
fn advised(error: RemovalError) -> anyhow::Error {
    match error {
        RemovalError::Database(_) | RemovalError::InUse { .. } => error.into(),
        RemovalError::Depended { .. } => anyhow::anyhow!("{error} (--cascade)"),
        error => ApiError::from(error).into(),
    }
}
