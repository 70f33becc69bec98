//! Parquet files: typed columns -> rows, by the same mappings as CSV.
//!
//! | Parquet | field |
//! |---|---|
//! | float16, float32, float64, decimal | float8; NaN is missing, an infinite number refuses its row |
//! | integers, signed or not | int8; beyond its range the row is refused. In a wide file float8 |
//! | boolean | bool |
//! | string, however encoded | a tag, or text; the empty one is missing |
//! | timestamp of any unit, date | the row's time, or timestamptz; rounded down to microseconds |
//! | all else (binary, list, struct, time of the day) | left out |
//!
//! A column of times may also hold integers, or text in the formats of CSV. Types are those of the Parquet schema: what
//! writers add for their own types (dictionaries, views, zones of display) changes nothing in the values.

mod cells;
mod infer;
mod parts;
mod rows;

pub(super) use parts::ParquetParts;

use std::{
    fs::File,
    io::{self, Read},
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::{FileFormat, LoadError, LoadOptions, Mapping, Note, Sample, dialect::sniff_format};

/// What a Parquet file begins with, and ends with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// How a Parquet file is loaded.
#[derive(Debug, Clone)]
pub struct ParquetPlan {
    /// What each column is, in the order of the file.
    pub mapping: Mapping,
    /// Rows of the file.
    pub file_rows: u64,
    /// What the file's first rows show.
    pub sample: Sample,
    /// What the user should know.
    pub notes: Vec<Note>,
    pub(super) file_bytes: u64,
}

/// Whether this is to be read as Parquet: a file that begins so, or is called so and is not compressed.
pub(super) fn is_parquet(path: &Path, options: &LoadOptions) -> Result<bool, LoadError> {
    let opened = |source| LoadError::Read { after_bytes: 0, source };
    if path.as_os_str() == super::source::STANDARD_INPUT {
        return Ok(false);
    }
    // A pipe that is opened and closed again loses its writer.
    if !std::fs::metadata(path).map_err(opened)?.is_file() {
        return Ok(false);
    }
    let mut file = File::open(path).map_err(opened)?;
    let mut beginning = [0; 4];
    let beginning = match file.read_exact(&mut beginning) {
        Ok(()) => &beginning[..],
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => &[],
        Err(error) => return Err(opened(error)),
    };
    let is_compressed = beginning.starts_with(&[0x1f, 0x8b]) || beginning.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let is_called_so = options.format.unwrap_or_else(|| sniff_format(path, &[])) == FileFormat::Parquet;
    Ok(beginning == MAGIC || (is_called_so && !is_compressed))
}

type Builder = ParquetRecordBatchReaderBuilder<File>;

/// Opens a file and reads what it says of itself.
fn open(path: &Path) -> Result<(Builder, u64), LoadError> {
    let opened = |source| LoadError::Read { after_bytes: 0, source };
    let file = File::open(path).map_err(opened)?;
    let file_bytes = file.metadata().map_err(opened)?.len();
    if file_bytes == 0 {
        return Err(LoadError::Empty);
    }
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = guarded(0, || Builder::try_new_with_options(file, options))?;
    Ok((builder, file_bytes))
}

/// Runs the `parquet` crate, which panics on some damaged files: where a page refers to a dictionary that is not there, for
/// one. What has panicked is not used again.
fn guarded<T, E>(after_rows: u64, read: impl FnOnce() -> Result<T, E>) -> Result<T, LoadError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match panic::catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| failed(after_rows, error)),
        Err(_) => Err(failed(after_rows, io::Error::other("its parts contradict each other"))),
    }
}

fn failed(after_rows: u64, error: impl std::error::Error + Send + Sync + 'static) -> LoadError {
    LoadError::Parquet { after_rows, source: Box::new(error) }
}
