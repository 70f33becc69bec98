//! What a measurement's rollups are made of. Pure but for the look at the storage's columns.

use std::{collections::HashMap, time::Duration};

use sqlx::PgConnection;

use super::{
    Level,
    bars::{Number, Weighting},
};
use crate::hypertable::{ColumnType, Measurement, quote_ident};

/// So many fields have bars: each takes six columns, and a row must fit into a page.
const MAX_BAR_FIELDS: usize = 150;
/// So many fields have a last value: each takes two columns.
const MAX_LATEST_FIELDS: usize = 400;

/// How a measurement's rollups are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupSettings {
    /// The widths that bars are kept at, ascending; none for no rollups at all.
    pub levels: Vec<Level>,
    /// The field whose bars are `open, high, low, close`; by default `price`, else `close`.
    pub price: Option<String>,
    /// The field whose sum is `volume`; by default `size` where the price is `price`, `volume` where it is `close`.
    pub size: Option<String>,
    /// Bars that are older than this are dropped; none are if missing.
    pub retention: Option<Duration>,
}

impl Default for RollupSettings {
    fn default() -> Self {
        Self { levels: Level::ALL.to_vec(), price: None, size: None, retention: None }
    }
}

/// A field with bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarField {
    /// Its column in the storage, unquoted.
    pub column: String,
    /// The column's type.
    pub kind: ColumnType,
    /// What its bars hold.
    pub number: Number,
    position: i32,
}

/// A field with a last value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestField {
    /// Its column in the storage and in the table of last values, unquoted.
    pub column: String,
    /// The column's type.
    pub kind: ColumnType,
    position: i32,
}

/// What a measurement's rollups are made of.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The measurement.
    pub measurement: Measurement,
    /// Ascending.
    pub levels: Vec<Level>,
    /// In order of arrival.
    pub fields: Vec<BarField>,
    /// In order of arrival.
    pub latest: Vec<LatestField>,
    /// The places of price and size among the fields.
    pub price: Option<usize>,
    /// See [`Shape::price`]; only where there is a price.
    pub size: Option<usize>,
}

