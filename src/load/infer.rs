//! The mapping of a CSV file, from its header, a sample of its records, and what the user said.

use csv::ByteRecord;

use super::{
    FieldKind, Layout, LoadError, LoadOptions, Mapping, Note, Role, TimeRule,
    cell::read_number,
    iso::parse_iso,
    mapping::{Column, header_names, records},
    profile::Profile,
    refusal::excerpt,
    time_column,
};
use crate::protocol::Limits;

/// Columns of numbers, with no text beside them, from which on a long file looks like a wide one.
const WIDE_COLUMNS: usize = 8;

/// Cells from which on a tag with a different value in nearly each of them is worth a note.
const MANY_CELLS: usize = 100;

/// What is inferred, and what the user should know about it.
pub(super) struct Inferred {
    pub(super) mapping: Mapping,
    pub(super) notes: Vec<Note>,
}

/// Infers the mapping. `header` is one record, `sample` whole records without the header.
pub(super) fn infer(
    measurement: String,
    delimiter: u8,
    header: &[u8],
    sample: &[u8],
    options: &LoadOptions,
) -> Result<Inferred, LoadError> {
    let mut record = ByteRecord::new();
    records(header, delimiter).read_byte_record(&mut record)?;
    refuse_data_as_header(&record, header)?;
    let names = header_names(&record)?;
    let sample = records(sample, delimiter).into_byte_records().collect::<Result<Vec<_>, _>>()?;
    if sample.is_empty() {
        return Err(LoadError::NoRows);
    }
    let mut profiles: Vec<Profile<'_>> = names.iter().map(|_| Profile::default()).collect();
    for record in &sample {
        profiles.iter_mut().zip(record.iter()).for_each(|(profile, cell)| profile.add(cell));
    }
    let (time_index, format) = time_column::find(&names, &profiles, options)?;
    let mut tags = Vec::new();
    for name in options.tag_columns.iter().flatten() {
        tags.push(time_column::index_of(&names, name)?);
    }
    let roles = Roles { names: &names, profiles: &profiles, time_index, tags: &tags, options };
    let (layout, columns) = match &options.wide {
        Some(wide) => {
            (Layout::Wide { tag: wide.tag.clone(), field: wide.field.clone() }, roles.wide(&wide.tag, &wide.field)?)
        }
        None => (Layout::Long, roles.long()?),
    };
    check_limits(&layout, &columns)?;
    let mut notes = roles.notes(&columns);
    notes.extend(options.wide.is_none().then(|| wide_note(&columns)).flatten());
    let time = TimeRule { format, zone: options.time_zone.0 };
    Ok(Inferred { mapping: Mapping { measurement, columns, time, layout }, notes })
}

fn refuse_data_as_header(record: &ByteRecord, header: &[u8]) -> Result<(), LoadError> {
    let cells = || record.iter().map(<[u8]>::trim_ascii).filter(|cell| !cell.is_empty());
    let has_time = cells().any(|cell| parse_iso(cell).is_some());
    if has_time || (cells().next().is_some() && cells().all(|cell| read_number(cell).is_ok())) {
        return Err(LoadError::NoHeader(excerpt(header.trim_ascii())));
    }
    Ok(())
}

struct Roles<'a> {
    names: &'a [String],
    profiles: &'a [Profile<'a>],
    time_index: usize,
    tags: &'a [usize],
    options: &'a LoadOptions,
}

