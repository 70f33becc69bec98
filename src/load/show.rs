//! A plan as a person reads it.

use std::fmt;

use comfy_table::{Table, presets::NOTHING};

use super::{
    Compression, CsvPlan, Layout, Mapping, Note, ParquetPlan, Plan, PlannedContent, Rows, Sample, Values,
    mapping::Role, sample::fields_of, time_column::listed, time_rule::unit_name,
};
use crate::{protocol::FieldValue, question::Timestamp};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compressed = match self.compression {
            Compression::Plain => "",
            Compression::Gzip => ", gzip",
            Compression::Zstd => ", zstd",
        };
        let content = match &self.content {
            PlannedContent::Csv(_) => "CSV",
            PlannedContent::LineProtocol { .. } => "line protocol",
            PlannedContent::Parquet(_) => "Parquet",
            PlannedContent::Tsbs(_) => "TSBS",
        };
        write!(f, "{}: {content}{compressed}", self.path.display())?;
        if self.file_bytes > 0 {
            write!(f, ", {} bytes", self.file_bytes)?;
        }
        writeln!(f)?;
        match &self.content {
            PlannedContent::Csv(csv) => write!(f, "{csv}"),
            PlannedContent::LineProtocol { precision } => writeln!(f, "  times        in {}", unit_name(*precision)),
            PlannedContent::Parquet(parquet) => write!(f, "{parquet}"),
            PlannedContent::Tsbs(head) => {
                for (name, fields) in head.measurements() {
                    writeln!(f, "  measurement  {name}, {} fields: {}", fields.len(), listed(fields))?;
                }
                writeln!(f, "  tags         {}", listed(head.tags()))
            }
        }
    }
}

impl fmt::Display for CsvPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delimiter, mapping, sample, notes } = self;
        let delimiter = match delimiter {
            b'\t' => "tab".to_owned(),
            other => format!("`{}`", char::from(*other)),
        };
        Columns { mapping, cells: format!("cells        separated by {delimiter}"), sample, notes }.fmt(f)
    }
}

impl fmt::Display for ParquetPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapping, file_rows, sample, notes, .. } = self;
        Columns { mapping, cells: format!("rows         {file_rows}"), sample, notes }.fmt(f)
    }
}

/// What the plans of files with columns have in common.
struct Columns<'a> {
    mapping: &'a Mapping,
    /// A line of the format's own.
    cells: String,
    sample: &'a Sample,
    notes: &'a [Note],
}

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapping, cells, sample, notes } = self;
        let names = |role| mapping.with_role(role).map(|(_, name)| name.to_owned()).collect::<Vec<_>>();
        writeln!(f, "  measurement  {}", mapping.measurement)?;
        writeln!(f, "  {cells}")?;
        writeln!(f, "  time         {} as {}", listed(&names(Role::Time)), mapping.time)?;
        let tags = names(Role::Tag);
        writeln!(f, "  tags         {}", if tags.is_empty() { "none".to_owned() } else { listed(&tags) })?;
        if let Layout::Wide { tag, .. } = &mapping.layout {
            let series = names(Role::Series);
            writeln!(
                f,
                "  wide         {} columns, each a value of the tag `{tag}`: {}",
                series.len(),
                listed(&series)
            )?;
        }
        let fields: Vec<String> = fields_of(mapping).iter().map(|(name, kind)| format!("`{name}` {kind}")).collect();
        writeln!(f, "  fields       {}", fields.join(", "))?;
        match sample.rate {
            Some(rate) => writeln!(f, "  chunks       of {}", Length(crate::hypertable::interval_for(rate)))?,
            None => writeln!(f, "  chunks       of the default length: the first rows do not tell the rate")?,
        }
        write!(f, "{sample}")?;
        notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, series, .. } = self;
        let about = if self.covers_file { "all" } else { "the first" };
        write!(f, "  looked at    {about} {} rows, {series} series", tally.rows)?;
        if !self.covers_file {
            write!(f, ", of about {} rows", self.estimated_rows)?;
        }
        if let Some((low, high)) = self.range_us {
            write!(f, ", {} to {}", Timestamp::display_us(low), Timestamp::display_us(high))?;
        }
        writeln!(f)?;
        if tally.empty + tally.refused > 0 {
            writeln!(f, "  left out     {} without a value, {} bad", tally.empty, tally.refused)?;
        }
        if let Some(first) = tally.errors.first() {
            writeln!(f, "  first bad    {first}")?;
        }
        writeln!(f, "{}", table(&self.first_rows))
    }
}

fn table(rows: &Rows) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let tags = rows.tags.iter().map(|tag| tag.name.as_str());
    let fields = rows.fields.iter().map(|field| field.name.as_str());
    table.set_header(std::iter::once("time").chain(tags).chain(fields));
    for (row, &time_us) in rows.times_us.iter().enumerate() {
        let tags = rows.tags.iter().map(|tag| tag.values.get(row).unwrap_or_default().to_owned());
        let fields = rows.fields.iter().map(|field| value_text(&field.values, row));
        table.add_row(std::iter::once(Timestamp::display_us(time_us)).chain(tags).chain(fields));
    }
    table
}

fn value_text(values: &Values, row: usize) -> String {
    match values.get(row) {
        Some(FieldValue::Float(number)) => number.to_string(),
        Some(FieldValue::Integer(number)) => number.to_string(),
        Some(FieldValue::Unsigned(number)) => number.to_string(),
        Some(FieldValue::Boolean(boolean)) => boolean.to_string(),
        Some(FieldValue::Text(text)) => text.into_owned(),
        Some(FieldValue::Timestamp(us)) => Timestamp::display_us(us),
        None => String::new(),
    }
}

/// A chunk's length in hours or days.
struct Length(i64);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.0 / 3_600_000_000;
        match (hours % 24, hours / 24) {
            (0, 1) => f.write_str("1 day"),
            (0, days) => write!(f, "{days} days"),
            (1, 0) => f.write_str("1 hour"),
            _ => write!(f, "{hours} hours"),
        }
    }
}
