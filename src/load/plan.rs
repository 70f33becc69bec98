//! What a load would do with a file, found out from its beginning, and its parts by it.

use std::path::{Path, PathBuf};

use super::{
    BadRows, Compression, Content, FileFormat, LoadError, LoadOptions, Mapping, Note, Part, RawPart, RawParts, Sample,
    Tally,
    dialect::{measurement_of, sniff_delimiter, sniff_format},
    infer::infer,
    mapping::{header_names, records},
    part::{PART_BYTES, PART_ROWS, PartKey, PartLimits},
    read::read_part,
    record::RecordRule,
    sample::{self, SampleExtent},
    source::Source,
};
use crate::protocol::Precision;

/// Records that a CSV file's columns are judged by.
const SAMPLE: PartLimits = PartLimits { records: 10_000, bytes: 4 * 1024 * 1024 };

/// How a file is loaded. Shown (`Display`), it says all that was inferred and the flags that would change it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes, as it lies on the disk.
    pub file_bytes: u64,
    /// How it is compressed.
    pub compression: Compression,
    /// What it holds.
    pub content: PlannedContent,
    bad_rows: BadRows,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub enum PlannedContent {
    /// CSV.
    Csv(Box<CsvPlan>),
    /// Line protocol, whose lines say themselves what they hold.
    LineProtocol {
        /// What their times count.
        precision: Precision,
    },
}

/// How a CSV file is loaded.
#[derive(Debug, Clone)]
pub struct CsvPlan {
    /// What each column is.
    pub mapping: Mapping,
    /// What the file's first rows show.
    pub sample: Sample,
    /// What the user should know.
    pub notes: Vec<Note>,
}

impl Plan {
    /// Looks at the beginning of the file, and for a plain file at its end. Blocks.
    ///
    /// # Errors
    /// [`LoadError`] where the file cannot be read, or what it holds cannot be told and the options do not say it.
    pub fn infer(path: &Path, options: &LoadOptions) -> Result<Self, LoadError> {
        let (source, prefix) = Source::open(path)?;
        if prefix.trim_ascii().is_empty() {
            return Err(LoadError::Empty);
        }
        let format = options.format.unwrap_or_else(|| sniff_format(path, &prefix));
        let file_bytes = source.progress().total_bytes;
        let compression = source.compression();
        let content = match format {
            FileFormat::Csv => PlannedContent::Csv(Box::new(csv_plan(path, source, prefix, options)?)),
            FileFormat::LineProtocol => {
                refuse_csv_options(options)?;
                PlannedContent::LineProtocol { precision: Precision::default() }
            }
        };
        Ok(Self { path: path.to_owned(), file_bytes, compression, content, bad_rows: options.bad_rows })
    }

    /// The same plan with another unit of line protocol's times, which are in nanoseconds unless said otherwise. What the
    /// times of CSV count is inferred; there this changes nothing.
    #[must_use]
    pub fn with_precision(mut self, unit: Precision) -> Self {
        if let PlannedContent::LineProtocol { precision } = &mut self.content {
            *precision = unit;
        }
        self
    }

    /// The chunk interval that the data's own rate asks for, in microseconds, one of [`LADDER_US`](crate::hypertable::LADDER_US);
    /// `None` where the file's beginning does not tell the rate.
    #[must_use]
    pub fn chunk_interval_us(&self) -> Option<i64> {
        match &self.content {
            PlannedContent::Csv(csv) => csv.sample.rate.map(crate::hypertable::interval_for),
            PlannedContent::LineProtocol { .. } => None,
        }
    }

