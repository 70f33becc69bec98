//! `chunkwise load`

use std::{
    fmt::Display,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use chrono_tz::Tz;
use chunkwise::{
    config::Config,
    load::{
        BadRows, Census, FileFormat, Growth, LoadError, LoadOptions, Plan, StopSign, Tally, WideOptions, Zone,
        find_files,
    },
    protocol::Precision,
    question::{Invalid, Timestamp},
};
use clap::Args;

use crate::{
    database::{Embedded, Place},
    exit::{Exit, Reported},
    jobs,
    listen::StopSignal,
    loader::{Loaded, Loader},
    output, progress, service,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise load prices.csv.gz --wide-tag symbol --field close
      Date,AAPL,MSFT,... : each column but the date is a series, its header the value of the tag symbol.
  chunkwise load stocks.csv --measurement stocks --tag-columns Ticker --dry-run
      Ticker,Date,Open,Close,... : shows what would be loaded, and loads nothing.
  chunkwise load trades.parquet --time-column ts --tag-columns symbol,venue
      Parquet, by its own types: numbers are float8 or int8, text is tags, timestamps are times.
  chunkwise load sensors.lp.gz --precision s
      InfluxDB's line protocol, with times in seconds.
  chunkwise load days/ --measurement trades
      All files of CSV, line protocol and Parquet in a folder, by name.
  chunkwise load timescaledb-data.gz
      Data of TSBS, as `tsbs_generate_data --format timescaledb` or `--format influx` writes it.
  chunkwise load readings.csv --follow
      What is there, then each line that is appended, within about a second; until Ctrl-C.
  mosquitto_sub -t sensors | chunkwise load - --format lp
      Standard input, as it comes.

A file's beginning tells what it holds; the plan is shown, with the flags that change it. Rows that cannot be read are left
out and reported with their line; the exit code is 4 then. A load that was cut off is started again with the same command
and writes nothing twice; of a file that has grown it writes what is new. The ledger knows for 7 days what was loaded
(ingest.key_retention).")]
pub(crate) struct LoadArgs {
    /// Files of CSV (.csv, .tsv) or line protocol (.lp), plain, gzip or zstd, and Parquet (.parquet); of a folder, all such
    /// files in it; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show what would be loaded, read everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on with what is appended to the file, also when it is replaced or cut short (as log rotation does), until Ctrl-C
    #[arg(long, conflicts_with = "dry_run")]
    follow: bool,
    /// csv, lp, parquet or tsbs [default: by the file's name, else by its beginning]
    #[arg(long, value_name = "FORMAT", value_parser = file_format)]
    format: Option<FileFormat>,
    /// What integers count that are times: ns, us, ms, s, m, h, or auto by their size [default: ns in line protocol, by
    /// their size in Parquet]
    #[arg(long, value_name = "UNIT", value_parser = precision)]
    precision: Option<Precision>,
    /// Stop at the first row that cannot be read instead of leaving it out
    #[arg(long)]
    stop_at_bad_row: bool,
    #[command(flatten)]
    table: TableArgs,
}

/// How to read CSV and Parquet.
#[derive(Debug, Args)]
#[command(next_help_heading = "CSV and Parquet")]
struct TableArgs {
    /// The measurement [default: the file's name without its endings]
    #[arg(long, value_name = "NAME")]
    measurement: Option<String>,
    /// The column with the time [default: by its name, else the only one that holds times]
    #[arg(long, value_name = "COLUMN")]
    time_column: Option<String>,
    /// How times are written, in strftime's signs, such as '%d.%m.%Y %H:%M' [default: ISO 8601, or seconds since 1970]
    #[arg(long, value_name = "FORMAT")]
    time_format: Option<String>,
    /// The IANA zone of times that carry none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: Tz,
    /// The columns that name a series, with commas between [default: those that hold text]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    tag_columns: Option<Vec<String>>,
    /// A wide file: each other column is a series, its header the value of this tag
    #[arg(long, value_name = "TAG")]
    wide_tag: Option<String>,
    /// The field that a wide file's cells are of [default: value]
    #[arg(long, value_name = "NAME", requires = "wide_tag")]
    field: Option<String>,
    /// The character between cells of CSV [default: one of , ; tab | by the first lines]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
}

fn file_format(name: &str) -> Result<FileFormat, &'static str> {
    match name {
        "csv" => Ok(FileFormat::Csv),
        "lp" => Ok(FileFormat::LineProtocol),
        "parquet" => Ok(FileFormat::Parquet),
        "tsbs" => Ok(FileFormat::Tsbs),
        _ => Err("write csv, lp for line protocol, parquet, or tsbs"),
    }
}

fn precision(unit: &str) -> Result<Precision, &'static str> {
    unit.parse().map_err(|_| "write ns, us, ms, s, m, h or auto")
}

