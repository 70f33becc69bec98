//! Rows -> the newest value of each series and field. Pure.

use hashbrown::HashMap;

use super::{Shape, bars::Number};
use crate::{copy::timestamptz_us, hypertable::ColumnType};

/// A value as it is compared: of equal times the greater counts, so that the answer does not depend on the order of rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// float8, int8 and bool, by [`super::bars::Key`].
    Number(super::bars::Key),
    /// Microseconds since 1970.
    Time(i64),
    /// By its bytes.
    Text(String),
}

impl Value {
    /// Of a column's value as the database sends it; `None` where it is missing.
    pub(super) fn read(kind: ColumnType, value: Option<&[u8]>) -> Option<Self> {
        match kind {
            ColumnType::Float8 => Number::Float.key(value).map(Self::Number),
            ColumnType::Int8 => Number::Int.key(value).map(Self::Number),
            ColumnType::Bool => {
                let bool = value?.first().copied()?;
                Some(Self::Number(super::bars::Key::of_int(i64::from(bool))))
            }
            ColumnType::Timestamptz => timestamptz_us(value?).map(Self::Time),
            ColumnType::Text => String::from_utf8(value?.to_vec()).ok().map(Self::Text),
        }
    }
}

/// A value and its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamped {
    pub(super) time_us: i64,
    pub(super) value: Value,
}

/// The newest values, by series.
#[derive(Debug)]
pub(super) struct Newest {
    kinds: Vec<ColumnType>,
    places: HashMap<i64, usize>,
    latest: Option<(i64, usize)>,
    values: Vec<Option<Stamped>>,
}

impl Newest {
    /// None yet of a shape's fields.
    pub(super) fn of(shape: &Shape) -> Self {
        Self::new(shape.latest.iter().map(|field| field.kind).collect())
    }

    pub(super) fn new(kinds: Vec<ColumnType>) -> Self {
        Self { kinds, places: HashMap::new(), latest: None, values: Vec::new() }
    }

    /// Takes in a row as the database sends it.
    pub(super) fn add(&mut self, time_us: i64, series_id: i64, values: &[Option<&[u8]>]) {
        self.add_with(time_us, series_id, |at, kind| Value::read(kind, values.get(at).copied().flatten()));
    }

    /// Takes in a row; `value` gives that of a field, by its place and type, and is asked for those alone that may be newer.
    pub(super) fn add_with(
        &mut self,
        time_us: i64,
        series_id: i64,
        value: impl Fn(usize, ColumnType) -> Option<Value>,
    ) {
        let place = match self.latest {
            Some((latest, place)) if latest == series_id => place,
            _ => self.place(series_id),
        };
        let fields = self.kinds.len();
        for (at, kind) in self.kinds.iter().enumerate() {
            let newest = &mut self.values[place * fields + at];
            if newest.as_ref().is_some_and(|newest| newest.time_us > time_us) {
                continue;
            }
            if let Some(value) = value(at, *kind) {
                let stamped = Stamped { time_us, value };
                if newest.as_ref().is_none_or(|newest| *newest < stamped) {
                    *newest = Some(stamped);
                }
            }
        }
    }

    fn place(&mut self, series_id: i64) -> usize {
        let next = self.places.len();
        let place = *self.places.entry(series_id).or_insert(next);
        if place == next {
            self.values.resize(self.values.len() + self.kinds.len(), None);
        }
        self.latest = Some((series_id, place));
        place
    }

    /// The newest value of a field, by its place, of a series.
    pub(super) fn get(&self, series_id: i64, field: usize) -> Option<&Stamped> {
        let place = self.places.get(&series_id)?;
        self.values.get(place * self.kinds.len() + field)?.as_ref()
    }

    /// The series that have any value, ascending, so that two who write them wait for each other and never in a circle.
    pub(super) fn series(&self) -> Vec<i64> {
        let fields = self.kinds.len();
        let some = |place: usize| self.values[place * fields..(place + 1) * fields].iter().any(Option::is_some);
        let mut ids: Vec<i64> =
            self.places.iter().filter(|(_, place)| some(**place)).map(|(series_id, _)| *series_id).collect();
        ids.sort_unstable();
        ids
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_newest_is_the_greatest_of_the_latest_in_any_order(
            rows in proptest::collection::vec((0_i64..5, 0_i64..3, proptest::option::of(-3_i64..3)), 0..40),
        ) {
            let newest = |rows: &mut dyn Iterator<Item = &(i64, i64, Option<i64>)>| {
                let mut newest = Newest::new(vec![ColumnType::Int8]);
                for (time, series, value) in rows {
                    let bytes = value.map(i64::to_be_bytes);
                    newest.add(*time, *series, &[bytes.as_ref().map(|bytes| &bytes[..])]);
                }
                newest
            };
            let (forth, back) = (newest(&mut rows.iter()), newest(&mut rows.iter().rev()));
            for series in 0..3 {
                let expected = rows.iter().filter(|row| row.1 == series).filter_map(|row| Some((row.0, row.2?))).max();
                let expected = expected.map(|(time_us, value)| Stamped {
                    time_us,
                    value: Value::Number(super::super::bars::Key::of_int(value)),
                });
                prop_assert_eq!(forth.get(series, 0), expected.as_ref());
                prop_assert_eq!(back.get(series, 0), expected.as_ref());
                prop_assert_eq!(forth.series().contains(&series), expected.is_some());
            }
        }
    }

    #[test]
    fn what_is_no_number_is_no_last_value() {
        let mut newest = Newest::new(vec![ColumnType::Float8, ColumnType::Text]);
        newest.add(1, 7, &[Some(&1.5_f64.to_be_bytes()), None]);
        newest.add(2, 7, &[Some(&f64::NAN.to_be_bytes()), Some(b"on")]);
        assert_eq!(newest.get(7, 0).map(|stamped| stamped.time_us), Some(1));
        assert_eq!(newest.get(7, 1).map(|stamped| &stamped.value), Some(&Value::Text("on".to_owned())));
    }
}
