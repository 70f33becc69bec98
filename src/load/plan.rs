//! What a load would do with a file, found out from its beginning, and its parts by it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    BadRows, Compression, Content, FileFormat, Growth, LoadError, LoadOptions, Mapping, Note, Part, PartPlace, RawPart,
    RawParts, RawRecords, Sample, StopSign, Tally,
    cutting::{PartLimits, TextParts},
    dialect::{measurement_of, sniff_delimiter, sniff_format},
    infer::infer,
    mapping::{header_names, records},
    parquet::{ParquetParts, ParquetPlan, is_parquet},
    part::{PART_BYTES, PART_ROWS},
    read::{CsvRule, read_records},
    record::RecordRule,
    sample::{self, SampleExtent},
    source::Source,
};
use crate::protocol::{Precision, tsbs::Head};

/// Records that a CSV file's columns are judged by.
pub(super) const SAMPLE: PartLimits = PartLimits { records: 10_000, bytes: 4 * 1024 * 1024 };

/// How a file is loaded. Shown (`Display`), it says all that was inferred and the flags that would change it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes, as it lies on the disk; 0 for a pipe.
    pub file_bytes: u64,
    /// How it is compressed.
    pub compression: Compression,
    /// What it holds.
    pub content: PlannedContent,
    bad_rows: BadRows,
    /// How it is read, as far as its parts are known by that.
    identity: blake3::Hash,
    /// What a pipe was read for the plan: it cannot be read again.
    pipe: Option<Arc<Mutex<Option<Opened>>>>,
}

/// A source and what was read of it.
type Opened = (Source, Vec<u8>);

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
    /// Parquet.
    Parquet(Box<ParquetPlan>),
    /// Data of TSBS, whose head says what its rows hold.
    Tsbs(Arc<Head>),
}

/// How a CSV file is loaded.
#[derive(Debug, Clone)]
pub struct CsvPlan {
    /// The byte between cells.
    pub delimiter: u8,
    /// What each column is.
    pub mapping: Mapping,
    /// What the file's first rows show.
    pub sample: Sample,
    /// What the user should know.
    pub notes: Vec<Note>,
}

impl Plan {
    /// Looks at the beginning of the file, and for a plain file at its end. Blocks; on a pipe until the first lines come.
    ///
    /// # Errors
    /// [`LoadError`] where the file cannot be read, or what it holds cannot be told and the options do not say it.
    pub fn infer(path: &Path, options: &LoadOptions) -> Result<Self, LoadError> {
        if options.growth == Growth::Complete && is_parquet(path, options)? {
            return Self::parquet(path, options);
        }
        let (source, prefix) = match options.growth {
            Growth::Complete => Source::open(path)?,
            Growth::Growing => Source::follow(path, StopSign::raised())?,
        };
        if prefix.trim_ascii().is_empty() {
            return Err(LoadError::Empty);
        }
        let format = options.format.unwrap_or_else(|| sniff_format(path, &prefix));
        let file_bytes = source.progress().total_bytes;
        let compression = source.compression();
        let is_pipe = source.is_pipe();
        let (content, identity, opened) = match format {
            FileFormat::Csv => {
                let (plan, opened) = csv_plan(path, source, prefix, options)?;
                let format = format!("csv {}", plan.delimiter);
                let identity = plan.mapping.identity(&format, options);
                (PlannedContent::Csv(Box::new(plan)), identity, opened)
            }
            FileFormat::LineProtocol => {
                refuse_table_options(options)?;
                let precision = options.precision.unwrap_or_default();
                let identity = blake3::hash(format!("line protocol, {precision:?}").as_bytes());
                (PlannedContent::LineProtocol { precision }, identity, (source, prefix))
            }
            FileFormat::Tsbs if options.growth == Growth::Growing => {
                return Err(LoadError::NotFollowed("holds data of TSBS, which is written once and does not grow"));
            }
            FileFormat::Tsbs => {
                refuse_table_options(options)?;
                let nobody = blake3::hash(b"");
                let mut parts = TextParts::new(source, prefix, RecordRule::TsbsHead, SAMPLE, nobody);
                let text = parts.take_header()?;
                let head = Arc::new(Head::parse(&text)?);
                let identity = blake3::hash(format!("tsbs, {head:?}").as_bytes());
                (PlannedContent::Tsbs(head), identity, parts.into_unread(text))
            }
            FileFormat::Parquet if options.growth == Growth::Growing => {
                return Err(LoadError::NotFollowed("is called Parquet, which is written once and does not grow"));
            }
            FileFormat::Parquet => return Err(LoadError::ParquetIn("a pipe or a compressed file, if it is any")),
        };
        let pipe = is_pipe.then(|| Arc::new(Mutex::new(Some(opened))));
        let path = path.to_owned();
        Ok(Self { path, file_bytes, compression, content, bad_rows: options.bad_rows, identity, pipe })
    }