impl Shape {
    /// The shape for the fields that the storage has columns for: somebody may have dropped one by hand.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(
        connection: &mut PgConnection,
        measurement: Measurement,
        settings: &RollupSettings,
    ) -> Result<Self, sqlx::Error> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT a.attname::text, t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped",
        )
        .bind(measurement.storage())
        .fetch_all(connection)
        .await?;
        Ok(Self::new(measurement, settings, &rows.into_iter().collect()))
    }

    /// Nothing but the names of what rollups are made into.
    pub(super) fn bare(measurement: Measurement) -> Self {
        Self { measurement, levels: Vec::new(), fields: Vec::new(), latest: Vec::new(), price: None, size: None }
    }

    /// `columns` are those of the storage with their types' names.
    fn new(measurement: Measurement, settings: &RollupSettings, columns: &HashMap<String, String>) -> Self {
        let kind = |column: &str| columns.get(column)?.parse::<ColumnType>().ok();
        let there = measurement.fields.iter().filter_map(|field| Some((field, kind(&field.column)?)));
        let latest: Vec<LatestField> = there
            .clone()
            .map(|(field, kind)| LatestField { column: field.column.clone(), kind, position: field.position })
            .take(MAX_LATEST_FIELDS)
            .collect();
        let numeric = |kind| match kind {
            ColumnType::Float8 => Some(Number::Float),
            ColumnType::Int8 | ColumnType::Bool => Some(Number::Int),
            ColumnType::Text | ColumnType::Timestamptz => None,
        };
        let fields: Vec<BarField> = there
            .filter_map(|(field, kind)| {
                let number = numeric(kind)?;
                Some(BarField { column: field.column.clone(), kind, number, position: field.position })
            })
            .take(MAX_BAR_FIELDS)
            .collect();
        let place = |name: &str| {
            let column = &measurement.field(name)?.column;
            fields.iter().position(|field| field.column == *column && field.kind != ColumnType::Bool)
        };
        let (price, size) = match (&settings.price, &settings.size) {
            (None, None) => match place("price") {
                Some(price) => (Some(price), place("size")),
                None => (place("close"), place("volume")),
            },
            (price, size) => (price.as_deref().and_then(place), size.as_deref().and_then(place)),
        };
        let size = size.filter(|_| price.is_some());
        let levels = if fields.is_empty() { Vec::new() } else { settings.levels.clone() };
        Self { measurement, levels, fields, latest, price, size }
    }

    /// The names of the fields that are price and size.
    #[must_use]
    pub fn price_and_size(&self) -> [Option<&str>; 2] {
        let named = |at: usize| {
            let column = &self.fields.get(at)?.column;
            let field = self.measurement.fields.iter().find(|field| field.column == *column)?;
            Some(field.name.as_str())
        };
        [self.price.and_then(named), self.size.and_then(named)]
    }

    /// Keeps only fields that the views have columns for already; `bars` are those of a level, `latest` those of last values.
    pub(super) fn keep(&mut self, bars: &[String], latest: &[String]) {
        let [price, size] = [self.price, self.size].map(|at| Some(self.fields.get(at?)?.column.clone()));
        self.fields.retain(|field| bars.contains(&field.part("first")));
        let place =
            |column: Option<String>| self.fields.iter().position(|field| Some(&field.column) == column.as_ref());
        (self.price, self.size) = (place(price), place(size));
        if !bars.iter().any(|column| column == super::sql::WEIGHTED[0]) {
            self.size = None;
        }
        self.latest.retain(|field| latest.contains(&field.at()));
    }

    /// Price and size, where there are both.
    #[must_use]
    pub fn weighting(&self) -> Option<Weighting> {
        Some(Weighting { value: self.price?, weight: self.size? })
    }

    /// What the fields' bars hold.
    #[must_use]
    pub fn numbers(&self) -> Vec<Number> {
        self.fields.iter().map(|field| field.number).collect()
    }

    /// The places of the fields with bars among those with last values; `None` where one has none.
    pub(super) fn latest_places(&self) -> Option<Vec<usize>> {
        let place = |field: &BarField| self.latest.iter().position(|latest| latest.column == field.column);
        self.fields.iter().map(place).collect()
    }

    /// The level whose bars a level's are made of; `None` where they are made of rows.
    #[must_use]
    pub fn below(&self, level: Level) -> Option<Level> {
        self.levels.iter().copied().rfind(|other| *other < level)
    }

    /// The level whose bars are made of this one's.
    #[must_use]
    pub fn above(&self, level: Level) -> Option<Level> {
        self.levels.iter().copied().find(|other| *other > level)
    }

    /// The table of a level's bars, as the database's catalogs have it: schema and name.
    #[must_use]
    pub fn bars_names(&self, level: Level) -> [String; 2] {
        let [schema, relation] = self.measurement.storage_names();
        [schema, format!("{relation}__bars_{level}")]
    }

    /// The same, quoted.
    #[must_use]
    pub fn bars(&self, level: Level) -> String {
        quoted(&self.bars_names(level))
    }

    /// A level's bars with those that are computed on the fly, by series id.
    #[must_use]
    pub fn live(&self, level: Level) -> String {
        self.stored(&format!("__live_{level}"))
    }

    /// The table of last values.
    #[must_use]
    pub fn latest_table(&self) -> String {
        self.stored("__latest")
    }

    /// Last values with the newest rows', by series id.
    #[must_use]
    pub fn live_latest(&self) -> String {
        self.stored("__live_latest")
    }

    /// The analysts' view of a level.
    #[must_use]
    pub fn bars_view(&self, level: Level) -> String {
        self.shown(&format!("_bars_{level}"))
    }

    /// The analysts' view of last values.
    #[must_use]
    pub fn latest_view(&self) -> String {
        self.shown("_latest")
    }

    fn stored(&self, end: &str) -> String {
        let [schema, relation] = self.measurement.storage_names();
        quoted(&[schema, format!("{relation}{end}")])
    }

    fn shown(&self, end: &str) -> String {
        let Measurement { namespace, relation, .. } = &self.measurement;
        quoted(&[namespace.clone(), format!("{relation}{end}")])
    }

    /// Tags and fields that the views show, in order of arrival: `Ok` a tag's place, `Err` a field's.
    pub(super) fn arrivals<'s, F>(
        &'s self,
        fields: &'s [F],
        position: impl Fn(&F) -> i32,
    ) -> Vec<(i32, Result<usize, usize>)> {
        let tags = self.measurement.tags.iter().enumerate().map(|(at, tag)| (tag.position, Ok(at)));
        let mut all: Vec<_> =
            tags.chain(fields.iter().enumerate().map(|(at, field)| (position(field), Err(at)))).collect();
        all.sort_unstable_by_key(|(position, _)| *position);
        all
    }
}

impl BarField {
    /// Its place among all tags and fields.
    pub(super) fn position(&self) -> i32 {
        self.position
    }

    /// A column of its bars, unquoted: `first`, `last`, `min`, `max`, `sum` or `count`.
    #[must_use]
    pub fn part(&self, part: &str) -> String {
        format!("{}__{part}", self.column)
    }
}

impl LatestField {
    /// Its place among all tags and fields.
    pub(super) fn position(&self) -> i32 {
        self.position
    }

    /// The column with the time of its last value, unquoted.
    #[must_use]
    pub fn at(&self) -> String {
        format!("{}__at", self.column)
    }
}

fn quoted([schema, name]: &[String; 2]) -> String {
    format!("{}.{}", quote_ident(schema), quote_ident(name))
}
