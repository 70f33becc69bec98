//! The mapping of a Parquet file, from its schema, its first rows where a time may be read in several ways, and what the
//! user said.

use std::{path::Path, sync::Arc};

use arrow_schema::{DataType, Schema};

use super::{
    super::{
        BadRows, Column, FieldKind, Layout, LoadError, LoadOptions, Mapping, Note, Role, Sample, TimeFormat,
        TimePattern, TimeRule, WideOptions,
        dialect::measurement_of,
        infer::{check_limits, looks_like_id, wide_note},
        plan::SAMPLE,
        profile::Profile,
        sample::SampleExtent,
        time_column::{index_of, infer_format, listed, rank_of_name},
    },
    ParquetPlan,
    cells::{kind_of, text_at},
    open,
    parts::{Batches, places},
    rows::RowReader,
};

impl ParquetPlan {
    /// Looks at the file's schema and its first rows. Blocks.
    pub(in crate::load) fn infer(path: &Path, options: &LoadOptions) -> Result<Self, LoadError> {
        if options.delimiter.is_some() {
            return Err(LoadError::OnlyForCsv("--delimiter"));
        }
        let measurement = match &options.measurement {
            Some(name) => name.clone(),
            None => measurement_of(path).ok_or(LoadError::NoMeasurement)?,
        };
        let (builder, file_bytes) = open(path)?;
        let file_rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let schema = Arc::clone(builder.schema());
        let columns = Columns::new(&schema, options)?;
        let layout = match &options.wide {
            Some(WideOptions { tag, field }) => Layout::Wide { tag: tag.clone(), field: field.clone() },
            None => Layout::Long,
        };
        let (mapped, mut notes) = columns.roles()?;
        check_limits(&layout, &mapped)?;
        notes.extend(options.wide.is_none().then(|| wide_note(&mapped)).flatten());
        let time = TimeRule { format: TimeFormat::Typed, zone: options.time_zone.0 };
        let mut mapping = Mapping { measurement, columns: mapped, time, layout };
        let mut batches = Batches::new(builder, &mapping)?;
        let mut sampled = 0;
        while sampled < SAMPLE.records && batches.next()? {
            sampled = batches.ahead().map(arrow_array::RecordBatch::num_rows).sum();
        }
        if sampled == 0 {
            return Err(LoadError::NoRows);
        }
        let places = places(&mapping);
        mapping.time.format = columns.time_format(&batches, places[columns.time])?;
        let mut reader = RowReader::new(&mapping, &places, BadRows::LeaveOut, 1);
        for batch in batches.ahead() {
            (0..batch.num_rows()).try_for_each(|row| reader.read(batch, row))?;
        }
        let (rows, tally) = reader.finish();
        let of_file = sampled as f64 / file_rows.max(1) as f64;
        let extent = SampleExtent { covers_file: sampled as u64 >= file_rows, of_file };
        let sample = Sample::new(rows, tally, extent, None);
        Ok(Self { mapping, file_rows, sample, notes, file_bytes })
    }
}

struct Columns<'a> {
    names: Vec<String>,
    types: Vec<&'a DataType>,
    time: usize,
    tags: Vec<usize>,
    options: &'a LoadOptions,
}

