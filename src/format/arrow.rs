//! Arrow's IPC stream.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray, types::Int32Type,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};

use super::{
    FormatError,
    table::{Cells, Kind, Table},
};

const UTC: &str = "UTC";

/// Writes a table as a stream: its schema, then its batches. A table without rows is a schema alone.
pub(super) fn stream(table: Table<'_>) -> Result<Vec<u8>, FormatError> {
    let (fields, dictionaries): (Vec<Field>, Vec<Option<ArrayRef>>) =
        table.columns.into_iter().map(|(name, kind)| column(name, kind)).unzip();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    for batch in table.batches {
        let rows = batch.first().map_or(0, Cells::len);
        let arrays = batch
            .into_iter()
            .zip(&dictionaries)
            .map(|(cells, dictionary)| array(cells, dictionary.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        writer.write(&RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?)?;
    }
    Ok(writer.into_inner()?)
}

/// The field, and a tag's values: one array for all batches, so that the stream carries them once.
fn column(name: String, kind: Kind<'_>) -> (Field, Option<ArrayRef>) {
    match kind {
        Kind::Int => (Field::new(name, DataType::Int64, false), None),
        Kind::MaybeInt => (Field::new(name, DataType::Int64, true), None),
        Kind::Float => (Field::new(name, DataType::Float64, true), None),
        Kind::Time => (Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())), true), None),
        Kind::Tag(values) => {
            let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            let values: ArrayRef = Arc::new(StringArray::from_iter_values(values));
            (Field::new(name, data_type, true), Some(values))
        }
    }
}

fn array(cells: Cells, dictionary: Option<&ArrayRef>) -> Result<ArrayRef, ArrowError> {
    Ok(match (cells, dictionary) {
        (Cells::Ints(ints), _) => Arc::new(Int64Array::from(ints)),
        (Cells::MaybeInts(ints), _) => Arc::new(Int64Array::from(ints)),
        (Cells::Times(times), _) => Arc::new(TimestampMicrosecondArray::from(times).with_timezone(UTC)),
        (Cells::Floats(floats), _) => {
            Arc::new(floats.into_iter().map(|float| float.is_finite().then_some(float)).collect::<Float64Array>())
        }
        (Cells::Codes(codes), Some(dictionary)) => {
            let keys = codes
                .into_iter()
                .map(|code| code.map(i32::try_from).transpose())
                .collect::<Result<Int32Array, _>>()
                .map_err(|_| ArrowError::DictionaryKeyOverflowError)?;
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(dictionary))?)
        }
        (Cells::Codes(_), None) => {
            return Err(ArrowError::InvalidArgumentError("a tag's cells in a column that is no tag".to_owned()));
        }
    })
}
