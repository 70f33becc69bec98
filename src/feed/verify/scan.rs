//! The measurement's rows, each compared with what was sent.

use futures_util::TryStreamExt;
use hashbrown::HashMap;
use sqlx::{PgConnection, Row as _};

use super::{Proof, VerifyError};
use crate::{
    copy::{TupleDecoder, timestamptz_us},
    feed::{Rows, Value, journal::Recorded},
    hypertable::{ColumnType, Measurement, quote_ident},
};

/// How often each row that may have been sent was found, by source and number; stops counting at 255.
#[derive(Debug)]
pub(super) struct Found(pub(super) Vec<Vec<u8>>);

impl Found {
    pub(super) fn new(recorded: &Recorded) -> Self {
        let rows = |batches: &Vec<crate::feed::journal::SentBatch>| {
            batches.last().map_or(0, |batch| usize::try_from(batch.positions.end).unwrap_or(usize::MAX))
        };
        Self(recorded.sources.iter().map(|batches| vec![0; rows(batches)]).collect())
    }
}

/// A series of the feed's: its source and its place there.
type Places = HashMap<i64, (u32, u32)>;

/// Reads every row of the measurement in one COPY.
pub(super) async fn scan(
    connection: &mut PgConnection,
    measurement: &Measurement,
    rows: &Rows,
    found: &mut Found,
    proof: &mut Proof,
) -> Result<(), VerifyError> {
    let places = places(connection, measurement, rows).await?;
    let columns: Vec<Option<(String, ColumnType)>> = rows
        .fields()
        .iter()
        .map(|(name, _)| measurement.field(name).map(|field| (quote_ident(&field.column), field.kind)))
        .collect();
    let list: String = columns
        .iter()
        .map(|column| column.as_ref().map_or(", NULL::bool".to_owned(), |(name, _)| format!(", {name}")))
        .collect();
    let copy = format!("COPY (SELECT time, series_id{list} FROM {}) TO STDOUT (FORMAT binary)", measurement.storage());
    let kinds: Vec<Option<ColumnType>> = columns.iter().map(|column| column.as_ref().map(|(_, kind)| *kind)).collect();
    let mut decoder = TupleDecoder::new(2 + kinds.len());
    let mut messages = connection.copy_out_raw(&copy).await?;
    while let Some(message) = messages.try_next().await? {
        decoder.push(&message, &mut |tuple| check(tuple, &places, &kinds, rows, found, proof))?;
    }
    proof.rows = decoder.finish()?;
    Ok(())
}

/// Which of the feed's series each id is. Ids of other series are not among them.
async fn places(connection: &mut PgConnection, measurement: &Measurement, rows: &Rows) -> Result<Places, sqlx::Error> {
    let recipe = rows.recipe();
    let mut expected: HashMap<Vec<Option<String>>, (u32, u32)> = HashMap::new();
    for source in 0..recipe.sources {
        for series in 0..recipe.series_of(source) {
            let tags = rows.tags(source, series);
            // In the measurement's order; a tag that the feed has not is NULL, one that it alone has is no match.
            if tags.iter().all(|(key, _)| measurement.tag(key).is_some()) {
                let value = |name: &str| tags.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
                expected.insert(measurement.tags.iter().map(|tag| value(&tag.name)).collect(), (source, series));
            }
        }
    }
    let columns: String = measurement.tags.iter().map(|tag| format!(", {}", quote_ident(&tag.column))).collect();
    let select = format!("SELECT series_id{columns} FROM {}", measurement.series_table());
    let mut places = Places::new();
    let mut series = sqlx::query(&select).fetch(connection);
    while let Some(row) = series.try_next().await? {
        let values = (1..=measurement.tags.len()).map(|column| row.try_get(column)).collect::<Result<Vec<_>, _>>()?;
        if let Some(place) = expected.get(&values) {
            places.insert(row.try_get(0)?, *place);
        }
    }
    Ok(places)
}

fn check(
    tuple: &[Option<&[u8]>],
    places: &Places,
    kinds: &[Option<ColumnType>],
    rows: &Rows,
    found: &mut Found,
    proof: &mut Proof,
) {
    let time_us = tuple[0].and_then(timestamptz_us);
    let series_id = tuple[1].and_then(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)));
    let place = series_id.and_then(|id| places.get(&id).copied());
    let seq = time_us.and_then(|time_us| rows.recipe().seq_at(time_us));
    let (Some((source, series)), Some(seq)) = (place, seq) else {
        proof.phantom += 1;
        return proof.show("phantom", place.map(|(source, _)| source), seq, || {
            format!("a row of series_id {series_id:?} at {time_us:?} us that the feed has not")
        });
    };
    let row = rows.row(source, seq);
    let count = usize::try_from(seq).ok().and_then(|seq| found.0[source as usize].get_mut(seq));
    let Some(count) = count.filter(|_| row.series == series) else {
        proof.phantom += 1;
        return proof.show("phantom", Some(source), Some(seq), || {
            format!("a row of series_id {series_id:?} that was never sent")
        });
    };
    *count = count.saturating_add(1);
    for (((name, quantity), kind), bytes) in rows.fields().iter().zip(kinds).zip(&tuple[2..]) {
        let sent = row.value(*quantity);
        if !is_same(sent, *kind, *bytes) {
            proof.wrong += 1;
            return proof.show("wrong", Some(source), Some(seq), || {
                format!("{name} was sent as {sent:?}, and is {bytes:02x?} of {kind:?}")
            });
        }
    }
}

/// Whether a column's bytes are exactly what was sent.
fn is_same(sent: Option<Value>, kind: Option<ColumnType>, bytes: Option<&[u8]>) -> bool {
    match (sent, kind, bytes) {
        (None, _, None) => true,
        (Some(Value::Float(sent)), Some(ColumnType::Float8), Some(bytes)) => *bytes == sent.to_bits().to_be_bytes(),
        (Some(Value::Integer(sent)), Some(ColumnType::Int8), Some(bytes)) => *bytes == sent.to_be_bytes(),
        (Some(Value::Truth(sent)), Some(ColumnType::Bool), Some(bytes)) => *bytes == [u8::from(sent)],
        (Some(Value::Text(sent)), Some(ColumnType::Text), Some(bytes)) => *bytes == *sent.as_bytes(),
        _ => false,
    }
}
