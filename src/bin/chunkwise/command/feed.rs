//! `chunkwise feed`

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use chunkwise::{
    config::Config,
    feed::{
        FieldSet, Kind, Recipe,
        journal::{Header, Journal, Recorded},
        run::{self, End, Plan, Schedule, Spread, Summary},
        send::{Protocol, Target},
        verify::{Proof, Verdict, verify},
    },
    question::Timestamp,
};
use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::{
    database::Place,
    exit::{Exit, Reported},
    listen::StopSignal,
    output::{self, Output},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise feed --lines 1000000
      A million trades to http://127.0.0.1:8080, as fast as they are taken.
  chunkwise feed --protocol opentsdb-telnet --kind sensors --rate 5000 --duration 1m
      5,000 readings a second for a minute, whatever the server does.
  chunkwise feed --rate 50000 --duration 10m --measurement soak --journal soak.journal
  chunkwise feed --verify soak.journal
      The same with a journal, and then the proof from the database (--database-url, if it is not the embedded one):
      each acknowledged row is there once, with its exact bits, and nothing else is. Kill whatever you like in
      between, also the feed: what it then did not hear an answer to may be there or not, but not in part. Where rows
      were spooled, wait until they are in the database.

A feed exits with 0 if every line was acknowledged, or handed over where a protocol has no acknowledgements; else
with 1.
A verification exits with 0 if nothing is lost, twice, wrong, torn or foreign, else with 1.
A first Ctrl-C begins no new request and settles those under way; a second ends at once.

Every row is made of the seed, its source and its number alone: the same flags give the same rows. A measurement that is
verified must be the feed's own.")]
pub(crate) struct FeedArgs {
    /// Compare the database with a journal instead of sending anything
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = ["WhatArgs", "HowArgs"])]
    verify: Option<PathBuf>,
    /// Write the result as JSON too; - writes it to standard output instead of the text
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    what: WhatArgs,
    #[command(flatten)]
    how: HowArgs,
}

