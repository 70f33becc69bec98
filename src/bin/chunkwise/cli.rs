//! The command line: subcommands, and the flags that all of them share.

use std::path::PathBuf;

use chunkwise::config::{ConfigFile, Setting};
use clap::{Args, Parser, Subcommand};

use crate::{
    command, exit,
    listen::{ListenArgs, WriteListenArgs},
};

const EXAMPLES: &str = "\
Examples:
  chunkwise up --demo
      Everything in one process on 127.0.0.1:8080, with a database of its own, real prices and a live feed.
  chunkwise correlate prices close --bucket 1d --transform log_return --target symbol=AAPL \\
            --range 2020-01-01..2021-01-01 --top 5
      The five stocks whose daily returns went most with Apple's in 2020.
  chunkwise window prices close --bucket 1d --series symbol=AAPL --from 2020-01-01 --to 2021-01-01 \\
            --format npy -o aapl.npy
      A year of closing prices as a numpy array.
  psql \"$(chunkwise db url)\"
      The same data in SQL.

Settings come from chunkwise.toml, then CHUNKWISE_* environment variables, then flags; DATABASE_URL is heeded too.
Results go to standard output; logs and progress go to standard error.";

/// A time-series store on TimescaleDB: feeds stream in, windows come out as arrays, correlations come back in
/// milliseconds.
#[derive(Debug, Parser)]
#[command(
    name = "chunkwise",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every subcommand takes, before or after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Globals {
    /// The settings' file [default: ./chunkwise.toml, else the one in the platform's configuration folder, if there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the embedded database and the spool live [default: ~/.local/share/chunkwise on Linux, for root /var/lib/chunkwise]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, postgres://USER:PASSWORD@HOST/DATABASE [default: DATABASE_URL, else the embedded one]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Another database for questions, such as a replica [default: the database]
    #[arg(long, global = true, value_name = "URL")]
    read_database_url: Option<String>,
    /// The namespace, InfluxDB's `db` or `bucket` [default: public]
    #[arg(long, global = true, value_name = "NAME")]
    namespace: Option<String>,
    /// error, warn, info, debug, trace, or by module: warn,chunkwise::ingest=debug [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<String>,
}

impl Globals {
    /// Which file holds the settings.
    pub(crate) fn config_file(&self) -> ConfigFile {
        self.config.clone().map_or(ConfigFile::Usual, ConfigFile::Named)
    }

    fn settings(&self) -> Vec<Setting> {
        let data_dir = self.data_dir.as_ref().map(|folder| folder.to_string_lossy().into_owned());
        let flags = [
            ("--data-dir", "data_dir", data_dir),
            ("--database-url", "database.url", self.database_url.clone()),
            ("--read-database-url", "database.reader_url", self.read_database_url.clone()),
            ("--namespace", "namespace", self.namespace.clone()),
            ("--log", "log.level", self.log.clone()),
        ];
        flags.into_iter().filter_map(|(flag, key, value)| Some(Setting::flag(flag, key, value?))).collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process: the database, ingestion and questions.
    Up(command::up::UpArgs),
    /// Run the ingestion service: the write routes, line protocol over TCP, OpenTSDB, brokers and feeds.
    #[command(after_help = command::ingest::EXAMPLES)]
    Ingest(WriteListenArgs),
    /// Run the query service alone: it only reads, so it can run on a replica.
    #[command(after_help = command::serve::EXAMPLES)]
    Serve(ListenArgs),
    /// Load files of CSV or line protocol.
    Load(command::load::LoadArgs),
    /// Send made-up data over any protocol, and prove afterwards that all of it arrived once.
    Feed(command::feed::FeedArgs),
    /// Values of some series, bucket by bucket.
    Window(command::window::WindowArgs),
    /// One series against many, over one or several ranges of time.
    Correlate(command::correlate::CorrelateArgs),
    /// Rows of one measurement, each with the last row of another before it.
    Asof(command::asof::AsofArgs),
    /// Make ahead what correlations keep: blocks, in the data folder.
    Warm(command::warm::WarmArgs),
    /// Measurements: what there is and how long it is kept; drop one, delete a range of its rows.
    Measurement(command::measurement::MeasurementArgs),
    /// Series: list a measurement's, drop some.
    Series(command::series::SeriesArgs),
    /// The slices of time that a measurement is cut into: look at them, finish them, drop them.
    Chunks(command::chunks::ChunksArgs),
    /// Measure this machine and its database.
    Bench(command::bench::BenchArgs),
    /// The database: start and stop the embedded one, look at any.
    Db(command::db::DbArgs),
    /// Print a completion script for a shell.
    Completions(command::completions::CompletionsArgs),
    /// Print the manual page, or write one a subcommand.
    Man(command::man::ManArgs),
}

impl Cli {
    /// The settings that the flags give, the last layer.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut settings = self.globals.settings();
        match &self.command {
            Command::Up(args) => settings.extend(args.listen.settings()),
            Command::Ingest(args) => settings.extend(args.settings()),
            Command::Serve(args) => settings.extend(args.settings()),
            _ => {}
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use chunkwise::config::Config;
    use clap::CommandFactory;

    use super::*;

    fn config(line: &str) -> Config {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        Config::load(&ConfigFile::None, [], cli.settings()).unwrap()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn shared_flags_stand_before_or_after_the_subcommand() {
        let before = config("chunkwise --namespace lab --database-url postgres://db/x db status");
        let after = config("chunkwise db status --namespace lab --database-url postgres://db/x");
        assert_eq!(before, after);
        assert_eq!(after.namespace, "lab");
        assert_eq!(after.database.owner().unwrap().expose(), "postgres://db/x");
    }

    #[test]
    fn every_flag_becomes_its_setting() {
        let config = config(
            "chunkwise serve --data-dir /tmp/x --read-database-url postgres://replica/x --log debug \
             --listen 0.0.0.0:0 --insecure-listen",
        );
        assert_eq!(config.data_dir, Some(PathBuf::from("/tmp/x")));
        assert_eq!(config.database.reader().unwrap().expose(), "postgres://replica/x");
        assert!(config.database.writer().is_none());
        assert_eq!(config.log.level, "debug");
        assert_eq!(config.http.listen_addr().unwrap().to_string(), "0.0.0.0:0");
    }

    #[test]
    fn listeners_for_writes_have_flags_where_writes_are_taken() {
        for service in ["up", "ingest"] {
            let config = config(&format!(
                "chunkwise {service} --line-protocol-listen 127.0.0.1:0 --opentsdb-listen off --listen 127.0.0.1:1"
            ));
            let exposure = config.http.exposure;
            assert_eq!(config.line_protocol.listen_addr(exposure).unwrap().unwrap().port(), 0);
            assert_eq!(config.opentsdb.listen_addr(exposure).unwrap(), None);
            assert_eq!(config.http.listen_addr().unwrap().port(), 1);
        }
        assert!(Cli::try_parse_from(["chunkwise", "serve", "--opentsdb-listen", "off"]).is_err());
    }

    #[test]
    fn numbers_in_text_flags_stay_text() {
        assert_eq!(config("chunkwise db status --namespace 2024").namespace, "2024");
    }
}
