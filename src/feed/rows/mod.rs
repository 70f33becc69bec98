//! Rows that can be made one by one: what is sent, and what must be in the database afterwards.
//!
//! A row is a function of the recipe, its source and its number within the source, so whoever checks a database needs no
//! copy of what was sent. A source sends its rows in order, but for the sensors' late and repeated readings: **position**
//! `p` of a source sends row `p`, unless that is missing or late, and the row that is late or repeated from two requests
//! before.

mod recipe;
mod values;
mod write;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use recipe::{FieldSet, Kind, Recipe, Shape};

use self::values::{below, hash, mix, unit, walk};
use super::{
    FeedError,
    assets::ticker,
    decimal::hundredths,
    sensors::{DEVICES_A_SITE, cycle},
};

const SECTORS: u32 = 11;

/// A field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// `price`, `temperature`, or OpenTSDB's `value` where only numbers are asked for.
    First,
    /// `size` or `humidity`.
    Second,
    /// 64 bits as an integer.
    Check,
    /// A float of any bits; OpenTSDB's `value`.
    Exact,
    /// A truth value.
    Flag,
    /// Text, where there is one.
    Note,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Equal only if the bits are.
    Float(f64),
    /// An integer.
    Integer(i64),
    /// A truth value.
    Truth(bool),
    /// Text.
    Text(&'static str),
}

/// A row without its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which of its source's series.
    pub series: u32,
    first_hundredths: i64,
    second_hundredths: i64,
    hash: u64,
}

impl Row {
    /// What a field of this row holds; `None` where it has none.
    #[must_use]
    pub fn value(&self, quantity: Quantity) -> Option<Value> {
        Some(match quantity {
            Quantity::First => Value::Float(self.first_hundredths as f64 / 100.0),
            Quantity::Second => Value::Float(self.second_hundredths as f64 / 100.0),
            Quantity::Check => Value::Integer(self.hash.cast_signed()),
            Quantity::Exact => Value::Float(values::exact(mix(self.hash ^ 1))),
            Quantity::Flag => Value::Truth(self.hash & 1 == 1),
            Quantity::Note => Value::Text(values::note(mix(self.hash ^ 2))?),
        })
    }
}

/// How a row is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    InTime,
    Missing,
    Late,
    Twice,
}

/// Makes the rows of a recipe.
#[derive(Debug, Clone)]
pub struct Rows {
    recipe: Recipe,
    fields: Vec<(&'static str, Quantity)>,
    /// What stands for each series in a line, see `write`.
    heads: Vec<Box<[u8]>>,
}

impl Rows {
    /// Prepares for a recipe.
    ///
    /// # Errors
    /// [`FeedError`] if it cannot be followed.
    pub fn new(recipe: Recipe) -> Result<Self, FeedError> {
        recipe.check()?;
        let mut rows = Self { fields: fields(&recipe), heads: Vec::new(), recipe };
        rows.heads = (0..rows.recipe.series).map(|index| write::head(&rows, index)).collect();
        Ok(rows)
    }

    /// The recipe.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The names of the fields, in the order in which they are written.
    #[must_use]
    pub fn fields(&self) -> &[(&'static str, Quantity)] {
        &self.fields
    }

    /// The tags of a source's series, by key.
    #[must_use]
    pub fn tags(&self, source: u32, series: u32) -> Vec<(&'static str, String)> {
        self.tags_of(source + series * self.recipe.sources)
    }

    fn tags_of(&self, index: u32) -> Vec<(&'static str, String)> {
        let source = ("source", (index % self.recipe.sources).to_string());
        match self.recipe.kind {
            Kind::Assets => vec![source, ("symbol", ticker(index))],
            Kind::Sensors => {
                vec![("device", format!("dev{index}")), ("site", format!("site{}", index / DEVICES_A_SITE)), source]
            }
        }
    }

    /// A source's row.
    #[must_use]
    pub fn row(&self, source: u32, seq: u64) -> Row {
        let seed = mix(self.recipe.seed);
        let hash = hash(seed ^ mix(u64::from(source) + 1), seq);
        let count = self.recipe.series_of(source).max(1);
        match self.recipe.kind {
            Kind::Assets => {
                let series = below(hash, count);
                let index = u64::from(source + series * self.recipe.sources);
                let [own, sector] =
                    [(2, index), (3, index % u64::from(SECTORS))].map(|(key, n)| mix(seed ^ key) ^ mix(n));
                let change = (0.3 + 0.09 * unit(own)) * walk(mix(seed ^ 4), seq)
                    + 0.35 * walk(sector, seq)
                    + 0.4 * walk(own, seq);
                // At least 0.31 of what it began with: the three are within 0.39, 0.35 and 0.4 of 0.6.
                let price = (252.5 + 247.5 * unit(mix(own))) * (1.0 + change);
                let lots = (mix(hash).trailing_zeros() + 1) * 100;
                Row { series, first_hundredths: hundredths(price), second_hundredths: i64::from(lots) * 100, hash }
            }
            Kind::Sensors => {
                let series = u32::try_from(seq % u64::from(count)).unwrap_or(0);
                let index = source + series * self.recipe.sources;
                let own = mix(seed ^ 5) ^ mix(u64::from(index));
                let site = 15.0 + 10.0 * unit(mix(mix(seed ^ 6) ^ u64::from(index / DEVICES_A_SITE)));
                let warmth = unit(own) + 4.0 * cycle(self.recipe.time_us(seq)) + 3.0 * walk(own, seq);
                let humidity = (55.0 - 1.8 * warmth + unit(mix(hash))).clamp(0.0, 100.0);
                Row {
                    series,
                    first_hundredths: hundredths(site + warmth),
                    second_hundredths: hundredths(humidity),
                    hash,
                }
            }
        }
    }

    /// Calls `send` with the number of each row that a range of a source's positions sends, in order.
    pub fn sent(&self, source: u32, positions: Range<u64>, mut send: impl FnMut(u64)) {
        if self.recipe.kind == Kind::Assets {
            return positions.for_each(send);
        }
        let distance = 2 * u64::from(self.recipe.lines_per_request);
        for position in positions {
            if matches!(self.fate(source, position), Fate::InTime | Fate::Twice) {
                send(position);
            }
            let Some(before) = position.checked_sub(distance) else { continue };
            if matches!(self.fate(source, before), Fate::Late | Fate::Twice) {
                send(before);
            }
        }
    }

    fn fate(&self, source: u32, seq: u64) -> Fate {
        let key = mix(self.recipe.seed ^ 7) ^ mix(u64::from(source));
        match hash(key, seq) % 64 {
            0 => Fate::Missing,
            1 => Fate::Late,
            2 => Fate::Twice,
            _ => Fate::InTime,
        }
    }
}

fn fields(recipe: &Recipe) -> Vec<(&'static str, Quantity)> {
    let all = recipe.fields == FieldSet::All;
    if matches!(recipe.shape, Shape::OpenTsdbJson | Shape::OpenTsdbPut) {
        return vec![("value", if all { Quantity::Exact } else { Quantity::First })];
    }
    let mut fields = match recipe.kind {
        Kind::Assets => vec![("price", Quantity::First), ("size", Quantity::Second)],
        Kind::Sensors => vec![("temperature", Quantity::First), ("humidity", Quantity::Second)],
    };
    if all {
        if recipe.shape != Shape::JsonFrame {
            fields.push(("check", Quantity::Check));
        }
        fields.extend([("exact", Quantity::Exact), ("flag", Quantity::Flag), ("note", Quantity::Note)]);
    }
    fields
}
