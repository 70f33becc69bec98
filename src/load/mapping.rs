//! What each column of a CSV file is.

use std::fmt;

use super::{LoadError, TimeRule};

/// How the records of a CSV file become rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The measurement that the rows go to.
    pub measurement: String,
    /// The byte between cells.
    pub delimiter: u8,
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
    /// Nothing: the column has no name.
    LeftOut,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// float8: every number of a CSV file, since CSV does not tell integers from others.
    Number,
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

    /// Takes in all of the mapping, each text after its length, so that no two mappings take in the same bytes.
    pub(super) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        text(&self.measurement);
        text(&char::from(self.delimiter).to_string());
        text(&self.time.to_string());
        match &self.layout {
            Layout::Long => text("long"),
            Layout::Wide { tag, field } => [tag, field].into_iter().for_each(|name| text(name)),
        }
        for column in &self.columns {
            text(&column.name);
            match column.role {
                Role::Time => text("time"),
                Role::Tag => text("tag"),
                Role::Field(kind) => text(&kind.to_string()),
                Role::Series => text("series"),
                Role::LeftOut => text(""),
            }
        }
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
