//! Rows joined by time: the pairing tags, `time`, the left fields, `right_<field>`, `right_time`, `age_us`.

use std::{collections::HashMap, time::Instant};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    columns::tag_columns,
    json::{Each, ReceiptAtEnd, Time},
    table::{BATCH_ROWS, Cells, Kind, Table},
};
use crate::query::AsofAnswer;

/// The names of the columns, all of them different.
pub(super) struct Names {
    tags: Vec<String>,
    left: Vec<String>,
    right: Vec<String>,
}

const TIME: &str = "time";
const RIGHT_TIME: &str = "right_time";
const AGE: &str = "age_us";

impl Names {
    /// The answer's own columns keep their names. A left field with one of those gets `left_` in front, a right field's
    /// `right_` is repeated, until all names differ; then tags give way to all of them.
    pub(super) fn of(answer: &AsofAnswer) -> Self {
        let mut taken = vec![TIME.to_owned(), RIGHT_TIME.to_owned(), AGE.to_owned()];
        let mut name = |mut name: String, prefix: &str| {
            while taken.contains(&name) {
                name.insert_str(0, prefix);
            }
            taken.push(name.clone());
            name
        };
        let left = answer.left_fields.iter().map(|field| name(field.clone(), "left_")).collect();
        let right = answer.right_fields.iter().map(|field| name(format!("right_{field}"), "right_")).collect();
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        Self { tags: tag_columns(&answer.tag_names, &taken), left, right }
    }
}

/// How old the right row is.
fn age_us(answer: &AsofAnswer, row: usize) -> Option<i64> {
    answer.rows.right_times_us[row].map(|right_us| answer.rows.times_us[row].saturating_sub(right_us))
}

pub(super) fn table(answer: &AsofAnswer) -> Table<'_> {
    let names = Names::of(answer);
    let (left_fields, right_fields) = (names.left.len(), names.right.len());
    let mut columns = Vec::new();
    let mut codes: Vec<Vec<Option<usize>>> = Vec::new();
    for (tag, name) in names.tags.into_iter().enumerate() {
        let mut values: Vec<&str> = Vec::new();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let of_pairs = answer.pairs.iter().map(|pair| {
            let value = pair.get(tag)?.as_deref()?;
            Some(*seen.entry(value).or_insert_with(|| {
                values.push(value);
                values.len() - 1
            }))
        });
        codes.push(of_pairs.collect());
        columns.push((name, Kind::Tag(values)));
    }
    columns.push((TIME.to_owned(), Kind::Time));
    columns.extend(names.left.into_iter().chain(names.right).map(|name| (name, Kind::Float)));
    columns.extend([(RIGHT_TIME.to_owned(), Kind::Time), (AGE.to_owned(), Kind::MaybeInt)]);

    let rows = &answer.rows;
    let batches = (0..rows.len()).step_by(BATCH_ROWS).map(move |from| {
        let range = from..rows.len().min(from + BATCH_ROWS);
        let mut cells: Vec<Cells> = codes
            .iter()
            .map(|codes| Cells::Codes(rows.pairs[range.clone()].iter().map(|pair| codes[*pair as usize]).collect()))
            .collect();
        cells.push(Cells::Times(rows.times_us[range.clone()].iter().copied().map(Some).collect()));
        for (values, fields) in [(&rows.left, left_fields), (&rows.right, right_fields)] {
            cells.extend(
                (0..fields).map(|field| Cells::Floats(range.clone().map(|row| values[row * fields + field]).collect())),
            );
        }
        cells.push(Cells::Times(rows.right_times_us[range.clone()].to_vec()));
        cells.push(Cells::MaybeInts(range.map(|row| age_us(answer, row)).collect()));
        cells
    });
    Table { columns, batches: Box::new(batches) }
}

/// `{"rows", "as_of", "receipt"}`
pub(super) struct Json<'a>(pub(super) &'a AsofAnswer, pub(super) Instant);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, began) = *self;
        let names = Names::of(answer);
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("rows", &Each((0..answer.rows.len()).map(|row| Row { answer, names: &names, row })))?;
        map.serialize_entry("as_of", &Time(answer.as_of_us))?;
        map.serialize_entry("receipt", &ReceiptAtEnd(&answer.receipt, began))?;
        map.end()
    }
}

/// An object of all columns; what is missing is null, but a tag that a series lacks is left out.
#[derive(Clone, Copy)]
struct Row<'a> {
    answer: &'a AsofAnswer,
    names: &'a Names,
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { answer, names, row } = *self;
        let rows = &answer.rows;
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in names.tags.iter().zip(&answer.pairs[rows.pairs[row] as usize]) {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry(TIME, &Time(rows.times_us[row]))?;
        for (names, values) in [(&names.left, &rows.left), (&names.right, &rows.right)] {
            for (name, value) in names.iter().zip(&values[row * names.len()..]) {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry(RIGHT_TIME, &rows.right_times_us[row].map(Time))?;
        map.serialize_entry(AGE, &age_us(answer, row))?;
        map.end()
    }
}
