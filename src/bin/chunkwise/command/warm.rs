//! `chunkwise warm`

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use chunkwise::{
    block::Blocks,
    config::Config,
    query::Questions,
    question::{CorrelateQuestion, Method, Order, RankBy, Selector, TimeRange, Timestamp},
    series::PageRequest,
};
use clap::Args;

use crate::{
    database::Place,
    question_args::QuestionArgs,
    service::{block_options, blocks_folder, query_limits},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise warm prices close --bucket 1d --transform log_return
  chunkwise warm ticks price --bucket 1m --transform log_return --from 2024-01-01 --to 2024-02-01

Correlations of one series with many keep what they have read and derived (blocks), so that the second question of a kind
is answered in milliseconds. This does a first question's work ahead, chunk after chunk, and writes it to the data folder,
where the service finds it when it starts. While a service runs, the folder is its own: ask it instead, once.
Blocks are for buckets that divide a day, in UTC, and chunks that do not cut them.")]
pub(crate) struct WarmArgs {
    #[command(flatten)]
    question: QuestionArgs,
    /// The first moment [default: the first chunk's]
    #[arg(long, value_name = "TIME", help_heading = "Time")]
    from: Option<Timestamp>,
    /// The first moment after [default: the last chunk's end]
    #[arg(long, value_name = "TIME", help_heading = "Time")]
    to: Option<Timestamp>,
}

impl WarmArgs {
    /// One series against all over a chunk's time: what it needs is what any such question needs.
    fn question(&self, namespace: &str, series_id: i64, range: TimeRange) -> CorrelateQuestion {
        let shared = &self.question;
        CorrelateQuestion {
            namespace: namespace.to_owned(),
            measurement: shared.measurement.clone(),
            field: shared.field.clone(),
            bucket: shared.bucket,
            timezone: shared.timezone,
            aggregate: shared.aggregate,
            grid: shared.grid,
            fill: shared.fill,
            transform: shared.transform,
            limit_bytes: shared.limit_bytes,
            target: Selector { series_ids: Some(vec![series_id]), ..Selector::default() },
            against: Selector::default(),
            ranges: vec![range],
            method: Method::Pearson,
            min_overlap: 2,
            top: Some(1),
            order: Order::default(),
            rank_by: RankBy::default(),
            stats: Some(Vec::new()),
        }
    }
}

pub(crate) async fn run(args: &WarmArgs, config: &Config) -> anyhow::Result<()> {
    let folder = blocks_folder(config)?;
    let blocks = Blocks::in_folder(block_options(config), &folder).context(
        "blocks cannot be made ahead: while a service runs, ask it a correlate question, and it makes them itself",
    )?;
    let blocks = Arc::new(blocks);
    let place = Place::for_questions(config).await?;
    let warmed = warm(args, config, &place, &blocks, &folder).await;
    warmed.and(place.leave().await)
}

async fn warm(
    args: &WarmArgs,
    config: &Config,
    place: &Place,
    blocks: &Arc<Blocks>,
    folder: &Path,
) -> anyhow::Result<()> {
    place.verify().await?;
    let questions = Questions::new(place.database.clone(), query_limits(config)).with_blocks(Arc::clone(blocks));

    let (namespace, measurement) = (&config.namespace, &args.question.measurement);
    let page = PageRequest { limit: 1, ..PageRequest::default() };
    let (page, _) = questions.series(namespace, measurement, &page).await?;
    let Some(series) = page.rows.first().map(|listed| &listed.series) else {
        eprintln!("{measurement} has no series yet: nothing to do");
        return Ok(());
    };
    let time = |bound: Option<Timestamp>| bound.and_then(|bound| chrono::DateTime::from_timestamp_micros(bound.us()));
    let chunks = questions.chunks(namespace, Some(measurement), time(args.from), time(args.to)).await?;
    let mut spans: Vec<(i64, i64)> =
        chunks.iter().map(|(_, detail)| (detail.chunk.from_us, detail.chunk.to_us)).collect();
    spans.sort_unstable();
    spans.dedup();
    for (number, (from_us, to_us)) in spans.iter().enumerate() {
        let from = Timestamp::from_us(args.from.map_or(*from_us, |from| from.us().max(*from_us)))?;
        let to = Timestamp::from_us(args.to.map_or(*to_us, |to| to.us().min(*to_us)))?;
        let question = args.question(namespace, series.series_id, TimeRange { from, to });
        let receipt = Box::pin(questions.correlate(&question)).await?.receipt;
        let saving = Arc::clone(blocks);
        tokio::task::spawn_blocking(move || saving.save(Duration::ZERO)).await?;
        let (at, of) = (number + 1, spans.len());
        let rows = receipt.rows_read;
        eprintln!(
            "chunk {at} of {of}: {} .. {}, {rows} rows read",
            Timestamp::display_us(*from_us),
            Timestamp::display_us(*to_us)
        );
    }
    let figures = blocks.figures();
    println!("{} panels, {} bytes in {}", figures.panels, figures.mapped_bytes, folder.display());
    Ok(())
}
