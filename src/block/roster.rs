//! The series of a measurement, kept from question to question: reading a hundred thousand takes longer than correlating them.

use std::sync::Arc;

use hashbrown::HashMap;
use sqlx::PgConnection;

use crate::{
    hypertable::{Measurement, changes::PgSnapshot},
    question::Selector,
    series::{self, SelectError, SelectedSeries, TaggedSeries},
};

/// How many series there are, and what all their ids make together: equal sets have equal figures, and ids are never used
/// twice. Then how many of them sleep, and what their ids make: those are left out of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figures {
    count: i64,
    last: Option<i64>,
    mixed: Option<i64>,
    asleep: i64,
    asleep_mixed: Option<i64>,
}

/// The figures of those that sleep, few as a rule.
fn asleep(measurement: &Measurement) -> String {
    format!(
        "(SELECT count(*) AS asleep, bit_xor(series_id) AS asleep_mixed
          FROM chunkwise.retired_series WHERE measurement_id = {}) r",
        measurement.id
    )
}

/// What is known of series when a question comes.
#[derive(Debug)]
pub(super) enum KnownSeries {
    /// Their places alone: those of panels from disk.
    Places(Vec<i64>),
    /// All of them as they were in a state.
    Roster(Arc<Roster>, Arc<PgSnapshot>),
}

impl KnownSeries {
    /// The series by place.
    pub(super) fn ids(&self) -> Vec<i64> {
        match self {
            Self::Places(ids) => ids.clone(),
            Self::Roster(roster, _) => roster.ids.clone(),
        }
    }
}

/// All series of a measurement in one state of the database.
#[derive(Debug)]
pub struct Roster {
    /// Ascending by id, as a selector of all of them gives them.
    pub selected: Arc<SelectedSeries>,
    /// For each of them its place in panels.
    pub places: Vec<usize>,
    /// Whether each of them stands in panels where it stands in the list.
    pub is_in_order: bool,
    ids: Vec<i64>,
    by_id: HashMap<i64, usize>,
    tags: usize,
    figures: Figures,
}

impl Roster {
    /// The place of a series in panels.
    #[must_use]
    pub fn place(&self, series_id: i64) -> Option<usize> {
        self.by_id.get(&series_id).copied()
    }

    /// The series by place; also some that were there once.
    pub(super) fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The series as this state has them, where nothing in the change log tells the states apart (`is_quiet`) by a look at the
    /// last id alone: counting a hundred thousand takes 10 ms. A series keeps its place for good, new ones come behind.
    pub(super) async fn read(
        connection: &mut PgConnection,
        measurement: &Measurement,
        known: &KnownSeries,
        is_quiet: bool,
    ) -> Result<Arc<Self>, SelectError> {
        if is_quiet && let KnownSeries::Roster(known, _) = known {
            let Figures { last, asleep: sleeping, asleep_mixed, .. } = known.figures;
            let sql = format!(
                "SELECT (SELECT max(series_id) FROM {}), asleep, asleep_mixed FROM {}",
                measurement.series_table(),
                asleep(measurement)
            );
            let now: (Option<i64>, i64, Option<i64>) = sqlx::query_as(&sql).fetch_one(&mut *connection).await?;
            if now == (last, sleeping, asleep_mixed) && known.tags == measurement.tags.len() {
                return Ok(Arc::clone(known));
            }
        }
        let sql = format!(
            "SELECT s.count, s.last, s.mixed, r.asleep, r.asleep_mixed FROM {},
                 (SELECT count(*) AS count, max(series_id) AS last, bit_xor(series_id) AS mixed FROM {}) s",
            asleep(measurement),
            measurement.series_table()
        );
        let (count, last, mixed, asleep, asleep_mixed) = sqlx::query_as(&sql).fetch_one(&mut *connection).await?;
        let figures = Figures { count, last, mixed, asleep, asleep_mixed };
        if let KnownSeries::Roster(known, _) = known
            && known.figures == figures
            && known.tags == measurement.tags.len()
        {
            return Ok(Arc::clone(known));
        }
        let mut ids = known.ids();
        let selected = Arc::new(series::select(connection, measurement, &Selector::default()).await?);
        let mut by_id: HashMap<i64, usize> = ids.iter().copied().zip(0..).collect();
        let mut places = Vec::with_capacity(selected.series.len());
        for TaggedSeries { series_id, .. } in &selected.series {
            places.push(*by_id.entry(*series_id).or_insert_with(|| {
                ids.push(*series_id);
                ids.len() - 1
            }));
        }
        let is_in_order = places.iter().enumerate().all(|(row, place)| row == *place);
        let tags = measurement.tags.len();
        Ok(Arc::new(Self { selected, places, is_in_order, ids, by_id, tags, figures }))
    }
}
