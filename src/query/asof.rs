//! Raw rows of two measurements joined by time.

use std::sync::Arc;

use sqlx::PgConnection;
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle, time::Instant};

use super::{
    QueryError, Questions, Receipt, ReceiptChunks, ReceiptMs,
    error::{Attempt, Attempts},
    finding::find_measurement,
    questions::blocking,
    reading::ms,
};
use crate::{
    asof::{AsofJoin, Joined, SideRows, Unmatched},
    hypertable::{Chunk, Field, Measurement, list_chunks},
    question::{AsofQuestion, AsofSide, Invalid, Join},
    series::{self, SelectedSeries, TaggedSeries},
    window::{Cost, RawReading, RawSide, Snapshot, Span, estimated_rows, raw_slices},
};

/// About so many rows are joined at once.
const SLICE_ROWS: u64 = 500_000;
/// Fewer rows than this are read over one connection: another costs more than it saves.
const ROWS_A_CONNECTION: u64 = 100_000;

/// The answer to a join.
#[derive(Debug, Clone, Default)]
pub struct AsofAnswer {
    /// The pairing tags.
    pub tag_names: Vec<String>,
    /// Each pair's values of them; `None` where the left series lacks the tag.
    pub pairs: Vec<Vec<Option<String>>>,
    /// The left fields.
    pub left_fields: Vec<String>,
    /// The right fields.
    pub right_fields: Vec<String>,
    /// The rows, by pair and then by time.
    pub rows: Joined,
    /// Equal versions mean equal series on both sides.
    pub version: String,
    /// The database's clock, microseconds since 1970, when the snapshot was taken that the answer includes whole.
    pub as_of_us: i64,
    /// What it cost.
    pub receipt: Receipt,
}

/// One side as it was found.
struct Side {
    measurement: Measurement,
    chunks: Vec<Chunk>,
    span: Span,
    rows: u64,
}

impl Side {
    fn touched(&self) -> impl Iterator<Item = &Chunk> {
        let Span { from_us, to_us } = self.span;
        self.chunks.iter().filter(move |chunk| chunk.from_us < to_us && from_us < chunk.to_us)
    }
}

