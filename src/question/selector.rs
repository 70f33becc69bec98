//! Which series a question is about.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

/// A set of series: all of a measurement, those with certain tag values, or those with certain ids.
///
/// JSON: `{}`, `{"symbol": "AAPL"}`, `{"symbol": ["MSFT", "XOM"], "exchange": "N"}` (a list means any of; several tags
/// must all match), `{"series_id": [3, 17]}`. Ids and tags may stand together: then both must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// For each tag the values of which any may match; never empty lists.
    pub tags: BTreeMap<String, Vec<String>>,
    /// Series ids of which any may match.
    pub series_ids: Option<Vec<i64>>,
}

/// Why a text on a command line is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a selector: write TAG=VALUE, such as symbol=AAPL, or series_id=3")]
pub struct SelectorError(String);

impl Selector {
    /// Whether every series of the measurement matches.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.tags.is_empty() && self.series_ids.is_none()
    }

    /// Adds `key=value` of a command line or a query string; the same key again means any of its values.
    ///
    /// # Errors
    /// A key that is empty, or a `series_id` that is no integer.
    pub fn add(&mut self, key: &str, value: &str) -> Result<(), SelectorError> {
        let error = || SelectorError(format!("{key}={value}"));
        match key {
            "" => return Err(error()),
            "series_id" => {
                let id = value.parse().map_err(|_| error())?;
                self.series_ids.get_or_insert_default().push(id);
            }
            _ => self.tags.entry(key.to_owned()).or_default().push(value.to_owned()),
        }
        Ok(())
    }

    /// Reads `TAG=VALUE` pairs.
    ///
    /// # Errors
    /// The first pair that is not of that form.
    pub fn from_pairs<S: AsRef<str>>(pairs: impl IntoIterator<Item = S>) -> Result<Self, SelectorError> {
        let mut selector = Self::default();
        for pair in pairs {
            let pair = pair.as_ref();
            let (key, value) = pair.split_once('=').ok_or_else(|| SelectorError(pair.to_owned()))?;
            selector.add(key, value)?;
        }
        Ok(selector)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
enum Texts {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an integer or a list of integers")]
enum Ids {
    One(i64),
    Many(Vec<i64>),
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Selector;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of tags, such as {\"symbol\": \"AAPL\"}")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Selector, A::Error> {
                let mut selector = Selector::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "series_id" {
                        let ids = match map.next_value()? {
                            Ids::One(id) => vec![id],
                            Ids::Many(ids) => ids,
                        };
                        if ids.is_empty() || selector.series_ids.replace(ids).is_some() {
                            return Err(de::Error::custom("`series_id` must be given once and not be an empty list"));
                        }
                    } else {
                        let values = match map.next_value()? {
                            Texts::One(value) => vec![value],
                            Texts::Many(values) => values,
                        };
                        if values.is_empty() || selector.tags.insert(key, values).is_some() {
                            return Err(de::Error::custom("a tag must be given once and not be an empty list"));
                        }
                    }
                }
                Ok(selector)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, values) in &self.tags {
            match values.as_slice() {
                [value] => map.serialize_entry(key, value)?,
                values => map.serialize_entry(key, values)?,
            }
        }
        if let Some(ids) = &self.series_ids {
            map.serialize_entry("series_id", ids)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_read_from_json_and_from_pairs_alike() {
        let json: Selector = serde_json::from_str(r#"{"symbol": ["MSFT", "XOM"], "exchange": "N"}"#).unwrap();
        let pairs = Selector::from_pairs(["symbol=MSFT", "symbol=XOM", "exchange=N"]).unwrap();
        assert_eq!(json, pairs);
        assert_eq!(serde_json::to_string(&json).unwrap(), r#"{"exchange":"N","symbol":["MSFT","XOM"]}"#);
        assert!(serde_json::from_str::<Selector>("{}").unwrap().is_all());
    }

    #[test]
    fn empty_lists_and_wrong_types_are_refused() {
        for text in
            [r#"{"symbol": []}"#, r#"{"symbol": 3}"#, r#"{"series_id": []}"#, r#"{"series_id": "x"}"#, "[]", "\"AAPL\""]
        {
            assert!(serde_json::from_str::<Selector>(text).is_err(), "{text}");
        }
        assert!(Selector::from_pairs(["symbol"]).is_err());
        assert!(Selector::from_pairs(["series_id=x"]).is_err());
    }
}
