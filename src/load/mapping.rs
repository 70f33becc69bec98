//! What each column of a file is.

use std::fmt;

use super::{LoadError, LoadOptions, TimeRule};

/// How the records of a CSV or Parquet file become rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The measurement that the rows go to.
    pub measurement: String,
    /// What each column is, in the file's order. Names are the header's, without white space around them.
    pub columns: Vec<Column>,
    /// How times are read.
    pub time: TimeRule,
    /// What a record is.
    pub layout: Layout,
}

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The header's name.
    pub name: String,
    /// What its cells are.
    pub role: Role,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The row's time.
    Time,
    /// The value of a tag.
    Tag,
    /// The value of a field.
    Field(FieldKind),
    /// In a wide file: the values of one series.
    Series,
    /// Nothing: the column has no name, or holds what no field can.
    LeftOut,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// float8: every number of a CSV file, since CSV does not tell integers from others.
    Number,
    /// int8, of Parquet.
    Integer,
    /// bool.
    Boolean,
    /// text.
    Text,
    /// timestamptz: a time besides the row's own.
    Time,
}

/// What a record of the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// A row: its cells are tags and fields.
    Long,
    /// A row for each series column.
    Wide {
        /// The tag whose values are the series columns' names.
        tag: String,
        /// The field that the cells are of.
        field: String,
    },
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "float8",
            Self::Integer => "int8",
            Self::Boolean => "bool",
            Self::Text => "text",
            Self::Time => "timestamptz",
        })
    }
}

impl Mapping {
    /// Indexes and names of the columns with this role.
    pub(super) fn with_role(&self, role: Role) -> impl Iterator<Item = (usize, &str)> {
        self.columns.iter().enumerate().filter(move |(_, c)| c.role == role).map(|(index, c)| (index, c.name.as_str()))
    }

    /// Indexes, names and kinds of the fields' columns.
    pub(super) fn fields(&self) -> impl Iterator<Item = (usize, &str, FieldKind)> {
        self.columns.iter().enumerate().filter_map(|(index, column)| match column.role {
            Role::Field(kind) => Some((index, column.name.as_str(), kind)),
            _ => None,
        })
    }

    /// Rows that a record brings at most.
    pub(super) fn rows_per_record(&self) -> usize {
        match self.layout {
            Layout::Long => 1,
            Layout::Wide { .. } => self.with_role(Role::Series).count().max(1),
        }
    }

    /// How the file is read, as far as that is sure to stay so while it grows: what the user said, the measurement, the
    /// header. What the columns hold is found out from the first rows, and may look otherwise when there are more.
    ///
    /// Each text is taken in after its length, so that no two mappings take in the same bytes.
    pub(super) fn identity(&self, format: &str, options: &LoadOptions) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        text(format);
        text(&self.measurement);
        text(&self.time.zone.to_string());
        text(options.time_format.as_deref().unwrap_or_default());
        match &self.layout {
            Layout::Long => text("long"),
            Layout::Wide { tag, field } => [tag, field].into_iter().for_each(|name| text(name)),
        }
        text(if options.tag_columns.is_some() { "named tags" } else { "tags by type" });
        for column in &self.columns {
            text(&column.name);
            text(match column.role {
                Role::Time => "time",
                Role::Tag if options.tag_columns.is_some() => "tag",
                _ => "",
            });
        }
        hasher.finalize()
    }
}

/// The header's names, without white space around them; unnamed columns are empty.
pub(super) fn header_names(record: &csv::ByteRecord) -> Result<Vec<String>, LoadError> {
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    let mut seen = hashbrown::HashMap::with_capacity(record.len());
    for (index, cell) in record.iter().enumerate() {
        let name = std::str::from_utf8(cell)
            .map_err(|_| LoadError::Encoding("not UTF-8 (its header has other bytes)"))?
            .trim();
        if !name.is_empty()
            && let Some(first) = seen.insert(name.to_owned(), index)
        {
            return Err(LoadError::DuplicateColumn { name: name.into(), first: first + 1, second: index + 1 });
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// Reads raw records; blank lines are none.
pub(super) fn records(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}
