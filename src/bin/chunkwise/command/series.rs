//! `chunkwise series`

use chunkwise::{
    config::Config,
    query::Questions,
    question::{Selector, Timestamp},
    series::{ListedSeries, MAX_PAGE, PageRequest},
};
use clap::{Args, Subcommand};

use super::{
    engine_error,
    removal::{self, DropSeriesArgs},
};
use crate::{
    database::Place,
    output,
    question_args::tag,
    service,
    table::{self, printable},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise series list prices --search app
  chunkwise series list prices --tag exchange=N --limit 20
  chunkwise series drop prices --tag symbol=TEST")]
pub(crate) struct SeriesArgs {
    #[command(subcommand)]
    command: SeriesCommand,
}

#[derive(Debug, Subcommand)]
enum SeriesCommand {
    /// The series of a measurement, with the time that each covers.
    List(ListArgs),
    /// Drop series with all their rows, after asking. One that is written again gets another id.
    Drop(DropSeriesArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The measurement
    #[arg(value_name = "NAME")]
    name: String,
    /// Only series of which a word of a tag starts so
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only series with this tag, or series_id=3; again for more: any value of a tag, all tags [default: all series]
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag)]
    tag: Vec<String>,
    /// The most series
    #[arg(long, value_name = "SERIES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    limit: u32,
    /// Only series with a greater id: for the next page
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
}

pub(crate) async fn run(args: &SeriesArgs, config: &Config) -> anyhow::Result<()> {
    match &args.command {
        SeriesCommand::List(args) => list(args, config).await,
        SeriesCommand::Drop(args) => removal::drop_some_series(args, config).await,
    }
}

async fn list(args: &ListArgs, config: &Config) -> anyhow::Result<()> {
    let place = Place::for_questions(config).await?;
    place.verify().await?;
    let questions = Questions::new(place.database.clone(), service::query_limits(config));
    let request = PageRequest {
        search: args.search.clone(),
        selector: Selector::from_pairs(&args.tag)?,
        after: args.after,
        limit: args.limit,
    };
    let (page, _) = questions.series(&config.namespace, &args.name, &request).await.map_err(engine_error)?;
    let tags = page.tag_names.iter().map(|tag| printable(tag));
    let header = std::iter::once("series_id".to_owned()).chain(tags).chain(["first".to_owned(), "last".to_owned()]);
    let mut table = table::table(header);
    for ListedSeries { series, first_us, last_us } in &page.rows {
        let tags = series.tags.iter().map(|value| value.as_deref().map(printable).unwrap_or_default());
        let times = [first_us, last_us].map(|us| us.map(Timestamp::display_us).unwrap_or_default());
        table.add_row(std::iter::once(series.series_id.to_string()).chain(tags).chain(times));
    }
    let next = page.next.map(|next| format!("; more with --after {next}")).unwrap_or_default();
    output::print(format!("{table}\n{} of {} series{next}\n", page.rows.len(), page.total).as_bytes())?;
    place.leave().await
}