impl Questions {
    /// For each left row the last right row at or before its time.
    ///
    /// Dropped before it is finished, it stops what the server does for it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn asof(&self, question: &AsofQuestion) -> Result<AsofAnswer, QueryError> {
        question.validate()?;
        let answer = async {
            let began = Instant::now();
            let _turn = self.turn().await?;
            let queued = began.elapsed();
            let mut attempts = Attempts::default();
            loop {
                match self.asof_attempt(question).await {
                    Ok(mut answer) => {
                        answer.receipt.ms.queue = ms(queued);
                        return Ok(answer);
                    }
                    Err(ended) => attempts.again(ended)?,
                }
            }
        };
        self.in_time(answer, &self.asofs, |answer| &answer.receipt).await
    }

    async fn asof_attempt(&self, question: &AsofQuestion) -> Result<AsofAnswer, Attempt> {
        let mut snapshot = Snapshot::take(&self.database, self.limits.time).await?;
        let joined = self.asof_within(&mut snapshot, question).await;
        if matches!(joined, Ok(_) | Err(Attempt::Failed(_))) {
            snapshot.close().await?;
        }
        let (answer, sides) = joined?;
        for side in &sides {
            let touched: Vec<i64> = side.touched().map(|chunk| chunk.id).collect();
            if self.has_gone(&side.measurement, &touched).await? {
                return Err(Attempt::gone());
            }
        }
        Ok(answer)
    }

    /// Everything that is read in the snapshot's state.
    async fn asof_within(
        &self,
        snapshot: &mut Snapshot,
        question: &AsofQuestion,
    ) -> Result<(AsofAnswer, [Side; 2]), Attempt> {
        let began = Instant::now();
        let tolerance_us = question.tolerance_us()?;
        let (from_us, to_us) = (question.from.us(), question.to.us());
        let namespace = &question.namespace;
        let connection = snapshot.connection();
        let (left, left_series) =
            find_side(&mut *connection, namespace, "left", &question.left, Span { from_us, to_us }).await?;
        let right_span = Span { from_us: from_us.saturating_sub(tolerance_us), to_us };
        let (right, right_series) =
            find_side(&mut *connection, namespace, "right", &question.right, right_span).await?;

        let paired = pair(question, (&left.measurement, &left_series), (&right.measurement, &right_series))?;
        let left_side = Arc::new(raw_side("left", &left.measurement, &question.left, paired.left)?);
        let right_side = Arc::new(raw_side("right", &right.measurement, &question.right, paired.right)?);
        let rows =
            [(&left, &left_side, &left_series), (&right, &right_side, &right_series)].map(|(side, raw, found)| {
                // As if every series had as many rows as any other.
                let (asked, all) = (raw.series() as u128, u128::from(found.of).max(1));
                u64::try_from(u128::from(side.rows) * asked / all).unwrap_or(u64::MAX)
            });
        let limit_bytes = question.limit_bytes.unwrap_or(u64::MAX).min(self.limits.bytes);
        let memory = Memory { fields: [left_side.fields(), right_side.fields()], limit_bytes };
        memory.check(rows[0], SLICE_ROWS.min(rows[0].saturating_add(rows[1])))?;

        let wanted = usize::try_from((rows[0].saturating_add(rows[1])) / SLICE_ROWS).unwrap_or(usize::MAX) + 1;
        let touched: Vec<Chunk> = left.touched().chain(right.touched()).copied().collect();
        let slices = raw_slices(right_span, &touched, wanted);
        let help: Option<OwnedSemaphorePermit> = match rows[0].min(rows[1]) {
            ROWS_A_CONNECTION.. if self.limits.connections > 1 => self.more_turns(1).pop(),
            _ => None,
        };
        let planned = began.elapsed();

        let unmatched = match question.join {
            Join::Left => Unmatched::Kept,
            Join::Inner => Unmatched::Dropped,
        };
        let [left_fields, right_fields] = memory.fields;
        let join = AsofJoin::new(paired.values.len(), left_fields, right_fields, tolerance_us, unmatched);
        let mut joining = Joining::Idle(join);
        let mut cost = Cost::default();
        let sides = [Arc::clone(&left_side), Arc::clone(&right_side)];
        let mut reading = RawReading::begin(snapshot, sides, slices, from_us, help.is_some()).await?;
        while let Some(([left, right], of_slice)) = reading.next().await? {
            cost += of_slice;
            let join = joining.take().await?;
            memory.check(join.len() as u64, (left.len() + right.len()) as u64)?;
            joining = Joining::of(join, left, right);
        }
        drop(reading);
        let join = joining.take().await?;
        drop(help);
        let read = began.elapsed() - planned;
        memory.check(join.len() as u64, 0)?;
        let ordering = Instant::now();
        let joined = blocking(move || join.finish()).await?;

        let chunks = |side: &Side| (side.chunks.len() as u64, side.touched().count() as u64);
        let ((left_total, left_read), (right_total, right_read)) = (chunks(&left), chunks(&right));
        let (total, touched) = (left_total + right_total, left_read + right_read);
        let receipt = Receipt {
            chunks: ReceiptChunks { total, pruned: total - touched, cached: 0, read: touched },
            rows_read: cost.rows,
            bytes_read: cost.bytes,
            ms: ReceiptMs { plan: ms(planned), read: ms(read), align: ms(ordering.elapsed()), ..ReceiptMs::default() },
        };
        let answer = AsofAnswer {
            tag_names: question.on.clone(),
            pairs: paired.values,
            left_fields: question.left.fields.clone(),
            right_fields: question.right.fields.clone(),
            rows: joined,
            version: format!("{}-{}", left_series.selected.version, right_series.selected.version),
            as_of_us: snapshot.as_of_us(),
            receipt,
        };
        Ok((answer, [left, right]))
    }
}

