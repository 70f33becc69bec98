//! `chunkwise measurement`

use anyhow::Context;
use chunkwise::{
    config::{Config, MeasurementConfig, RowOrderSetting, SetOrNot},
    db::Role,
    hypertable::{Change, RowOrder, SettingsChange, change_settings, load_measurements, put_defaults},
    query::Questions,
    question::{Invalid, Timestamp, Width},
};
use clap::{ArgGroup, Args, Subcommand};
use sqlx::{Connection, PgConnection};

use super::removal::{self, DeleteRangeArgs, DropArgs};
use crate::{
    database::{Embedded, Place},
    output, service, table,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise measurement list
  chunkwise measurement set ticks --retention 30d      older chunks are dropped, older lines refused
  chunkwise measurement set ticks --retention none     kept for ever, as at the beginning
  chunkwise measurement set ticks --chunk-interval 6h --seal-after 2h
  chunkwise measurement set ticks --chunk-interval auto
  chunkwise measurement drop ticks                     all of it; a line that is written afterwards makes it anew
  chunkwise measurement delete-range ticks --from 2024-05-01 --to 2024-05-02 --tag symbol=AAPL --yes

What chunkwise.toml says in [measurement.NAME] is set again whenever `up` or `ingest` starts.")]
pub(crate) struct MeasurementArgs {
    #[command(subcommand)]
    command: MeasurementCommand,
}

#[derive(Debug, Subcommand)]
enum MeasurementCommand {
    /// The measurements of the namespace, with their size, their range and what is set of them.
    List,
    /// Set how long a measurement's rows are kept, how long its chunks are, when they are finished.
    Set(SetArgs),
    /// Drop a measurement with all its rows, after asking.
    Drop(DropArgs),
    /// Delete the rows of a range of time, of some series or all, after asking.
    DeleteRange(DeleteRangeArgs),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("settings").required(true).multiple(true))]
struct SetArgs {
    /// The measurement
    #[arg(value_name = "NAME")]
    name: String,
    /// How long rows are kept, such as 30d; none keeps them for ever. Whole chunks are dropped, once their last moment is older
    #[arg(long, value_name = "TIME", value_parser = retention, group = "settings")]
    retention: Option<Change>,
    /// How long new chunks are, such as 6h or 1d; auto follows the rate of the data. Chunks that are there stay as they are
    #[arg(long, value_name = "TIME", value_parser = chunk_interval, group = "settings")]
    chunk_interval: Option<Change>,
    /// How long after its end a chunk is sealed; default as chunk.seal_after in the settings says
    #[arg(long, value_name = "TIME", value_parser = seal_after, group = "settings")]
    seal_after: Option<Change>,
    /// What sealing does with the order of rows: arrival leaves them where they came; series rewrites them by series and
    /// time, while nobody reads or writes the chunk
    #[arg(long, value_name = "ORDER", group = "settings")]
    row_order: Option<RowOrder>,
}

fn retention(text: &str) -> Result<Change, String> {
    change(text, "none")
}

fn chunk_interval(text: &str) -> Result<Change, String> {
    match change(text, "auto")? {
        Change::Set(us) if u128::from(us.unsigned_abs()) < MeasurementConfig::LEAST_INTERVAL.as_micros() => {
            Err("a chunk must be a minute long or more".to_owned())
        }
        change => Ok(change),
    }
}

fn seal_after(text: &str) -> Result<Change, String> {
    change(text, "default")
}

fn change(text: &str, unset: &str) -> Result<Change, String> {
    if text == unset {
        return Ok(Change::Unset);
    }
    let advice = format!("write a duration, such as 30d, 12h or 90m, or {unset}");
    match text.parse::<Width>().map(Width::fixed_us) {
        Ok(Some(us)) => Ok(Change::Set(us)),
        Ok(None) => Err(format!("a month has no fixed length; {advice}")),
        Err(_) => Err(advice),
    }
}

