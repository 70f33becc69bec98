//! A Parquet file, cut into parts: by rows, as a file of text is by bytes.

use std::{collections::VecDeque, fmt, path::Path};

use arrow_array::RecordBatch;
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReader};

use super::{
    super::{
        BadRows, Counted, Ending, Extent, History, LoadError, Mapping, PART_BYTES, PART_ROWS, PartPlace, Progress,
        RawPart, RawRecords, Recorded, Rows, Tally, chain::Chain, mapping::Role,
    },
    Builder, ParquetPlan, guarded, open,
    rows::RowReader,
};

/// A batch has about so many bytes, unpacked.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
const MOST_BATCH_ROWS: u64 = 8_192;

/// The parts of a Parquet file.
///
/// Holds at most a part, a batch and the open pages of the columns that are loaded.
pub(in crate::load) struct ParquetParts {
    batches: Batches,
    mapping: Mapping,
    /// For each column of the mapping its place in the batches.
    places: Vec<Option<usize>>,
    bad_rows: BadRows,
    limit_records: usize,
    /// How the file is read.
    identity: blake3::Hash,
    /// From the first row on.
    chain: Option<Chain>,
    ordinal: u64,
    progress: Progress,
    file_rows: u64,
    has_failed: bool,
}

/// Rows of a part that were read and not yet taken.
struct Looked {
    rows: Rows,
    tally: Tally,
    records: usize,
    is_short: bool,
}

impl fmt::Debug for ParquetParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetParts").field("ordinal", &self.ordinal).finish_non_exhaustive()
    }
}

impl ParquetParts {
    pub(in crate::load) fn open(
        path: &Path,
        plan: &ParquetPlan,
        identity: blake3::Hash,
        bad_rows: BadRows,
    ) -> Result<Self, LoadError> {
        let (builder, file_bytes) = open(path)?;
        let names = builder.schema().fields().iter().map(|field| field.name().trim());
        if !names.eq(plan.mapping.columns.iter().map(|column| column.name.as_str())) {
            return Err(LoadError::Changed);
        }
        let file_rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        Ok(Self {
            places: places(&plan.mapping),
            batches: Batches::new(builder, &plan.mapping)?,
            limit_records: (PART_ROWS / plan.mapping.rows_per_record()).max(1),
            mapping: plan.mapping.clone(),
            bad_rows,
            identity,
            chain: None,
            ordinal: 0,
            progress: Progress::of_total(file_bytes),
            file_rows,
            has_failed: false,
        })
    }

    pub(in crate::load) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    pub(in crate::load) fn ending(&self) -> Option<Ending> {
        self.batches.is_done().then_some(Ending::End)
    }

    /// The next part, cut where `recorded` says that it was cut before.
    pub(in crate::load) fn next_part(&mut self, recorded: &mut Recorded<'_>) -> Result<Option<RawPart>, LoadError> {
        if self.has_failed {
            return Ok(None);
        }
        let part = self.cut_part(recorded);
        self.has_failed = part.is_err();
        part
    }

    fn cut_part(&mut self, recorded: &mut Recorded<'_>) -> Result<Option<RawPart>, LoadError> {
        let mut chain = match self.chain.take() {
            Some(chain) => chain,
            None => {
                let first = self.look(1)?;
                Chain::begin(&self.identity, first.rows.content_hash().as_bytes())
            }
        };
        let mut history = History::New;
        let looked = loop {
            match recorded(chain.key())? {
                None => break self.look(self.limit_records)?,
                Some(extent) => {
                    let looked = self.look(extent.length().min(self.limit_records))?;
                    if extent_of(&looked) == extent {
                        history = History::Written;
                        break looked;
                    }
                    history = History::Differs;
                    chain.step_beside(extent);
                }
            }
        };
        if looked.records == 0 {
            return Ok(None);
        }
        let (key, extent) = (chain.key(), extent_of(&looked));
        chain.advance(extent);
        self.chain = Some(chain);
        let first_line = self.batches.taken_rows + 1;
        self.batches.take(looked.records);
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let share = self.batches.taken_rows as f64 / self.file_rows.max(1) as f64;
        self.progress.set_share(share);
        let consumed_bytes = self.progress.consumed_bytes();
        let Looked { rows, tally, is_short, .. } = looked;
        let counted = Counted::Rows;
        let place = PartPlace { ordinal, key, extent, history, is_short, first_line, counted, consumed_bytes };
        Ok(Some(RawPart { place, records: RawRecords::Read { rows, tally } }))
    }