/// What a join may take, and what it takes.
#[derive(Clone, Copy)]
struct Memory {
    fields: [usize; 2],
    limit_bytes: u64,
}

impl Memory {
    /// With so many rows of the answer, and so many of both sides at once: one slice joined, one read, one on its way.
    fn check(self, joined: u64, at_once: u64) -> Result<(), QueryError> {
        let [left, right] = self.fields;
        let estimate_bytes = Joined::bytes_needed(joined, left, right)
            .saturating_add(SideRows::bytes_needed(at_once, left.max(right)).saturating_mul(3));
        if estimate_bytes <= self.limit_bytes {
            return Ok(());
        }
        Err(QueryError::TooLarge { estimate_bytes, limit_bytes: self.limit_bytes })
    }
}

/// The join, while nothing is joined, or while a thread is at it.
enum Joining {
    Idle(AsofJoin),
    Busy(JoinHandle<AsofJoin>),
    Taken,
}

impl Joining {
    /// Joins a slice on a thread for such work, while the next one is read.
    fn of(mut join: AsofJoin, left: SideRows, right: SideRows) -> Self {
        Self::Busy(tokio::task::spawn_blocking(move || {
            join.push(&left, &right);
            join
        }))
    }

    async fn take(&mut self) -> Result<AsofJoin, QueryError> {
        match std::mem::replace(self, Self::Taken) {
            Self::Idle(join) => Ok(join),
            Self::Busy(task) => task.await.map_err(|error| QueryError::Internal(Box::new(error))),
            Self::Taken => Err(QueryError::Internal("a join was taken twice".into())),
        }
    }
}

/// Series of a side, and how many its measurement has.
struct Found {
    selected: SelectedSeries,
    of: u64,
}

async fn find_side(
    connection: &mut PgConnection,
    namespace: &str,
    path: &str,
    asked: &AsofSide,
    span: Span,
) -> Result<(Side, Found), Attempt> {
    let measurement = find_measurement(&mut *connection, namespace, &asked.measurement).await?;
    let selected = series::select(&mut *connection, &measurement, &asked.series)
        .await
        .map_err(|error| QueryError::of_selector(&format!("{path}.series"), error))?;
    let of = if asked.series.is_all() {
        selected.series.len() as u64
    } else {
        let count: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM {}", measurement.series_table()))
            .fetch_one(&mut *connection)
            .await?;
        count.unsigned_abs()
    };
    let chunks = list_chunks(&mut *connection, &measurement).await?;
    let rows = estimated_rows(connection, &chunks, span).await?;
    Ok((Side { measurement, chunks, span, rows }, Found { selected, of }))
}

fn raw_side(
    path: &str,
    measurement: &Measurement,
    asked: &AsofSide,
    series: Vec<(i64, u32)>,
) -> Result<RawSide, QueryError> {
    let field = |name: &String| -> Result<&Field, QueryError> {
        measurement.field(name).ok_or_else(|| QueryError::UnknownField {
            measurement: measurement.name.clone(),
            name: name.clone(),
            known: measurement.fields.iter().map(|field| field.name.clone()).collect(),
        })
    };
    let fields = asked.fields.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    RawSide::new(measurement, &fields, series)
        .map_err(|(index, error)| Invalid::new(format!("{path}.fields[{index}]"), error.to_string()).into())
}

/// Which series pair.
#[derive(Debug, Default, PartialEq, Eq)]
struct Paired {
    /// The pairing tags' values of each pair.
    values: Vec<Vec<Option<String>>>,
    /// Left series with their pairs.
    left: Vec<(i64, u32)>,
    /// Right series with their pairs; those that pair with nothing are left out.
    right: Vec<(i64, u32)>,
}