    /// The file's parts from its beginning, to be [`read`](Self::read) here or on other threads.
    ///
    /// # Errors
    /// [`LoadError::Read`], and [`LoadError::Changed`] where the header is not the plan's.
    pub fn parts(&self) -> Result<RawParts, LoadError> {
        let (source, prefix) = Source::open(&self.path)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"chunkwise load 1");
        match &self.content {
            PlannedContent::Csv(csv) => {
                let mapping = &csv.mapping;
                hasher.update(b"csv");
                mapping.hash_into(&mut hasher);
                let limits = PartLimits { records: (PART_ROWS / mapping.rows_per_record()).max(1), bytes: PART_BYTES };
                let rule = RecordRule::Csv { delimiter: mapping.delimiter };
                let mut parts = RawParts::new(source, prefix, rule, limits, hasher);
                let header = parts.take_header()?;
                let mut record = csv::ByteRecord::new();
                records(&header, mapping.delimiter).read_byte_record(&mut record)?;
                let unchanged = header_names(&record)?.iter().eq(mapping.columns.iter().map(|column| &column.name));
                if unchanged { Ok(parts) } else { Err(LoadError::Changed) }
            }
            PlannedContent::LineProtocol { precision } => {
                hasher.update(format!("line protocol, {precision:?}").as_bytes());
                let limits = PartLimits { records: PART_ROWS, bytes: PART_BYTES };
                Ok(RawParts::new(source, prefix, RecordRule::LineProtocol, limits, hasher))
            }
        }
    }

    /// Reads a part of this plan's file. Pure, so that parts can be read in parallel.
    ///
    /// # Errors
    /// [`LoadError::BadRow`] where bad rows are to stop the load.
    pub fn read(&self, raw: RawPart) -> Result<Part, LoadError> {
        match &self.content {
            PlannedContent::Csv(csv) => read_part(raw, &csv.mapping, self.bad_rows),
            PlannedContent::LineProtocol { precision } => {
                let RawPart { ordinal, key, first_line, bytes, consumed_bytes } = raw;
                let (content, tally) = (Content::LineProtocol { precision: *precision }, Tally::default());
                let part = Part { ordinal, key, first_line, consumed_bytes, bytes, content, tally };
                match self.bad_rows {
                    BadRows::LeaveOut => Ok(part),
                    BadRows::Stop => match part.lines().find_map(Result::err) {
                        Some(error) => Err(LoadError::BadRow(part.row_error(&error))),
                        None => Ok(part),
                    },
                }
            }
        }
    }
}

fn csv_plan(path: &Path, source: Source, prefix: Vec<u8>, options: &LoadOptions) -> Result<CsvPlan, LoadError> {
    let measurement = match &options.measurement {
        Some(name) => name.clone(),
        None => measurement_of(path).ok_or(LoadError::NoMeasurement)?,
    };
    let delimiter = options.delimiter.unwrap_or_else(|| sniff_delimiter(path, &prefix));
    let compression = source.compression();
    let progress = source.progress().clone();
    let mut parts = RawParts::new(source, prefix, RecordRule::Csv { delimiter }, SAMPLE, blake3::Hasher::new());
    let header = parts.take_header()?;
    let records = parts.take_records(SAMPLE)?;
    let inferred = infer(measurement, delimiter, &header, &records, options)?;
    let extent = SampleExtent {
        covers_file: parts.is_done(),
        // The reader is ahead of the sample: its share of what was read is its share of the file read so far.
        of_file: records.len() as f64 / (records.len() + parts.ahead_bytes()).max(1) as f64
            * (progress.consumed_bytes() as f64 / progress.total_bytes.max(1) as f64).min(1.0),
    };
    let raw = RawPart {
        ordinal: 0,
        key: PartKey([0; 16]),
        first_line: super::record::newlines(&header) + 1,
        bytes: records,
        consumed_bytes: progress.consumed_bytes(),
    };
    // A bad row in the sample is shown in the plan; whether it stops the load is for the load.
    let part = read_part(raw, &inferred.mapping, BadRows::LeaveOut)?;
    let tail_us = if extent.covers_file || compression != Compression::Plain {
        None
    } else {
        sample::last_time(path, &inferred.mapping)
    };
    let sample = Sample::new(&inferred.mapping, part, extent, tail_us);
    Ok(CsvPlan { mapping: inferred.mapping, sample, notes: inferred.notes })
}

fn refuse_csv_options(options: &LoadOptions) -> Result<(), LoadError> {
    let given = [
        (options.measurement.is_some(), "--measurement"),
        (options.time_column.is_some(), "--time-column"),
        (options.time_format.is_some(), "--time-format"),
        (options.tag_columns.is_some(), "--tag-columns"),
        (options.wide.is_some(), "--wide-tag"),
        (options.delimiter.is_some(), "--delimiter"),
    ];
    match given.into_iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(LoadError::OnlyForCsv(flag)),
        None => Ok(()),
    }
}