    fn parquet(path: &Path, options: &LoadOptions) -> Result<Self, LoadError> {
        let plan = ParquetPlan::infer(path, options)?;
        let precision = format!("parquet {:?}", options.precision);
        Ok(Self {
            path: path.to_owned(),
            file_bytes: plan.file_bytes,
            compression: Compression::Plain,
            identity: plan.mapping.identity(&precision, options),
            content: PlannedContent::Parquet(Box::new(plan)),
            bad_rows: options.bad_rows,
            pipe: None,
        })
    }

    /// The chunk interval that the data's own rate asks for, in microseconds, one of [`LADDER_US`](crate::hypertable::LADDER_US);
    /// `None` where the file's beginning does not tell the rate.
    #[must_use]
    pub fn chunk_interval_us(&self) -> Option<i64> {
        let sample = match &self.content {
            PlannedContent::Csv(csv) => &csv.sample,
            PlannedContent::Parquet(parquet) => &parquet.sample,
            PlannedContent::LineProtocol { .. } | PlannedContent::Tsbs(_) => return None,
        };
        sample.rate.map(crate::hypertable::interval_for)
    }

    /// The file's parts from its beginning, to be [`read`](Self::read) here or on other threads.
    ///
    /// # Errors
    /// [`LoadError::Read`], [`LoadError::Changed`] where the header is not the plan's, and [`LoadError::ReadOnce`] for a
    /// pipe's second time.
    pub fn parts(&self) -> Result<RawParts, LoadError> {
        if let PlannedContent::Parquet(plan) = &self.content {
            return Ok(ParquetParts::open(&self.path, plan, self.identity, self.bad_rows)?.into());
        }
        let opened = match &self.pipe {
            Some(pipe) => pipe.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(LoadError::ReadOnce)?,
            None => Source::open(&self.path)?,
        };
        Ok(self.text_parts(opened, None)?.into())
    }

    /// The parts of a file that grows, until its name is another file's, it is cut short, or `stop` is raised; why is told
    /// by [`RawParts::ending`]. Waits for the header and for lines that are complete.
    ///
    /// # Errors
    /// As of [`parts`](Self::parts).
    pub fn follow(&self, stop: &StopSign) -> Result<RawParts, LoadError> {
        let opened = Source::follow(&self.path, stop.clone())?;
        Ok(self.text_parts(opened, None)?.into())
    }

    /// The parts of text, cut at the usual limits unless others are given.
    pub(super) fn text_parts(
        &self,
        (source, prefix): Opened,
        limits: Option<PartLimits>,
    ) -> Result<TextParts, LoadError> {
        let usual =
            |rows_per_record: usize| PartLimits { records: (PART_ROWS / rows_per_record).max(1), bytes: PART_BYTES };
        if let PlannedContent::Tsbs(head) = &self.content {
            let limits = limits.unwrap_or_else(|| usual(1));
            let mut parts = TextParts::new(source, prefix, RecordRule::TsbsHead, limits, self.identity);
            if Head::parse(&parts.take_header()?)? != **head {
                return Err(LoadError::Changed);
            }
            return Ok(parts.go_on_by(RecordRule::Tsbs));
        }
        let PlannedContent::Csv(csv) = &self.content else {
            let limits = limits.unwrap_or_else(|| usual(1));
            return Ok(TextParts::new(source, prefix, RecordRule::LineProtocol, limits, self.identity));
        };
        let CsvPlan { mapping, delimiter, .. } = &**csv;
        let limits = limits.unwrap_or_else(|| usual(mapping.rows_per_record()));
        let rule = RecordRule::Csv { delimiter: *delimiter };
        let mut parts = TextParts::new(source, prefix, rule, limits, self.identity);
        let header = parts.take_header()?;
        let mut record = csv::ByteRecord::new();
        // A file that was followed may have ended before it had a header.
        if records(&header, *delimiter).read_byte_record(&mut record)?
            && !header_names(&record)?.iter().eq(mapping.columns.iter().map(|column| &column.name))
        {
            return Err(LoadError::Changed);
        }
        Ok(parts)
    }