/// Pairs are numbered in the order of their first left series. A series that lacks a pairing tag pairs with nothing, as in SQL.
fn pair(
    question: &AsofQuestion,
    left: (&Measurement, &Found),
    right: (&Measurement, &Found),
) -> Result<Paired, Invalid> {
    let columns = |path: &str, measurement: &Measurement, found: &Found| -> Result<Vec<usize>, Invalid> {
        let place = |(index, tag): (usize, &String)| {
            found.selected.tag_names.iter().position(|name| name == tag).ok_or_else(|| {
                let known = found.selected.tag_names.iter().map(|tag| format!("`{tag}`")).collect::<Vec<_>>();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let reason = format!(
                    "`{tag}` is no tag of the {path} measurement `{}`; its tags are: {known}",
                    measurement.name
                );
                Invalid::new(format!("on[{index}]"), reason)
            })
        };
        question.on.iter().enumerate().map(place).collect()
    };
    let left_columns = columns("left", left.0, left.1)?;
    let right_columns = columns("right", right.0, right.1)?;
    let values = |columns: &[usize], tags: &[Option<String>]| -> Vec<Option<String>> {
        columns.iter().map(|column| tags.get(*column).cloned().flatten()).collect()
    };

    let mut paired = Paired::default();
    let mut numbers: hashbrown::HashMap<Vec<Option<String>>, u32> = hashbrown::HashMap::new();
    for TaggedSeries { series_id, tags } in &left.1.selected.series {
        let key = values(&left_columns, tags);
        let number = *numbers.entry(key).or_insert_with_key(|key| {
            paired.values.push(key.clone());
            // Series are far fewer than 4 billion.
            u32::try_from(paired.values.len() - 1).unwrap_or(u32::MAX)
        });
        paired.left.push((*series_id, number));
    }
    for TaggedSeries { series_id, tags } in &right.1.selected.series {
        let key = values(&right_columns, tags);
        if key.iter().all(Option::is_some)
            && let Some(number) = numbers.get(&key)
        {
            paired.right.push((*series_id, *number));
        }
    }
    Ok(paired)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(tags: &[&str], series: &[(i64, &[Option<&str>])]) -> Found {
        let selected = SelectedSeries {
            tag_names: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            series: series
                .iter()
                .map(|(series_id, tags)| TaggedSeries {
                    series_id: *series_id,
                    tags: tags.iter().map(|tag| tag.map(str::to_owned)).collect(),
                })
                .collect(),
            version: String::new(),
        };
        Found { selected, of: 0 }
    }

    #[test]
    fn series_pair_by_tags_and_those_that_lack_one_pair_with_nothing() {
        let side = json!({"measurement": "m", "fields": ["v"]});
        let question = |on: &[&str]| -> AsofQuestion {
            serde_json::from_value(
                json!({"left": side, "right": side, "on": on, "from": 0, "to": 1, "tolerance": "1s"}),
            )
            .unwrap()
        };
        let measurement = Measurement::new(1, "public".into(), "m".into(), "m".into(), 1);
        let left = found(&["s", "x"], &[(1, &[Some("a"), Some("n")]), (2, &[None, None]), (3, &[Some("a"), None])]);
        let right = found(&["s"], &[(7, &[Some("a")]), (8, &[None]), (9, &[Some("b")]), (10, &[Some("a")])]);
        let pair = |on: &[&str]| pair(&question(on), (&measurement, &left), (&measurement, &right));
        let paired = pair(&["s"]).unwrap();
        assert_eq!(paired.values, [vec![Some("a".to_owned())], vec![None]]);
        assert_eq!((paired.left, paired.right), (vec![(1, 0), (2, 1), (3, 0)], vec![(7, 0), (10, 0)]));
        assert_eq!(pair(&[]).unwrap().right.len(), 4, "without tags everything pairs");
        let refused = pair(&["s", "x"]).unwrap_err();
        assert_eq!(refused.path, "on[1]");
        assert!(refused.reason.contains("right measurement `m`; its tags are: `s`"), "{refused}");
    }
}
