//! From a frame to the answer of a correlate question.

use std::{ops::Range, sync::Arc};

use ndarray::{Array2, Axis, Zip, s};
use rayon::prelude::*;
use tokio::time::Instant;

use super::{
    CorrelateAnswer, QueryError, StatColumn,
    questions::no_frame,
    reading::{Found, Gathered, ms},
    values::Values,
};
use crate::{
    correlation::{OneVsAll, ci95, one_vs_all, p_value, q_values, rank},
    frame::Frame,
    question::{CorrelateQuestion, Method, Stat},
};

/// Correlates the target with the answer's series. Takes long for many.
pub(super) fn correlated(gathered: Gathered, question: &CorrelateQuestion) -> Result<CorrelateAnswer, QueryError> {
    let Gathered { mut found, values, turn: _turn } = gathered;
    let (target, row) =
        found.target.take().ok_or_else(|| QueryError::Internal("a correlation has no target".into()))?;
    let series = found.rows.series.len();
    let (began, computed) = match values {
        Values::Panels(panels) => (Instant::now(), panels.correlate(question)),
        rows => {
            let frame = rows.align(&mut found.receipt).ok_or_else(no_frame)?;
            (Instant::now(), from_frame(&frame, row, series, question))
        }
    };
    let OneVsAll { mut r, mut n } = computed;
    let Found { measurement, rows, as_of_us, mut receipt, .. } = found;
    // A target that is no row of the answer stands behind them.
    let own = (row < series).then_some(row);
    let unmatched = rows.unmatched(&question.against);
    let compared = series - usize::from(own.is_some());

    let wanted = question.stats_or_default();
    let mut q = wanted.contains(&Stat::QValue).then(|| adjusted(&r, &n, own));
    let listed;
    if let Some(top) = question.top {
        let ranked = rank(r.view(), question.order, question.rank_by, top, own);
        let in_rank = |array: &Array2<f64>| array.select(Axis(1), &ranked);
        q = q.as_ref().map(in_rank);
        r = in_rank(&r);
        n = n.select(Axis(1), &ranked);
        listed = Arc::new(rows.in_order(&measurement, &ranked));
    } else {
        listed = rows;
    }
    let mut stats: Vec<StatColumn> = wanted.iter().filter_map(|stat| figure(*stat, &r, &n, q.as_ref())).collect();
    if matches!(question.method, Method::Ewma { .. }) {
        // Student's t and Fisher's z are of pairs that all count the same.
        stats.iter_mut().for_each(StatColumn::undefine);
    }
    receipt.ms.compute = ms(began.elapsed());
    Ok(CorrelateAnswer {
        target,
        rows: listed,
        compared,
        unmatched,
        ranges: question.ranges.clone(),
        r,
        n,
        stats,
        as_of_us,
        receipt,
    })
}

fn from_frame(frame: &Frame, row: usize, series: usize, question: &CorrelateQuestion) -> OneVsAll {
    let columns: Vec<Range<usize>> = question
        .ranges
        .iter()
        .map(|range| {
            let at = |t_us: i64| frame.times_us.partition_point(|start| *start < t_us);
            at(range.from.us())..at(range.to.us())
        })
        .collect();
    one_vs_all(
        frame.values.row(row),
        frame.values.slice(s![..series, ..]),
        &columns,
        question.method,
        question.min_overlap,
    )
}

fn figure(stat: Stat, r: &Array2<f64>, n: &Array2<i64>, q: Option<&Array2<f64>>) -> Option<StatColumn> {
    match stat {
        Stat::PValue => Some(StatColumn::One(stat, p_values(r, n))),
        Stat::QValue => Some(StatColumn::One(stat, q?.clone())),
        Stat::Ci95 => {
            let (mut low, mut high) = (Array2::from_elem(r.dim(), f64::NAN), Array2::from_elem(r.dim(), f64::NAN));
            Zip::from(&mut low).and(&mut high).and(r).and(n).for_each(|low, high, r, n| {
                if let Some(interval) = ci95(*r, *n) {
                    [*low, *high] = interval;
                }
            });
            Some(StatColumn::Interval(low, high))
        }
    }
}

fn p_values(r: &Array2<f64>, n: &Array2<i64>) -> Array2<f64> {
    let mut p = Array2::zeros(r.dim());
    Zip::from(&mut p).and(r).and(n).par_for_each(|p, r, n| *p = p_value(*r, *n));
    p
}

/// q-values over each range's series but the target itself, which has none.
fn adjusted(r: &Array2<f64>, n: &Array2<i64>, own: Option<usize>) -> Array2<f64> {
    let mut p = p_values(r, n);
    if let Some(own) = own {
        p.column_mut(own).fill(f64::NAN);
    }
    p.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut range| {
        let q = q_values(&range.to_vec());
        range.iter_mut().zip(q).for_each(|(p, q)| *p = q);
    });
    p
}
