//! What the user says about a file; everything that is not said is inferred.

use chrono_tz::Tz;

use crate::protocol::Precision;

/// What a load is told about a file. [`LoadOptions::default`] says nothing, and has all of it inferred.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// What the file holds; by default by its name, else by its first line.
    pub format: Option<FileFormat>,
    /// The measurement that the rows go to; by default the file's name without its endings.
    pub measurement: Option<String>,
    /// The column with the time, as the header writes it; by default by name (`time`, `timestamp`, `date`, ...), else the
    /// only column whose cells are times.
    pub time_column: Option<String>,
    /// A pattern of chrono's `strftime`, for times that are not inferred.
    pub time_format: Option<String>,
    /// The zone of times that carry none.
    pub time_zone: Zone,
    /// The columns that name a series; by default those that hold text. Where given, other text columns are text fields.
    pub tag_columns: Option<Vec<String>>,
    /// That each column but the time's and the tags' is a series of its own.
    pub wide: Option<WideOptions>,
    /// What integers count that are times: of line protocol, by default nanoseconds, and of Parquet, by default what their
    /// size suggests. Those of CSV are always taken by their size, those of TSBS are nanoseconds.
    pub precision: Option<Precision>,
    /// The byte between cells; by default one of `,`, `;`, tab and `|`, by the first lines.
    pub delimiter: Option<u8>,
    /// What a row that cannot be read does to the load.
    pub bad_rows: BadRows,
    /// Whether the file may still grow.
    pub growth: Growth,
}

/// Whether a file may still grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Growth {
    /// It is complete: its last line is one, also without a line break.
    #[default]
    Complete,
    /// It is being written: a last line without a line break is not looked at. Plain files of CSV and line protocol only.
    Growing,
}

/// How to read a wide file: its header holds the series, its cells the values of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WideOptions {
    /// The tag whose values the header holds.
    pub tag: String,
    /// The field that the cells are of.
    pub field: String,
}

impl WideOptions {
    /// The field of a wide file's cells where none is named.
    pub const DEFAULT_FIELD: &'static str = "value";

    /// A wide file whose header holds values of `tag`, and whose cells are of `field`, by default `value`.
    pub fn new(tag: impl Into<String>, field: Option<String>) -> Self {
        Self { tag: tag.into(), field: field.unwrap_or_else(|| Self::DEFAULT_FIELD.into()) }
    }
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Separated cells with a header line.
    Csv,
    /// InfluxDB's line protocol.
    LineProtocol,
    /// Apache Parquet.
    Parquet,
    /// Data of TSBS in its `timescaledb` format.
    Tsbs,
}

/// The zone of times that carry none: UTC, unless another is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub Tz);

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

/// What a row that cannot be read does to the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadRows {
    /// It is reported and left out; the others are loaded.
    #[default]
    LeaveOut,
    /// The load stops there. Parts before the one with the bad row have been handed on.
    Stop,
}