impl<'a> Columns<'a> {
    fn new(schema: &'a Schema, options: &'a LoadOptions) -> Result<Self, LoadError> {
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().trim().to_owned()).collect();
        for (second, name) in names.iter().enumerate() {
            if let Some(first) = names[..second].iter().position(|known| known == name && !name.is_empty()) {
                return Err(LoadError::DuplicateColumn { name: name.clone(), first: first + 1, second: second + 1 });
            }
        }
        let types: Vec<&DataType> = schema.fields().iter().map(|field| field.data_type()).collect();
        let time = find_time(&names, &types, options)?;
        let named = options.tag_columns.iter().flatten();
        let tags = named.map(|name| index_of(&names, name)).collect::<Result<Vec<_>, _>>()?;
        for (index, what) in std::iter::once((time, "time")).chain(tags.iter().map(|&tag| (tag, "tag"))) {
            let fits = match kind_of(types[index]) {
                Some(FieldKind::Boolean) => what == "tag",
                kind => kind.is_some(),
            };
            if !fits {
                let (column, kind) = (names[index].clone(), types[index].to_string());
                return Err(LoadError::UnsupportedColumn { column, kind, what });
            }
        }
        Ok(Self { names, types, time, tags, options })
    }

    fn roles(&self) -> Result<(Vec<Column>, Vec<Note>), LoadError> {
        let mut notes = Vec::new();
        let mut columns = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            let role = match kind_of(self.types[index]) {
                _ if index == self.time => Role::Time,
                _ if self.tags.contains(&index) => Role::Tag,
                _ if name.is_empty() => {
                    notes.push(Note::Unnamed { column: index + 1 });
                    Role::LeftOut
                }
                None => {
                    notes.push(Note::Unsupported { column: name.clone(), kind: self.types[index].to_string() });
                    Role::LeftOut
                }
                Some(FieldKind::Number | FieldKind::Integer) if self.options.wide.is_some() => Role::Series,
                Some(_) if self.options.wide.is_some() => return Err(LoadError::TextInWide(name.clone())),
                Some(FieldKind::Text) if self.options.tag_columns.is_none() => Role::Tag,
                Some(kind) => {
                    if kind == FieldKind::Integer && self.options.tag_columns.is_none() && looks_like_id(name) {
                        notes.push(Note::LooksLikeTag { column: name.clone() });
                    }
                    Role::Field(kind)
                }
            };
            columns.push(Column { name: name.clone(), role });
        }
        if let Some(WideOptions { tag, field }) = &self.options.wide {
            let taken = self.tags.iter().map(|&index| &self.names[index]).find(|name| [tag, field].contains(name));
            if let Some(name) = taken.or((tag == field).then_some(tag)) {
                return Err(LoadError::SameName(name.clone()));
            }
        }
        let has_values = columns.iter().any(|column| matches!(column.role, Role::Field(_) | Role::Series));
        if has_values { Ok((columns, notes)) } else { Err(LoadError::NoFields) }
    }

    /// How the time is written, where its type does not say it.
    fn time_format(&self, batches: &Batches, place: Option<usize>) -> Result<TimeFormat, LoadError> {
        let kind = kind_of(self.types[self.time]);
        match (&self.options.time_format, self.options.precision, kind) {
            (_, _, Some(FieldKind::Time)) => return Ok(TimeFormat::Typed),
            (Some(pattern), _, _) => return Ok(TimeFormat::Pattern(TimePattern::new(pattern)?)),
            (None, Some(precision), Some(FieldKind::Integer)) => return Ok(TimeFormat::Integer(precision)),
            _ => {}
        }
        let mut cells: Vec<String> = Vec::new();
        for batch in batches.ahead() {
            let Some(array) = place.map(|place| batch.column(place)) else { continue };
            let texts = (0..batch.num_rows()).filter_map(|row| text_at(array, row).ok().flatten());
            cells.extend(texts.map(|text| text.into_owned()));
        }
        let mut profile = Profile::default();
        cells.iter().for_each(|cell| profile.add(cell.as_bytes()));
        infer_format(&self.names[self.time], &profile)
    }
}

/// The column named by the user, else one of times that is named like it, else the only one of times, else one that is
/// named like it.
fn find_time(names: &[String], types: &[&DataType], options: &LoadOptions) -> Result<usize, LoadError> {
    if let Some(name) = &options.time_column {
        return index_of(names, name);
    }
    let is_time = |index: &usize| kind_of(types[*index]) == Some(FieldKind::Time);
    let can_be = |index: &usize| {
        matches!(
            kind_of(types[*index]),
            Some(FieldKind::Time | FieldKind::Integer | FieldKind::Number | FieldKind::Text)
        )
    };
    let mut named: Vec<(usize, usize)> = names
        .iter()
        .enumerate()
        .filter_map(|(index, name)| Some((rank_of_name(name)?, index)))
        .filter(|(_, index)| can_be(index))
        .collect();
    named.sort_unstable();
    let typed: Vec<usize> = (0..names.len()).filter(is_time).collect();
    let best = named.iter().map(|(_, index)| index).find(|index| is_time(index));
    match (best.copied(), typed.as_slice(), named.first()) {
        (Some(index), ..) | (None, &[index], _) | (None, [], Some(&(_, index))) => Ok(index),
        (None, [], None) => Err(LoadError::NoTimeColumn(listed(names))),
        (None, several, _) => {
            let several: Vec<_> = several.iter().map(|&index| names[index].clone()).collect();
            Err(LoadError::ManyTimeColumns(listed(&several)))
        }
    }
}