    /// The next rows, so many or as many as a part holds.
    fn look(&mut self, limit_records: usize) -> Result<Looked, LoadError> {
        let first_row = self.batches.taken_rows + 1;
        let mut reader = RowReader::new(&self.mapping, &self.places, self.bad_rows, first_row);
        let mut at = 0;
        while reader.records() < limit_records && reader.text_bytes() < PART_BYTES {
            if at == self.batches.ahead.len() && !self.batches.next()? {
                break;
            }
            let batch = &self.batches.ahead[at];
            for row in 0..batch.num_rows() {
                if reader.records() == limit_records || reader.text_bytes() >= PART_BYTES {
                    break;
                }
                reader.read(batch, row)?;
            }
            at += 1;
        }
        let records = reader.records();
        let is_short = records < limit_records && reader.text_bytes() < PART_BYTES;
        let (rows, tally) = reader.finish();
        Ok(Looked { rows, tally, records, is_short })
    }
}

fn extent_of(looked: &Looked) -> Extent {
    Extent::new(looked.records, &looked.rows.content_hash())
}

/// For each column of the mapping its place in batches of those that are loaded; the others have none.
pub(super) fn places(mapping: &Mapping) -> Vec<Option<usize>> {
    let mut next = 0..;
    let place = |role| if role == Role::LeftOut { None } else { next.next() };
    mapping.columns.iter().map(|column| column.role).map(place).collect()
}

/// The file's record batches, with the columns that are loaded alone.
pub(super) struct Batches {
    reader: ParquetRecordBatchReader,
    /// Batches that were read and not yet taken.
    ahead: VecDeque<RecordBatch>,
    taken_rows: u64,
    read_rows: u64,
    is_done: bool,
}

impl Batches {
    pub(super) fn new(builder: Builder, mapping: &Mapping) -> Result<Self, LoadError> {
        let read = mapping.columns.iter().enumerate().filter(|(_, column)| column.role != Role::LeftOut);
        let projection = ProjectionMask::roots(builder.parquet_schema(), read.map(|(index, _)| index));
        let metadata = builder.metadata();
        let unpacked = metadata.row_groups().iter().filter_map(|group| u64::try_from(group.total_byte_size()).ok());
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0).max(1);
        let row_bytes = (unpacked.fold(0, u64::saturating_add) / rows).max(1);
        let batch_rows = (BATCH_BYTES / row_bytes).clamp(1, MOST_BATCH_ROWS);
        let builder = builder.with_projection(projection).with_batch_size(usize::try_from(batch_rows).unwrap_or(1));
        let reader = guarded(0, || builder.build())?;
        Ok(Self { reader, ahead: VecDeque::new(), taken_rows: 0, read_rows: 0, is_done: false })
    }

    /// Reads a batch; whether there was one.
    pub(super) fn next(&mut self) -> Result<bool, LoadError> {
        match guarded(self.read_rows, || self.reader.next().transpose())? {
            Some(batch) => {
                self.read_rows += batch.num_rows() as u64;
                self.ahead.push_back(batch);
                Ok(true)
            }
            None => {
                self.is_done = true;
                Ok(false)
            }
        }
    }

    pub(super) fn ahead(&self) -> impl Iterator<Item = &RecordBatch> {
        self.ahead.iter()
    }

    /// Drops rows from the front.
    fn take(&mut self, mut rows: usize) {
        self.taken_rows += rows as u64;
        while let Some(batch) = self.ahead.pop_front() {
            if batch.num_rows() > rows {
                self.ahead.push_front(batch.slice(rows, batch.num_rows() - rows));
                return;
            }
            rows -= batch.num_rows();
        }
    }

    fn is_done(&self) -> bool {
        self.is_done && self.ahead.is_empty()
    }
}
