//! Why a file cannot be loaded at all. A single bad row is a [`RowError`] instead.

use std::io;

use super::RowError;
use crate::protocol::tsbs::HeadError;

/// Why a file cannot be loaded. The messages do not name the file: the caller knows which one it gave.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be opened or read; for a compressed file also that it is cut short or damaged.
    #[error("reading the file failed after {after_bytes} bytes")]
    Read {
        /// Bytes of the file that were read before.
        after_bytes: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// There is a header, and nothing after it.
    #[error("the file has a header line and no rows")]
    NoRows,
    /// The text is not UTF-8.
    #[error("the file is {0}: save it as UTF-8 first (iconv -f UTF-16 -t UTF-8, or \"CSV UTF-8\" in Excel)")]
    Encoding(&'static str),
    /// The file is of a kind that is not read.
    #[error("the file is {0}, which is not read here: give CSV or line protocol, plain, gzip or zstd, or Parquet")]
    UnsupportedFormat(&'static str),
    /// Parquet where it cannot be read.
    #[error("the file is Parquet within {0}")]
    ParquetIn(&'static str),
    /// The Parquet file is damaged, or of a kind that cannot be read.
    #[error(
        "reading the Parquet file failed after {after_rows} rows: it is damaged, or not complete, or needs what is not there"
    )]
    Parquet {
        /// Rows that were read before.
        after_rows: u64,
        /// What the reader said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A column is asked for that holds what cannot be stored.
    #[error("column `{column}` holds {kind}, which is no {what}: leave it out")]
    UnsupportedColumn {
        /// The column.
        column: String,
        /// Its type.
        kind: String,
        /// What it was asked for.
        what: &'static str,
    },
    /// The file cannot be followed.
    #[error("--follow is for plain files of CSV and line protocol that grow: this one {0}")]
    NotFollowed(&'static str),
    /// A pipe has been read.
    #[error("a pipe can be read only once")]
    ReadOnce,
    /// The ledger could not be asked what is written.
    #[error("asking which parts are written failed")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file is not one of TSBS's, or one that cannot be loaded.
    #[error("the file is not data of TSBS in its `timescaledb` format")]
    Tsbs(#[from] HeadError),
    /// The first line holds values.
    #[error("the first line looks like data (`{0}`): put a header line with the columns' names before it")]
    NoHeader(String),
    /// Two columns have the same name.
    #[error("the header names `{name}` twice, in columns {first} and {second}: rename one of them")]
    DuplicateColumn {
        /// The name.
        name: String,
        /// The first column with it, from 1.
        first: usize,
        /// The second one.
        second: usize,
    },
    /// An option names a column that is not there.
    #[error("there is no column `{name}`; there are: {columns}")]
    UnknownColumn {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        columns: String,
    },
    /// No column holds the time.
    #[error("no column is recognised as the time: name it with --time-column; there are: {0}")]
    NoTimeColumn(String),
    /// Several columns could hold the time.
    #[error("several columns could be the time ({0}): name one with --time-column")]
    ManyTimeColumns(String),
    /// The date is in one column and the time of the day in another.
    #[error("column `{date}` holds dates and column `{time}` times of the day: join them into one column first")]
    SplitTime {
        /// The column with dates.
        date: String,
        /// The column with times of the day.
        time: String,
    },
    /// Dates whose day and month could be either.
    #[error("column `{column}` has dates such as `{cell}`, whose day and month are ambiguous: say which with {flags}")]
    AmbiguousDate {
        /// The column.
        column: String,
        /// One of its cells.
        cell: String,
        /// The flags that fit all cells looked at.
        flags: String,
    },
    /// Times in a format that is not known.
    #[error(
        "column `{column}` has times such as `{cell}`: give their format with --time-format, such as %d.%m.%Y %H:%M"
    )]
    UnknownTimeFormat {
        /// The column.
        column: String,
        /// One of its cells.
        cell: String,
    },
    /// The pattern given for times is not one.
    #[error("`{0}` is not a time format: write it in strftime's signs, such as %Y-%m-%d %H:%M:%S")]
    InvalidTimeFormat(String),
    /// A column of a wide file does not hold numbers.
    #[error("column `{0}` holds text, and in a wide file each column is a series of numbers: name it in --tag-columns")]
    TextInWide(String),
    /// Tag and field, or two tags, would have one name.
    #[error("`{0}` would be the name of two columns of the measurement: choose another --wide-tag or --field")]
    SameName(String),
    /// A name that each measurement has a column of already.
    #[error(
        "a tag or a field cannot be named `{0}`, every measurement has a column of that name: rename it in the header"
    )]
    ReservedName(String),
    /// A name that is too long.
    #[error("the name `{0}` in the header is too long: shorten it")]
    NameTooLong(String),
    /// More columns than a measurement can have.
    #[error("the file has {count} {what}, and a row at most {limit}: if its header holds series, give --wide-tag NAME")]
    TooManyColumns {
        /// Tags or fields.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// No column is left for values.
    #[error("no column holds values: besides the time there are only tags")]
    NoFields,
    /// The measurement has no name.
    #[error("the file's name gives no name for the measurement: give one with --measurement")]
    NoMeasurement,
    /// An option that has no meaning for line protocol and for TSBS.
    #[error("{0} is for CSV and Parquet: line protocol, as a file of TSBS, says itself what its lines hold")]
    OnlyForTables(&'static str),
    /// An option that has no meaning for Parquet.
    #[error("{0} is for CSV: Parquet knows its columns")]
    OnlyForCsv(&'static str),
    /// One record is too long, as after a quote that is never closed.
    #[error("the record at line {line} is longer than {limit_bytes} bytes: is a quote not closed?")]
    RecordTooLong {
        /// The record's first line, from 1.
        line: u64,
        /// The limit.
        limit_bytes: usize,
    },
    /// The header differs from the one that the plan was made from.
    #[error("the file's header has changed since the plan was made")]
    Changed,
    /// A row cannot be read, and the load is to stop at such a row.
    #[error("stopped at the first bad row: {0}")]
    BadRow(RowError),
    /// The CSV reader refused a record.
    #[error("the CSV reader failed")]
    Csv(#[from] csv::Error),
}