impl Roles<'_> {
    fn columns(&self, other: impl Fn(usize) -> Result<Role, LoadError>) -> Result<Vec<Column>, LoadError> {
        let role = |index: usize| match index {
            index if index == self.time_index => Ok(Role::Time),
            index if self.names[index].is_empty() => Ok(Role::LeftOut),
            index if self.tags.contains(&index) => Ok(Role::Tag),
            index => other(index),
        };
        self.names
            .iter()
            .enumerate()
            .map(|(index, name)| Ok(Column { name: name.clone(), role: role(index)? }))
            .collect()
    }

    fn long(&self) -> Result<Vec<Column>, LoadError> {
        let columns = self.columns(|index| {
            Ok(match self.kind(index) {
                FieldKind::Text if self.options.tag_columns.is_none() => Role::Tag,
                kind => Role::Field(kind),
            })
        })?;
        let has_fields = columns.iter().any(|column| matches!(column.role, Role::Field(_)));
        if has_fields { Ok(columns) } else { Err(LoadError::NoFields) }
    }

    fn wide(&self, tag: &str, field: &str) -> Result<Vec<Column>, LoadError> {
        let columns = self.columns(|index| match self.kind(index) {
            FieldKind::Number => Ok(Role::Series),
            _ => Err(LoadError::TextInWide(self.names[index].clone())),
        })?;
        if tag == field {
            return Err(LoadError::SameName(tag.into()));
        }
        if let Some(&taken) = self.tags.iter().find(|&&index| self.names[index] == tag || self.names[index] == field) {
            return Err(LoadError::SameName(self.names[taken].clone()));
        }
        let has_series = columns.iter().any(|column| column.role == Role::Series);
        if has_series { Ok(columns) } else { Err(LoadError::NoFields) }
    }

    /// An empty column is taken as numbers, which is what most columns of such files turn out to be.
    fn kind(&self, index: usize) -> FieldKind {
        let profile = &self.profiles[index];
        if profile.cells == 0 || profile.mostly(profile.numbers) {
            FieldKind::Number
        } else if profile.mostly(profile.booleans) {
            FieldKind::Boolean
        } else if profile.mostly(profile.iso_times) {
            FieldKind::Time
        } else {
            FieldKind::Text
        }
    }

    fn notes(&self, columns: &[Column]) -> Vec<Note> {
        let note = |(index, column): (usize, &Column)| {
            let (profile, name) = (&self.profiles[index], column.name.clone());
            let guessed = !self.tags.contains(&index);
            match column.role {
                Role::LeftOut => Some(Note::Unnamed { column: index + 1 }),
                Role::Tag if guessed && profile.mostly(profile.decorated_numbers) => {
                    Some(Note::LooksNumeric { column: name, example: profile.example() })
                }
                Role::Tag if guessed && profile.cells >= MANY_CELLS && profile.distinct.len() * 2 > profile.cells => {
                    Some(Note::ManySeries { column: name, distinct: profile.distinct.len(), cells: profile.cells })
                }
                Role::Field(FieldKind::Number) if self.options.tag_columns.is_none() && looks_like_id(&name) => {
                    Some(Note::LooksLikeTag { column: name })
                }
                Role::Field(_) if profile.cells == 0 => Some(Note::Empty { column: name }),
                _ => None,
            }
        };
        columns.iter().enumerate().filter_map(note).collect()
    }
}

/// What the ingest path would refuse in every row is refused once, here.
pub(super) fn check_limits(layout: &Layout, columns: &[Column]) -> Result<(), LoadError> {
    let limits = Limits::default();
    let named = |column: &&Column| matches!(column.role, Role::Tag | Role::Field(_));
    let mut names: Vec<&str> = columns.iter().filter(named).map(|column| column.name.as_str()).collect();
    if let Layout::Wide { tag, field } = layout {
        names.extend([tag.as_str(), field.as_str()]);
    }
    if let Some(reserved) = names.iter().find(|name| matches!(**name, "time" | "series_id")) {
        return Err(LoadError::ReservedName((*reserved).into()));
    }
    let mut series = columns.iter().filter(|column| column.role == Role::Series).map(|column| column.name.as_str());
    let long_name = names.into_iter().find(|name| name.len() > limits.name_bytes);
    if let Some(name) = long_name.or_else(|| series.find(|name| name.len() > limits.tag_value_bytes)) {
        return Err(LoadError::NameTooLong(excerpt(name.as_bytes())));
    }
    let tags = columns.iter().filter(|column| column.role == Role::Tag).count();
    let fields = columns.iter().filter(|column| matches!(column.role, Role::Field(_))).count();
    for (what, count, limit) in [("tags", tags, limits.tags), ("fields", fields, limits.fields)] {
        if count > limit {
            return Err(LoadError::TooManyColumns { what, count, limit });
        }
    }
    Ok(())
}

pub(super) fn looks_like_id(name: &str) -> bool {
    let name = name.to_lowercase();
    name == "id" || name.ends_with("_id") || name.ends_with(" id")
}

pub(super) fn wide_note(columns: &[Column]) -> Option<Note> {
    let is_number = |role| matches!(role, Role::Field(FieldKind::Number | FieldKind::Integer));
    let numbers = columns.iter().filter(|column| is_number(column.role)).count();
    let only_numbers =
        columns.iter().all(|column| matches!(column.role, Role::Time | Role::LeftOut) || is_number(column.role));
    (only_numbers && numbers >= WIDE_COLUMNS).then_some(Note::LooksWide { columns: numbers })
}