fn delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("write one ASCII character, or tab"),
    }
}

impl LoadArgs {
    fn options(&self) -> LoadOptions {
        let table = &self.table;
        LoadOptions {
            format: self.format,
            measurement: table.measurement.clone(),
            time_column: table.time_column.clone(),
            time_format: table.time_format.clone(),
            time_zone: Zone(table.time_zone),
            tag_columns: table.tag_columns.clone(),
            wide: table.wide_tag.as_ref().map(|tag| WideOptions::new(tag, table.field.clone())),
            delimiter: table.delimiter,
            precision: self.precision,
            growth: if self.follow { Growth::Growing } else { Growth::Complete },
            bad_rows: if self.stop_at_bad_row { BadRows::Stop } else { BadRows::LeaveOut },
        }
    }
}

pub(crate) async fn run(args: &LoadArgs, config: &Config) -> anyhow::Result<()> {
    // All plans first: a mistake about the last file shows before the first one is loaded.
    let mut plans = Vec::new();
    let found = find_files(&args.files)
        .map_err(|(folder, error)| anyhow::Error::from(error).context(folder.display().to_string()))?;
    for path in &found.skipped {
        eprintln!("skipped: {}, which is not called like a file of CSV, line protocol or Parquet", path.display());
    }
    if args.follow {
        let [path] = found.files.as_slice() else { return Err(Invalid::new("--follow", "takes one file").into()) };
        return follow(path, args.options(), config).await;
    }
    for path in found.files {
        let options = args.options();
        let name = path.display().to_string();
        let planned = tokio::task::spawn_blocking(move || Plan::infer(&path, &options)).await?;
        plans.push(Arc::new(planned.context(name)?));
    }
    if args.dry_run {
        for plan in plans {
            output::print(plan.to_string().as_bytes())?;
            output::print(census_line(&count(plan).await?).as_bytes())?;
        }
        return Ok(());
    }
    let place = Place::for_everything(config, Embedded::Start).await?;
    let loaded = load_all(&plans, &place, config).await;
    loaded.and(place.leave().await)
}

async fn load_all(plans: &[Arc<Plan>], place: &Place, config: &Config) -> anyhow::Result<()> {
    place.prepare().await?;
    let loader = Loader::start(place, &config.namespace, service::ingest_options(config))
        .sealing(place, jobs::life_options(config));
    let mut refused = 0;
    for plan in plans {
        eprintln!("{plan}");
        let loaded = loader.load(plan, None).await.with_context(|| plan.path.display().to_string())?;
        report_refused(&plan.path, &loaded.tally);
        report_unfit(&plan.path, &loaded);
        refused += report(plan, &loaded)?;
    }
    loader.finish().await;
    if refused > 0 { Err(Reported(Exit::BadRows).into()) } else { Ok(()) }
}

/// Loads a file and what is appended to it, until a signal.
async fn follow(path: &Path, options: LoadOptions, config: &Config) -> anyhow::Result<()> {
    let stop = StopSign::default();
    let mut signal = StopSignal::listen()?;
    tokio::spawn({
        let stop = stop.clone();
        async move {
            signal.heard().await;
            stop.raise();
        }
    });
    let planned = plan_of_growing(path, &options, &stop).await.with_context(|| path.display().to_string())?;
    let Some(plan) = planned.map(Arc::new) else { return Ok(()) };
    let place = Place::for_everything(config, Embedded::Start).await?;
    let followed = async {
        place.prepare().await?;
        let loader = Loader::start(&place, &config.namespace, service::ingest_options(config));
        eprintln!("{plan}\nfollowing {} until Ctrl-C", path.display());
        let loaded = loader.load(&plan, Some(&stop)).await.with_context(|| path.display().to_string())?;
        loader.finish().await;
        if report(&plan, &loaded)? > 0 { Err(Reported(Exit::BadRows).into()) } else { Ok(()) }
    };
    let followed = followed.await;
    followed.and(place.leave().await)
}

