//! The other kinds of correlation: all pairs, over a rolling window, with a lag, and of raw rows.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Fill, Grid, Invalid, Method, Order, Selector, Timestamp, Transform, Width,
    shared::{Shared, check_fill, check_min_overlap, check_range, check_top, public, question},
};

/// The most series that a rolling correlation compares the target with.
pub const MAX_ROLLING: usize = 1_000;

/// The most series whose raw rows are compared with the target's.
pub const MAX_TICKS: usize = 500;

question! {
    /// `POST /api/v1/correlate/matrix`: all pairs of some series over one range.
    pub struct MatrixQuestion {
        /// Which series; all by default.
        #[serde(default)]
        pub series: Selector,
        /// The first moment.
        pub from: Timestamp,
        /// The first moment after.
        pub to: Timestamp,
        /// The measure: Pearson or Spearman.
        #[serde(default)]
        pub method: Method,
        /// With fewer common buckets r is null.
        #[serde(default = "crate::question::shared::min_overlap")]
        pub min_overlap: usize,
        /// Whether the answer has an order in which similar series are neighbours.
        #[serde(default)]
        pub cluster: bool,
        /// Only the strongest so many pairs, without the matrix.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub top: Option<usize>,
        /// What makes a pair strong.
        #[serde(default)]
        pub order: Order,
    }
}

question! {
    /// `POST /api/v1/correlate/rolling`: one series against some, over a window that moves through one range.
    pub struct RollingQuestion {
        /// The one series; must match exactly one.
        pub target: Selector,
        /// The others, at most [`MAX_ROLLING`]; all by default.
        #[serde(default)]
        pub against: Selector,
        /// The first moment.
        pub from: Timestamp,
        /// The first moment after.
        pub to: Timestamp,
        /// How many buckets the window has.
        pub window: usize,
        /// By how many buckets it moves.
        #[serde(default = "one")]
        pub step: usize,
        /// With fewer common buckets in a window r is null.
        #[serde(default = "crate::question::shared::min_overlap")]
        pub min_overlap: usize,
    }
}

question! {
    /// `POST /api/v1/correlate/lag`: one series against others that are moved by some buckets.
    pub struct LagQuestion {
        /// The one series; must match exactly one.
        pub target: Selector,
        /// The others; all by default.
        #[serde(default)]
        pub against: Selector,
        /// The first moment.
        pub from: Timestamp,
        /// The first moment after.
        pub to: Timestamp,
        /// The others are moved by up to so many buckets, both ways.
        pub max_lag: usize,
        /// With fewer common buckets r is null.
        #[serde(default = "crate::question::shared::min_overlap")]
        pub min_overlap: usize,
        /// Only the best so many series, by the greatest |r| over the lags.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub top: Option<usize>,
    }
}

/// How raw rows that do not come at the same times are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickMethod {
    /// Products of all changes whose times overlap; uses every row.
    #[default]
    HayashiYoshida,
    /// Changes between the moments at which both series have a new row.
    RefreshTime,
}

/// `POST /api/v1/correlate/ticks`: one series against some, by their raw rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicksQuestion {
    /// The namespace, `public` by default.
    #[serde(default = "public")]
    pub namespace: String,
    /// The measurement.
    pub measurement: String,
    /// The field.
    pub field: String,
    /// The one series; must match exactly one.
    pub target: Selector,
    /// The others, at most [`MAX_TICKS`]; all by default.
    #[serde(default)]
    pub against: Selector,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after.
    pub to: Timestamp,
    /// How rows are compared.
    #[serde(default)]
    pub method: TickMethod,
    /// What changes are: of logarithms (`log_return`), else of the values.
    #[serde(default)]
    pub transform: Transform,
    /// With fewer pairs of changes r is null.
    #[serde(default = "crate::question::shared::min_overlap")]
    pub min_overlap: usize,
    /// Only the best so many, without the target itself, in rank order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// What makes a series rank high.
    #[serde(default)]
    pub order: Order,
    /// The most bytes that the question may take in memory, if less than the server's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
}

fn one() -> usize {
    1
}

impl MatrixQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)?;
        check_fill(self.fill)?;
        check_min_overlap(self.min_overlap)?;
        check_top(self.top)?;
        if matches!(self.method, Method::Ewma { .. }) {
            return Err(Invalid::new("method", "a matrix is of `pearson` or `spearman`"));
        }
        if self.cluster && self.top.is_some() {
            return Err(Invalid::new(
                "cluster",
                "orders the matrix, which an answer with `top` has not: leave one out",
            ));
        }
        Ok(())
    }
}

impl RollingQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)?;
        check_fill(self.fill)?;
        check_min_overlap(self.min_overlap)?;
        if self.window < 2 {
            return Err(Invalid::new("window", "must be 2 buckets or more: a correlation needs two pairs"));
        }
        if self.step == 0 {
            return Err(Invalid::new("step", "must be 1 bucket or more"));
        }
        Ok(())
    }
}

impl LagQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)?;
        check_fill(self.fill)?;
        check_min_overlap(self.min_overlap)?;
        check_top(self.top)
    }
}

impl TicksQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)?;
        check_min_overlap(self.min_overlap)?;
        check_top(self.top)?;
        if self.transform == Transform::Pct {
            return Err(Invalid::new(
                "transform",
                "changes of raw rows are of values (`diff`) or logarithms (`log_return`)",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn path<Q: serde::de::DeserializeOwned>(question: Value, validate: impl Fn(&Q) -> Result<(), Invalid>) -> String {
        validate(&serde_json::from_value(question).unwrap()).map_or_else(|invalid| invalid.path, |()| String::new())
    }

    fn with(more: Value) -> Value {
        let mut question = json!({"measurement": "m", "field": "f", "bucket": "1d", "from": 0, "to": 1});
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        question
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (more, expected) in [
            (json!({}), ""),
            (json!({"cluster": true}), ""),
            (json!({"top": 0}), "top"),
            (json!({"cluster": true, "top": 3}), "cluster"),
            (json!({"method": {"ewma": {"half_life": 20}}}), "method"),
            (json!({"min_overlap": 1}), "min_overlap"),
            (json!({"to": 0}), "to"),
        ] {
            assert_eq!(path(with(more.clone()), MatrixQuestion::validate), expected, "{more}");
        }
        for (more, expected) in
            [(json!({"window": 2}), ""), (json!({"window": 1}), "window"), (json!({"window": 2, "step": 0}), "step")]
        {
            let mut question = with(more.clone());
            question["target"] = json!({});
            assert_eq!(path(question, RollingQuestion::validate), expected, "{more}");
        }
        let ticks = json!({"measurement": "m", "field": "f", "target": {}, "from": 0, "to": 1, "transform": "pct"});
        assert_eq!(path(ticks, TicksQuestion::validate), "transform");
    }

    #[test]
    fn a_half_life_is_greater_than_0() {
        let method = |half_life: Value| {
            serde_json::from_value::<Method>(json!({"ewma": {"half_life": half_life}}))
                .map_err(|error| error.to_string())
        };
        let Ok(Method::Ewma { half_life }) = method(json!(2.5)) else { panic!("not read") };
        assert_eq!(half_life.buckets(), 2.5);
        assert_eq!(serde_json::to_value(Method::Ewma { half_life }).unwrap(), json!({"ewma": {"half_life": 2.5}}));
        for wrong in [json!(0), json!(-1), json!("20"), json!(null)] {
            assert!(method(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(serde_json::from_value::<Method>(json!({"ewma": {"half_life": 2, "span": 3}})).is_err());
    }
}