/// What is sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is sent")]
struct WhatArgs {
    /// Trades of assets that move together, or readings of sensors of which some are missing, late or repeated
    #[arg(long, value_enum, default_value_t = KindArg::Assets)]
    kind: KindArg,
    /// Other seeds give other values
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The measurement [default: the kind's name]
    #[arg(long, value_name = "NAME")]
    measurement: Option<String>,
    /// Series in all
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    series: u32,
    /// The kind's two numbers, or also an integer, a float of any bits, a truth value and text with escapes
    #[arg(long, value_enum, default_value_t = FieldsArg::All)]
    fields: FieldsArg,
    /// The time of the first rows [default: an hour ago]
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// Microseconds from a source's row to its next [default: 1; OpenTSDB, which counts in milliseconds: 1000]
    #[arg(long, value_name = "MICROSECONDS")]
    step: Option<u32>,
}

/// How it is sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "How it is sent")]
struct HowArgs {
    /// line-protocol-http, line-protocol-tcp, opentsdb-http, opentsdb-telnet, websocket or mqtt
    #[arg(long, value_name = "PROTOCOL", default_value_t = Protocol::LineProtocolHttp)]
    protocol: Protocol,
    /// Where to: HOST:PORT, or a URL [default: where chunkwise listens on this machine]
    #[arg(long, value_name = "ADDRESS", visible_alias = "address")]
    url: Option<String>,
    /// The topic of MQTT messages
    #[arg(long, value_name = "TOPIC", default_value = "chunkwise/feed")]
    topic: String,
    /// Sources that send side by side, each over a connection and with series of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    connections: u32,
    /// Lines of a request
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    lines_per_request: u32,
    /// Lines a second over all connections, whatever the answers do [default: as fast as they are taken]
    #[arg(long, value_name = "LINES_PER_S")]
    rate: Option<NonZeroU64>,
    /// With --rate: requests that may wait for their answers at once, each over a connection of its own
    #[arg(long, value_name = "N", default_value = "64", requires = "rate")]
    in_flight: NonZeroU32,
    /// End after so many lines [default: 100000, unless --duration is given]
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    lines: Option<u64>,
    /// End after so long, such as 30s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Wait so long for an answer before the request is sent again
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    patience: Duration,
    /// Try requests that are in doubt or reach nobody again for so long: after the end, with --lines also before it
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1m")]
    settle: Duration,
    /// Write down each request before it is sent, and what was answered; the file must be new
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    Assets,
    Sensors,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FieldsArg {
    All,
    Numbers,
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a number and ms, s, m or h, such as 30s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number before the unit, such as 30s".to_owned())?;
    Ok(Duration::from_millis(number.saturating_mul(scale_ms)))
}

impl FeedArgs {
    fn plan(&self, namespace: &str) -> anyhow::Result<Plan> {
        let (what, how) = (&self.what, &self.how);
        let milliseconds = matches!(how.protocol, Protocol::OpenTsdbHttp | Protocol::OpenTsdbTelnet);
        // In the past, so that a source can run ahead of the clock for a while: rows of the future are refused.
        let an_hour_ago_ms = chrono::Utc::now().timestamp_millis() - 3_600_000;
        let recipe = Recipe {
            kind: match what.kind {
                KindArg::Assets => Kind::Assets,
                KindArg::Sensors => Kind::Sensors,
            },
            seed: what.seed,
            measurement: what.measurement.clone().unwrap_or_else(|| match what.kind {
                KindArg::Assets => "assets".to_owned(),
                KindArg::Sensors => "sensors".to_owned(),
            }),
            sources: how.connections,
            series: what.series,
            fields: match what.fields {
                FieldsArg::All => FieldSet::All,
                FieldsArg::Numbers => FieldSet::Numbers,
            },
            shape: how.protocol.shape(),
            start_us: what.start.map_or(an_hour_ago_ms * 1_000, |start| start.us()),
            step_us: what.step.unwrap_or(if milliseconds { 1_000 } else { 1 }),
            lines_per_request: how.lines_per_request,
        };
        recipe.check()?;
        Ok(Plan {
            header: Header::new(how.protocol, namespace.to_owned(), recipe),
            target: Target::new(how.protocol, how.url.as_deref(), namespace, &how.topic)?,
            schedule: how.rate.map_or(Schedule::AsTaken, |lines_per_second| Schedule::Rate {
                lines_per_second,
                in_flight: how.in_flight,
            }),
            end: how.duration.map_or(End::Lines(how.lines.unwrap_or(100_000)), End::After),
            patience: how.patience,
            settle: how.settle,
        })
    }
}

pub(crate) async fn run(args: &FeedArgs, config: &Config) -> anyhow::Result<()> {
    match &args.verify {
        Some(journal) => check(args, journal, config).await,
        None => send(args, config).await,
    }
}

async fn send(args: &FeedArgs, config: &Config) -> anyhow::Result<()> {
    let plan = args.plan(&config.namespace)?;
    let journal = args.how.journal.as_ref().map(|path| Journal::create(path, &plan.header)).transpose()?;
    let mut signal = StopSignal::listen()?;
    let stop = CancellationToken::new();
    let mut feeding = Box::pin(run::run(plan, journal, stop.clone()));
    let summary = match signal.unless_heard(&mut feeding).await {
        Some(summary) => summary?,
        None => {
            tracing::info!("ending: requests under way are settled first; a second signal ends at once");
            stop.cancel();
            let settled = signal.unless_heard(feeding).await;
            settled.context("ended at once: requests under way are in doubt, as the journal says")??
        }
    };
    tell(args, &summary, &told(&summary))?;
    if summary.refused_lines + summary.in_doubt_lines > 0 {
        return Err(Reported(Exit::Failure).into());
    }
    Ok(())
}

async fn check(args: &FeedArgs, journal: &std::path::Path, config: &Config) -> anyhow::Result<()> {
    let path = journal.to_owned();
    let recorded = tokio::task::spawn_blocking(move || Recorded::read(&path)).await??;
    let place = Place::for_questions(config).await?;
    place.verify().await?;
    let proof = verify(&recorded, &place.database).await.context("verifying")?;
    place.leave().await?;
    tell(args, &proof, &proved(&proof))?;
    match proof.verdict() {
        Verdict::Kept => Ok(()),
        Verdict::Broken => Err(Reported(Exit::Failure).into()),
    }
}

fn tell(args: &FeedArgs, result: &impl serde::Serialize, text: &str) -> anyhow::Result<()> {
    let json = args.json.as_ref().map(|path| Output::new(Some(path.clone())));
    if let Some(output) = &json {
        let mut bytes = serde_json::to_vec_pretty(result)?;
        bytes.push(b'\n');
        output.write(&bytes)?;
    }
    if json == Some(Output::Stdout) { Ok(()) } else { output::print(text.as_bytes()) }
}

fn told(summary: &Summary) -> String {
    let mut text = format!(
        "{} lines in {} requests, {:.1} MB, {:.1} s: {:.0} lines/s\n\
         acknowledged {} (committed {}, spooled {}, unstated {}), handed over {}, refused {}, in doubt {}\n",
        summary.sent_lines,
        summary.requests,
        summary.bytes as f64 / 1e6,
        summary.seconds,
        summary.lines_per_second,
        summary.acknowledged_lines(),
        summary.committed_lines,
        summary.spooled_lines,
        summary.unstated_lines,
        summary.handed_over_lines,
        summary.refused_lines,
        summary.in_doubt_lines,
    );
    let spread = |of: &Spread| format!("p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms\n", of.p50, of.p99, of.max);
    if summary.acknowledged_lines() > 0 {
        text += &format!("acknowledged after {}", spread(&summary.acknowledge_ms));
    }
    if summary.behind_ms.max > 0.0 {
        text += &format!("behind the schedule by {}", spread(&summary.behind_ms));
    }
    if summary.doubts > 0 {
        text +=
            &format!("{} attempts without a clear answer, {} found done already\n", summary.doubts, summary.duplicates);
    }
    summary.reasons.iter().fold(text, |text, reason| text + "reason: " + reason + "\n")
}

fn proved(proof: &Proof) -> String {
    let mut text = format!(
        "lost {}, twice {}, phantom {}, wrong {}, torn {}, ledger without rows {}, in the root table {}\n\
         {} rows there, {} acknowledged; requests in doubt: {} there, {} not; refused requests: {}\n",
        proof.lost,
        proof.twice,
        proof.phantom,
        proof.wrong,
        proof.torn,
        proof.ledger_without_rows,
        proof.root_rows,
        proof.rows,
        proof.acknowledged_rows,
        proof.in_doubt_present,
        proof.in_doubt_absent,
        proof.refused_requests,
    );
    if proof.unacknowledged_rows > 0 {
        text += &format!(
            "{} of {} rows sent without acknowledgement are missing\n",
            proof.missing, proof.unacknowledged_rows
        );
    }
    for fault in &proof.faults {
        let at = |name: &str, number: Option<u64>| number.map_or(String::new(), |number| format!(" {name} {number}"));
        text += &format!(
            "{}:{}{}: {}\n",
            fault.what,
            at("source", fault.source.map(u64::from)),
            at("row", fault.row),
            fault.detail
        );
    }
    text
}