/// Waits until the file is there and has a row, which tells what the others are; `None` if it is stopped before.
async fn plan_of_growing(path: &Path, options: &LoadOptions, stop: &StopSign) -> anyhow::Result<Option<Plan>> {
    const LOOK_EVERY: Duration = Duration::from_millis(250);
    let mut is_told = false;
    while !stop.is_raised() {
        let (path, options) = (path.to_owned(), options.clone());
        match tokio::task::spawn_blocking(move || Plan::infer(&path, &options)).await? {
            Err(LoadError::Empty | LoadError::NoRows) => {}
            Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            planned => return Ok(Some(planned?)),
        }
        if !is_told {
            eprintln!("waiting for the first row");
            is_told = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(None)
}

/// The summary of a file, on standard output. Returns how many rows were left out.
fn report(plan: &Plan, loaded: &Loaded) -> anyhow::Result<u64> {
    let refused = loaded.tally.refused + loaded.unfit;
    let text = format!(
        "{}: {} rows written, {refused} left out as bad, {} were there already\n",
        plan.path.display(),
        loaded.written_rows,
        loaded.duplicate_rows
    );
    output::print(text.as_bytes())?;
    Ok(refused)
}

async fn count(plan: Arc<Plan>) -> anyhow::Result<Census> {
    let bar = progress::bytes_bar(plan.file_bytes);
    let path = plan.path.clone();
    let counted = tokio::task::spawn_blocking(move || {
        let census = plan.dry_run(|progress| bar.set_position(progress.consumed_bytes()));
        bar.finish_and_clear();
        census
    });
    let census = counted.await?.with_context(|| path.display().to_string())?;
    report_refused(&path, &census.tally);
    Ok(census)
}

fn census_line(census: &Census) -> String {
    let Tally { rows, refused, empty, .. } = census.tally;
    let range = census.range_us.map_or_else(String::new, |(low, high)| {
        format!(", {} to {}", Timestamp::display_us(low), Timestamp::display_us(high))
    });
    format!("would write {rows} rows of {} series{range}; {refused} bad, {empty} without a value\n", census.series)
}

/// The first lines that the measurement could not take, on standard error.
fn report_unfit(path: &Path, loaded: &Loaded) {
    report_left_out(path, &loaded.unfit_shown, loaded.unfit);
}

/// The first refused rows with their lines, on standard error.
fn report_refused(path: &Path, tally: &Tally) {
    report_left_out(path, &tally.errors, tally.refused);
}

/// `total` were left out of a file, and of the first of them it is known where and why.
fn report_left_out(path: &Path, first: &[impl Display], total: u64) {
    for refused in first {
        eprintln!("left out: {}, {refused}", path.display());
    }
    let more = total.saturating_sub(first.len() as u64);
    if more > 0 {
        eprintln!("left out: {}, {more} more", path.display());
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn options(flags: &str) -> Result<LoadOptions, clap::Error> {
        let line = format!("chunkwise load a.csv {flags}");
        let Command::Load(args) = Cli::try_parse_from(line.split_whitespace())?.command else { panic!("{line}") };
        Ok(args.options())
    }

    #[test]
    fn every_flag_is_an_option_of_the_plan() {
        let options = options(
            "--format csv --measurement prices --time-column Date --time-format %d.%m.%Y --time-zone Europe/Berlin \
             --tag-columns Ticker,Exchange --wide-tag symbol --field close --delimiter tab --stop-at-bad-row",
        );
        let options = options.unwrap();
        assert_eq!(options.format, Some(FileFormat::Csv));
        assert_eq!(options.measurement.as_deref(), Some("prices"));
        assert_eq!(options.time_column.as_deref(), Some("Date"));
        assert_eq!(options.time_format.as_deref(), Some("%d.%m.%Y"));
        assert_eq!(options.time_zone.0, Tz::Europe__Berlin);
        assert_eq!(options.tag_columns.unwrap(), ["Ticker", "Exchange"]);
        assert_eq!(options.wide, Some(WideOptions::new("symbol", Some("close".to_owned()))));
        assert_eq!(options.delimiter, Some(b'\t'));
        assert_eq!(options.bad_rows, BadRows::Stop);
    }

    #[test]
    fn a_wide_file_s_field_is_value_unless_named() {
        assert_eq!(options("--wide-tag symbol").unwrap().wide.unwrap().field, "value");
        assert!(options("--field close").is_err(), "a field without a wide tag would do nothing");
        assert_eq!(options("--format parquet").unwrap().format, Some(FileFormat::Parquet));
        assert_eq!(options("--format tsbs").unwrap().format, Some(FileFormat::Tsbs));
        assert!(options("--format xlsx").is_err());
        assert_eq!(options("--follow").unwrap().growth, Growth::Growing);
        assert!(options("--follow --dry-run").is_err());
        assert!(options("--delimiter ::").is_err());
        assert!(options("--precision weeks").is_err());
    }

    #[tokio::test]
    async fn a_dry_run_counts_a_real_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sp500_prices.csv.gz");
        let options = options("--wide-tag symbol --field close").unwrap();
        let plan = Plan::infer(path.as_ref(), &options).unwrap();
        let census = count(Arc::new(plan)).await.unwrap();
        assert!(
            census_line(&census)
                .starts_with("would write 166260 rows of 20 series, 1990-01-02T00:00:00Z to 2022-12-28")
        );
    }
}
