//! `chunkwise chunks`

use anyhow::Context;
use chunkwise::{
    config::Config,
    db::{Role, check_server},
    hypertable::load_measurement,
    life::{ChunkLook, LifeError, LifeOptions, SealOutcome, Sealer, drop_chunk, look},
    query::Questions,
    question::{Invalid, Timestamp},
};
use clap::{Args, Subcommand};
use sqlx::{Connection, PgConnection};

use super::measurement::unknown;
use crate::{
    database::{Embedded, Place},
    exit::{Exit, Reported},
    jobs, output, service, table,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise chunks list ticks
  chunkwise chunks explain ticks                       why each is hot or sealed, and what happens next
  chunkwise chunks seal prices                         now, without waiting for `up` or `ingest` to do it
  chunkwise chunks drop ticks --before 2024-01-01      whole chunks, for good

A chunk is sealed once its time is over and nothing was written to it for a while: `up` and `ingest` do so by themselves,
and drop what is older than a measurement's retention. SELECT * FROM chunkwise.chunks shows the same in SQL, and
chunkwise.chunk_event what was done.")]
pub(crate) struct ChunksArgs {
    #[command(subcommand)]
    command: ChunksCommand,
}

#[derive(Debug, Subcommand)]
enum ChunksCommand {
    /// Chunks with their time, state and size: of one measurement or of all.
    List {
        /// The measurement
        #[arg(value_name = "NAME")]
        measurement: Option<String>,
    },
    /// Why each chunk is in its state, what happens to it next, and when.
    Explain(Which),
    /// Seal chunks now whose time is over, also those that were written to a moment ago.
    Seal(Which),
    /// Drop chunks with all their rows, for good; with space partitions all chunks of the same time.
    Drop {
        /// The measurement
        #[arg(value_name = "NAME")]
        measurement: String,
        /// The chunks, as `chunks list` names them
        #[arg(value_name = "CHUNK", required_unless_present = "before")]
        chunks: Vec<String>,
        /// All that end at this time or before
        #[arg(long, value_name = "TIME", conflicts_with = "chunks")]
        before: Option<Timestamp>,
    },
}

/// Chunks of a measurement.
#[derive(Debug, Args)]
struct Which {
    /// The measurement
    #[arg(value_name = "NAME")]
    measurement: String,
    /// The chunks, as `chunks list` names them [default: all]
    #[arg(value_name = "CHUNK")]
    chunks: Vec<String>,
}

pub(crate) async fn run(args: ChunksArgs, config: &Config) -> anyhow::Result<()> {
    match args.command {
        ChunksCommand::List { measurement } => list(measurement.as_deref(), config).await,
        ChunksCommand::Explain(which) => explain(&which, config).await,
        ChunksCommand::Seal(which) => seal(&which, config).await,
        ChunksCommand::Drop { measurement, chunks, before } => {
            drop_chunks(&Which { measurement, chunks }, before, config).await
        }
    }
}

async fn list(measurement: Option<&str>, config: &Config) -> anyhow::Result<()> {
    let place = Place::for_questions(config).await?;
    place.verify().await?;
    let questions = Questions::new(place.database.clone(), service::query_limits(config));
    let header = ["measurement", "chunk", "from", "to", "series", "state", "rows", "bytes", "index bytes"];
    let mut table = table::table(header.map(str::to_owned));
    for (measurement, detail) in questions.chunks(&config.namespace, measurement, None, None).await? {
        table.add_row([
            table::printable(&measurement),
            detail.name.clone(),
            Timestamp::display_us(detail.chunk.from_us),
            Timestamp::display_us(detail.chunk.to_us),
            detail.partition.map_or_else(|| "all".to_owned(), |partition| format!("{partition}, by hash")),
            if detail.compressed { format!("{}, compressed", detail.state()) } else { detail.state().to_owned() },
            detail.rows.to_string(),
            detail.bytes.to_string(),
            detail.index_bytes.to_string(),
        ]);
    }
    output::print(format!("{table}\n").as_bytes())?;
    place.leave().await
}

/// The chunks on the owner's session.
struct Looked {
    place: Place,
    connection: PgConnection,
    sealer: Sealer,
    chunks: Vec<ChunkLook>,
}

impl Looked {
    async fn at(which: &Which, config: &Config) -> anyhow::Result<Self> {
        let place = Place::for_everything(config, Embedded::MustRun).await?;
        place.verify().await?;
        let mut connection = place.database.connect(Role::Owner).await.context("connecting to the database")?;
        let (namespace, name) = (&config.namespace, &which.measurement);
        let Some(measurement) = load_measurement(&mut connection, namespace, name).await? else {
            return Err(unknown(&mut connection, namespace, name).await?.into());
        };
        let edition = check_server(&mut connection).await?.edition;
        let options: LifeOptions = jobs::life_options(config);
        let mut chunks = look(&mut connection, edition, options, Some(measurement.id)).await?;
        if let Some(missing) = which.chunks.iter().find(|name| chunks.iter().all(|chunk| chunk.name() != **name)) {
            let reason = format!("{missing:?} is no chunk of {name:?}: `chunkwise chunks list {name}` names them");
            return Err(Invalid::new("CHUNK", reason).into());
        }
        chunks.retain(|chunk| which.chunks.is_empty() || which.chunks.contains(&chunk.name()));
        let sealer = Sealer { edition, database: place.database.clone() };
        Ok(Self { place, connection, sealer, chunks })
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.connection.close().await.context("disconnecting")?;
        self.place.leave().await
    }
}

async fn explain(which: &Which, config: &Config) -> anyhow::Result<()> {
    let looked = Looked::at(which, config).await?;
    for chunk in &looked.chunks {
        let (from, to) = (Timestamp::display_us(chunk.from_us), Timestamp::display_us(chunk.facts.to_us));
        let part = chunk.partition.map_or_else(String::new, |partition| format!(", series by hash, {partition}"));
        output::print(format!("{}, {from} to {to}{part}\n    {}\n", chunk.name(), chunk.explain()).as_bytes())?;
    }
    looked.leave().await
}

async fn seal(which: &Which, config: &Config) -> anyhow::Result<()> {
    let mut looked = Looked::at(which, config).await?;
    let mut failed = false;
    for chunk in &looked.chunks {
        let facts = &chunk.facts;
        let said = if facts.to_us > facts.now_us {
            "its time is not over, and it stays hot".to_owned()
        } else if facts.sealed_us.is_some() && !facts.is_late {
            "was sealed".to_owned()
        } else {
            match looked.sealer.seal(&mut looked.connection, chunk).await {
                Ok(SealOutcome::Sealed(took)) => format!("sealed in {:.1} s", took.as_secs_f64()),
                Ok(SealOutcome::Elsewhere) => "another process seals it".to_owned(),
                Err(LifeError::Unavailable(error)) => return Err(error.into()),
                Err(error) => {
                    failed = true;
                    format!("not sealed: {error}")
                }
            }
        };
        output::print(format!("{}: {said}\n", chunk.name()).as_bytes())?;
    }
    looked.leave().await?;
    if failed { Err(Reported(Exit::Failure).into()) } else { Ok(()) }
}

async fn drop_chunks(which: &Which, before: Option<Timestamp>, config: &Config) -> anyhow::Result<()> {
    let mut looked = Looked::at(which, config).await?;
    let is_meant = |chunk: &&ChunkLook| before.is_none_or(|before| chunk.facts.to_us <= before.us());
    let mut failed = false;
    for chunk in looked.chunks.iter().filter(is_meant) {
        let said = match drop_chunk(&mut looked.connection, chunk, "asked for by `chunkwise chunks drop`").await {
            Ok(true) => "dropped".to_owned(),
            Ok(false) | Err(LifeError::Gone(_)) => "was gone".to_owned(),
            Err(LifeError::Unavailable(error)) => return Err(error.into()),
            Err(error) => {
                failed = true;
                format!("not dropped: {error}")
            }
        };
        output::print(format!("{}: {said}\n", chunk.name()).as_bytes())?;
    }
    looked.leave().await?;
    if failed { Err(Reported(Exit::Failure).into()) } else { Ok(()) }
}
