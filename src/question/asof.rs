//! The question that joins raw rows of two measurements by time.

use serde::{Deserialize, Serialize};

use super::{
    Invalid, Selector, Timestamp, Width,
    shared::{check_range, public},
};

/// The most fields of a side.
pub const MAX_ASOF_FIELDS: usize = 64;

/// What becomes of a left row for which there is no right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// It stays, with nothing beside it.
    #[default]
    Left,
    /// It is left out.
    Inner,
}

/// Whose rows are joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsofSide {
    /// The measurement.
    pub measurement: String,
    /// Its fields, 1 to [`MAX_ASOF_FIELDS`]; a row counts if it has any of them.
    pub fields: Vec<String>,
    /// Which series; all by default.
    #[serde(default)]
    pub series: Selector,
}

/// `POST /api/v1/asof`: for each left row the last right row at or before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsofQuestion {
    /// The namespace of both sides, `public` by default.
    #[serde(default = "public")]
    pub namespace: String,
    /// The rows that are answered.
    pub left: AsofSide,
    /// The rows that are looked up.
    pub right: AsofSide,
    /// Tags of both sides: rows pair where all of them are equal. None at all: every row pairs with every other.
    pub on: Vec<String>,
    /// The first moment of left rows.
    pub from: Timestamp,
    /// The first moment after.
    pub to: Timestamp,
    /// How old a right row may be.
    pub tolerance: Width,
    /// What becomes of a left row without a right one.
    #[serde(default)]
    pub join: Join,
    /// The most bytes that the question may take in memory, if less than the server's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
}

impl AsofQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)?;
        for (path, side) in [("left", &self.left), ("right", &self.right)] {
            if side.fields.is_empty() || side.fields.len() > MAX_ASOF_FIELDS {
                let reason = format!("must name 1 to {MAX_ASOF_FIELDS} fields, names {}", side.fields.len());
                return Err(Invalid::new(format!("{path}.fields"), reason));
            }
            check_once(&format!("{path}.fields"), &side.fields)?;
        }
        check_once("on", &self.on)?;
        self.tolerance_us().map(|_| ())
    }

    /// How old a right row may be, in microseconds.
    ///
    /// # Errors
    /// A tolerance in months.
    pub fn tolerance_us(&self) -> Result<i64, Invalid> {
        self.tolerance.fixed_us().ok_or_else(|| {
            Invalid::new("tolerance", "cannot be in months, whose length differs; write days, such as 30d")
        })
    }
}

fn check_once(path: &str, names: &[String]) -> Result<(), Invalid> {
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        None => Ok(()),
        Some((index, _)) => Err(Invalid::new(format!("{path}[{index}]"), "is named twice")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn question(fields: Value) -> Result<(), String> {
        let mut question = json!({
            "left": {"measurement": "trades", "fields": ["price"]},
            "right": {"measurement": "quotes", "fields": ["bid", "ask"], "series": {"symbol": "AAPL"}},
            "on": ["symbol"], "from": 0, "to": 1, "tolerance": "10s"
        });
        if let (Some(question), Value::Object(fields)) = (question.as_object_mut(), fields) {
            question.extend(fields);
        }
        let question: AsofQuestion = serde_json::from_value(question).map_err(|error| error.to_string())?;
        question.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        assert_eq!(question(json!({})), Ok(()));
        assert_eq!(question(json!({"on": [], "join": "inner", "limit_bytes": 1})), Ok(()));
        for (fields, expected) in [
            (json!({"to": 0}), "to: must be later"),
            (json!({"left": {"measurement": "m", "fields": []}}), "left.fields: must name 1 to 64"),
            (json!({"right": {"measurement": "m", "fields": ["a", "b", "a"]}}), "right.fields[2]: is named twice"),
            (json!({"on": ["a", "a"]}), "on[1]: is named twice"),
            (json!({"tolerance": "1mo"}), "tolerance: cannot be in months"),
            (json!({"join": "outer"}), "unknown variant `outer`"),
            (json!({"left": {"measurement": "m", "fields": ["a"], "field": "a"}}), "unknown field `field`"),
        ] {
            let told = question(fields).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }
}