    /// Reads a part of this plan's file. Pure, so that parts can be read in parallel.
    ///
    /// # Errors
    /// [`LoadError::BadRow`] where bad rows are to stop the load.
    pub fn read(&self, raw: RawPart) -> Result<Part, LoadError> {
        let RawPart { place, records } = raw;
        let bytes = match records {
            RawRecords::Read { rows, tally } => {
                return Ok(Part { place, bytes: Vec::new(), content: Content::Rows(rows), tally });
            }
            RawRecords::Text(bytes) => bytes,
        };
        match &self.content {
            PlannedContent::Csv(csv) => {
                let rule = CsvRule { mapping: &csv.mapping, delimiter: csv.delimiter, bad_rows: self.bad_rows };
                let (rows, tally) = read_records(&bytes, place.first_line, rule)?;
                Ok(Part { place, bytes, content: Content::Rows(rows), tally })
            }
            // Text is never Parquet's.
            PlannedContent::Parquet(_) => Err(LoadError::Changed),
            PlannedContent::LineProtocol { precision } => {
                self.unread(place, bytes, Content::LineProtocol { precision: *precision })
            }
            PlannedContent::Tsbs(head) => self.unread(place, bytes, Content::Tsbs(Arc::clone(head))),
        }
    }

    /// A part whose lines are read when they are taken.
    fn unread(&self, place: PartPlace, bytes: Vec<u8>, content: Content) -> Result<Part, LoadError> {
        let part = Part { place, bytes, content, tally: Tally::default() };
        match self.bad_rows {
            BadRows::LeaveOut => Ok(part),
            BadRows::Stop => match part.lines().find_map(Result::err) {
                Some(error) => Err(LoadError::BadRow(part.row_error(&error))),
                None => Ok(part),
            },
        }
    }
}

fn csv_plan(
    path: &Path,
    source: Source,
    prefix: Vec<u8>,
    options: &LoadOptions,
) -> Result<(CsvPlan, Opened), LoadError> {
    let measurement = match &options.measurement {
        Some(name) => name.clone(),
        None => measurement_of(path).ok_or(LoadError::NoMeasurement)?,
    };
    let delimiter = options.delimiter.unwrap_or_else(|| sniff_delimiter(path, &prefix));
    let compression = source.compression();
    let progress = source.progress().clone();
    let nobody = blake3::hash(b"");
    let mut parts = TextParts::new(source, prefix, RecordRule::Csv { delimiter }, SAMPLE, nobody);
    let header = parts.take_header()?;
    let records = parts.take_records(SAMPLE)?;
    let inferred = infer(measurement, delimiter, &header, &records, options)?;
    let extent = SampleExtent {
        covers_file: parts.is_done(),
        // The reader is ahead of the sample: its share of what was read is its share of the file read so far.
        of_file: records.len() as f64 / (records.len() + parts.ahead_bytes()).max(1) as f64
            * (progress.consumed_bytes() as f64 / progress.total_bytes.max(1) as f64).min(1.0),
    };
    // A bad row in the sample is shown in the plan; whether it stops the load is for the load.
    let rule = CsvRule { mapping: &inferred.mapping, delimiter, bad_rows: BadRows::LeaveOut };
    let (rows, tally) = read_records(&records, super::record::newlines(&header) + 1, rule)?;
    let has_known_end = !extent.covers_file && compression == Compression::Plain && progress.total_bytes > 0;
    let tail_us = has_known_end.then(|| sample::last_time(path, &inferred.mapping, delimiter)).flatten();
    let sample = Sample::new(rows, tally, extent, tail_us);
    let plan = CsvPlan { delimiter, mapping: inferred.mapping, sample, notes: inferred.notes };
    Ok((plan, parts.into_unread([header, records].concat())))
}

fn refuse_table_options(options: &LoadOptions) -> Result<(), LoadError> {
    let given = [
        (options.measurement.is_some(), "--measurement"),
        (options.time_column.is_some(), "--time-column"),
        (options.time_format.is_some(), "--time-format"),
        (options.tag_columns.is_some(), "--tag-columns"),
        (options.wide.is_some(), "--wide-tag"),
        (options.delimiter.is_some(), "--delimiter"),
    ];
    match given.into_iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(LoadError::OnlyForTables(flag)),
        None => Ok(()),
    }
}