pub(crate) async fn run(args: MeasurementArgs, config: &Config) -> anyhow::Result<()> {
    match args.command {
        MeasurementCommand::List => list(config).await,
        MeasurementCommand::Set(args) => set(args, config).await,
        MeasurementCommand::Drop(args) => removal::drop(&args, config).await,
        MeasurementCommand::DeleteRange(args) => removal::delete_range(&args, config).await,
    }
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let place = Place::for_questions(config).await?;
    place.verify().await?;
    let questions = Questions::new(place.database.clone(), service::query_limits(config));
    let header = ["measurement", "series", "rows", "bytes", "from", "to", "chunks of", "sealed after", "kept for"];
    let mut table = table::table(header.map(str::to_owned));
    let time = |us: Option<i64>| us.map(Timestamp::display_us).unwrap_or_default();
    for measurement in questions.measurements(&config.namespace).await? {
        table.add_row([
            table::printable(&measurement.name),
            measurement.series.to_string(),
            measurement.rows.to_string(),
            measurement.bytes.to_string(),
            time(measurement.from_us),
            time(measurement.to_us),
            match measurement.space_partitions {
                None => measurement.chunk_interval.to_string(),
                Some(partitions) => format!("{}, by series in {partitions}", measurement.chunk_interval),
            },
            measurement.seal_after.map_or_else(|| "default".to_owned(), |after| after.to_string()),
            measurement.retention.map_or_else(|| "ever".to_owned(), |kept| kept.to_string()),
        ]);
    }
    output::print(format!("{table}\n").as_bytes())?;
    place.leave().await
}

async fn set(args: SetArgs, config: &Config) -> anyhow::Result<()> {
    let change = SettingsChange {
        seal_after: args.seal_after.unwrap_or_default(),
        retention: args.retention.unwrap_or_default(),
        chunk_interval: args.chunk_interval.unwrap_or_default(),
        space_partitions: None,
        row_order: args.row_order,
    };
    let place = Place::for_everything(config, Embedded::MustRun).await?;
    place.verify().await?;
    let mut connection = place.database.connect(Role::Owner).await.context("connecting to the database")?;
    if !change_settings(&mut connection, &config.namespace, &args.name, &change).await? {
        return Err(unknown(&mut connection, &config.namespace, &args.name).await?.into());
    }
    connection.close().await?;
    output::print(format!("{}: set; running services heed it within half a minute\n", args.name).as_bytes())?;
    place.leave().await
}

/// There is no measurement of that name; which there are.
pub(crate) async fn unknown(
    connection: &mut PgConnection,
    namespace: &str,
    name: &str,
) -> Result<Invalid, sqlx::Error> {
    const SHOWN: usize = 10;
    let known = load_measurements(connection, namespace).await?;
    let more = if known.len() > SHOWN { ", ..." } else { "" };
    let names: Vec<String> = known.iter().take(SHOWN).map(|measurement| table::printable(&measurement.name)).collect();
    let names = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") + more };
    let reason =
        format!("there is no measurement {:?} in the namespace {namespace:?}: {names}", table::printable(name));
    Ok(Invalid::new("NAME", reason))
}

/// Sets what the settings' file says of measurements.
pub(crate) async fn apply(place: &Place, config: &Config) -> anyhow::Result<()> {
    let settings: Vec<(String, SettingsChange)> =
        config.measurement.iter().map(|(name, measurement)| (name.clone(), change_of(measurement))).collect();
    let mut connection = place.database.connect(Role::Owner).await.context("connecting to the database")?;
    put_defaults(&mut connection, &config.namespace, &settings).await.context("setting what [measurement] says")?;
    connection.close().await.context("disconnecting")
}

fn change_of(measurement: &MeasurementConfig) -> SettingsChange {
    let change = |setting: Option<SetOrNot>| match setting {
        None => Change::Keep,
        Some(SetOrNot::Unset) => Change::Unset,
        Some(SetOrNot::For(time)) => Change::Set(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)),
    };
    SettingsChange {
        seal_after: change(measurement.seal_after),
        retention: change(measurement.retention),
        chunk_interval: change(measurement.chunk_interval),
        space_partitions: measurement.space_partitions.map(i32::from),
        row_order: measurement.row_order.map(|order| match order {
            RowOrderSetting::Arrival => RowOrder::Arrival,
            RowOrderSetting::Series => RowOrder::Series,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_durations_or_the_word_that_takes_them_back() {
        assert_eq!(retention("30d"), Ok(Change::Set(30 * 86_400_000_000)));
        assert_eq!(retention("none"), Ok(Change::Unset));
        assert_eq!(chunk_interval("auto"), Ok(Change::Unset));
        assert!(chunk_interval("30s").unwrap_err().contains("minute"));
        assert!(retention("auto").unwrap_err().contains("or none"));
        assert!(seal_after("1mo").unwrap_err().contains("fixed length"));
    }
}
