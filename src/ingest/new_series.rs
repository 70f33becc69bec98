//! New series of a request, and those that the series table refuses.
//!
//! A series table belongs to its analysts too: a CHECK, a unique index, a column that must have a value. What it refuses
//! costs the lines of those series, each with the reason, and no others.

use hashbrown::HashMap;
use sqlx::PgConnection;
use tokio::time::{Duration, Instant};

use super::{
    draft::Draft,
    isolate::{Search, Verdict, verdict},
    service::Core,
};
use crate::{
    db::{Failure, Role, classify},
    hypertable::Measurement,
    series::{self, MeasurementIds, NewSeries, SeriesKey},
};

/// So many statements, and so long, are spent on finding the series that are refused.
const MOST_TRIES: usize = 1_000;
const SEARCH: Duration = Duration::from_secs(3);

/// Series that cannot be made, with the reason, by measurement.
#[derive(Debug, Default)]
pub(super) struct Barred(HashMap<String, HashMap<SeriesKey, Verdict>>);

impl Barred {
    /// Why a series cannot be made, if it is known not to.
    pub(super) fn reason(&self, measurement: &str, key: SeriesKey) -> Option<&Verdict> {
        if self.0.is_empty() { None } else { self.0.get(measurement)?.get(&key) }
    }

    pub(super) fn add(&mut self, measurement: &str, refused: Vec<(SeriesKey, Verdict)>) {
        self.0.entry_ref(measurement).or_default().extend(refused);
    }
}

impl Core {
    /// Makes a draft's new series, and remembers their ids. Returns those that the series table refuses.
    pub(super) async fn make_series(
        &self,
        measurement: &Measurement,
        draft: &Draft,
    ) -> Result<Vec<(SeriesKey, Verdict)>, sqlx::Error> {
        // The semaphore is never closed.
        let _turn = self.making_series.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        // Whoever had the turn before may have made them.
        let still_new: Vec<NewSeries>;
        let new: &[NewSeries] = if draft.new_series.iter().any(|series| draft.ids.get(series.key).is_some()) {
            still_new = unknown(&draft.ids, &draft.new_series).cloned().collect();
            &still_new
        } else {
            &draft.new_series
        };
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.database.connect(Role::Writer).await?;
        let mut refused = Vec::new();
        match series::create(&mut connection, measurement, new).await {
            Ok(created) => draft.ids.put(&created),
            Err(error) if classify(&error) == Failure::Data => {
                refused = make_apart(&mut connection, measurement, draft, new).await?;
            }
            Err(error) => return Err(error),
        }
        self.quota.made((new.len() - refused.len()) as u64);
        Ok(refused)
    }
}

/// Makes those that can be made, in ever smaller parts.
async fn make_apart(
    connection: &mut PgConnection,
    measurement: &Measurement,
    draft: &Draft,
    new: &[NewSeries],
) -> Result<Vec<(SeriesKey, Verdict)>, sqlx::Error> {
    let mut refused = Vec::new();
    let mut search = Search::new(0..new.len());
    let (mut tries, until) = (0, Instant::now() + SEARCH);
    while let Some(places) = search.next() {
        if tries == MOST_TRIES || Instant::now() > until {
            refused.extend(search.untried().map(|place| (new[place].key, Verdict::Untried)));
            break;
        }
        tries += 1;
        match series::create(connection, measurement, &new[places]).await {
            Ok(created) => {
                draft.ids.put(&created);
                search.taken();
            }
            Err(error) => {
                let Some((verdict, _)) = verdict(&error) else { return Err(error) };
                refused.extend(search.refused(None).map(|place| (new[place].key, verdict)));
            }
        }
    }
    tracing::warn!(
        measurement = measurement.name,
        series = refused.len(),
        tries,
        reason = refused.first().map(|(_, verdict)| verdict.to_string()),
        "the series table refuses series"
    );
    Ok(refused)
}

fn unknown<'n>(ids: &'n MeasurementIds, new: &'n [NewSeries]) -> impl Iterator<Item = &'n NewSeries> {
    new.iter().filter(|series| ids.get(series.key).is_none())
}
