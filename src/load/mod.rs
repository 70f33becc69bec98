//! Files of rows -> parts that are ready to be written: the core of `chunkwise load`.
//!
//! ```text
//! file -> plain bytes -> whole records, by about 50,000 -> rows by column -> lines -> (the ingest path)
//!         source         cutting, record, chain            read, rows        lines
//!         follow, pipe
//! Parquet -> record batches -> rows by column, by about 50,000 -> lines
//!            parquet/parts     parquet/rows, chain
//! ```
//!
//! [`Plan::infer`] looks at the beginning of a file and tells what it holds; shown to the user, it says what was inferred
//! and which flag changes it. [`Plan::parts`] streams the file in bounded memory, [`Plan::read`] makes rows of a part, on
//! any thread. [`Plan::dry_run`] does both and only counts.
//!
//! **A load that is cut off is started again, and writes nothing twice; of a file that has grown it writes what is new.**
//! Each part is one request with a [key](PartKey) of its own, which depends on the file's bytes before it and on how they
//! are read, not on when. Under the key the database's ledger keeps what the part was: see [`chain`].
//!
//! What is taken as what, where the user says nothing (for Parquet see [its module](self::parquet)):
//!
//! | | |
//! |---|---|
//! | format | by the name's ending (`.csv`, `.tsv`, `.lp`, each with `.gz`, `.zst` or without; `.parquet`), else by its beginning (also [TSBS](crate::protocol::tsbs)) |
//! | measurement | the file's name without its endings |
//! | names | as the header writes them, case included, without white space around them |
//! | time | the column named `time`, `timestamp`, `date` and so on (also `time (UTC)`), else the only one with ISO times; of a given format, the one whose cells are of it |
//! | time format | ISO 8601 with the year first, `YYYYMMDD`, or a number since 1970 by its size; never a guess between day and month |
//! | tags | the columns of text |
//! | fields | the columns of numbers (float8), booleans and further times; a quarter of the cells may be bad |
//! | missing | empty, `NA`, `NaN`, `null`, `N/A` in a column of numbers, booleans or times; in one of text the empty cell |

mod cell;
mod census;
mod chain;
mod cutting;
mod dialect;
mod error;
mod folder;
mod follow;
mod infer;
mod iso;
mod lines;
mod mapping;
mod note;
mod options;
mod parquet;
mod part;
mod pipe;
mod plan;
mod profile;
mod read;
mod record;
mod refusal;
mod rows;
mod sample;
mod show;
mod source;
mod time_column;
mod time_rule;

pub use census::Census;
pub use chain::{Extent, PartKey};
pub use error::LoadError;
pub use folder::{Found, find_files};
pub use follow::StopSign;
pub use lines::PartLines;
pub use mapping::{Column, FieldKind, Layout, Mapping, Role};
pub use note::Note;
pub use options::{BadRows, FileFormat, Growth, LoadOptions, WideOptions, Zone};
pub use parquet::ParquetPlan;
pub use part::{
    Content, Ending, History, PART_BYTES, PART_ROWS, Part, PartPlace, RawPart, RawParts, RawRecords, Recorded,
};
pub use plan::{CsvPlan, Plan, PlannedContent};
pub use refusal::{CellPlace, Counted, Reason, RowError, Tally};
pub use rows::{FieldColumn, Rows, TagColumn, Texts, Values};
pub use sample::Sample;
pub use source::{Compression, Progress};
pub use time_rule::{TimeFormat, TimePattern, TimeRule, UnixUnit};

#[cfg(test)]
mod tests;
