//! The parameters of a listing's URL.

use chrono::{DateTime, Utc};

use super::error::ApiError;
use crate::question::{Invalid, Selector, Timestamp, TimestampError};

/// Parameters by name; what a route does not take out is refused.
#[derive(Debug)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    pub(super) fn read(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs }
    }

    /// Takes a parameter that may be given once; an empty one counts as absent.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        let Some(index) = self.pairs.iter().position(|(key, _)| key == name) else { return Ok(None) };
        let (_, value) = self.pairs.remove(index);
        if self.pairs.iter().any(|(key, _)| key == name) {
            return Err(Invalid::new(name, "is given twice").into());
        }
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// Takes `?namespace=`, by default `public`.
    pub(super) fn namespace(&mut self) -> Result<String, ApiError> {
        Ok(self.take("namespace")?.unwrap_or_else(|| "public".to_owned()))
    }

    /// Takes a parameter that must be given.
    pub(super) fn required(&mut self, name: &'static str) -> Result<String, ApiError> {
        self.take(name)?.ok_or_else(|| Invalid::new(name, format!("is missing: write ?{name}=")).into())
    }

    /// Takes an integer.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Invalid::new(name, "is not an integer").into())
    }

    /// Takes a time, RFC 3339 or milliseconds.
    pub(super) fn time(&mut self, name: &'static str) -> Result<Option<DateTime<Utc>>, ApiError> {
        Ok(self.timestamp(name)?.and_then(|time| DateTime::from_timestamp_micros(time.us())))
    }

    /// The same as questions have it.
    pub(super) fn timestamp(&mut self, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        let time = text.parse().map_err(|error: TimestampError| Invalid::new(name, error.to_string()))?;
        Ok(Some(time))
    }

    /// Takes `tag.k=v` and `series_id=n`.
    pub(super) fn selector(&mut self) -> Result<Selector, ApiError> {
        let mut selector = Selector::default();
        let mut left = Vec::new();
        for (key, value) in self.pairs.drain(..) {
            let name = if key == "series_id" { Some("series_id") } else { key.strip_prefix("tag.") };
            match name {
                Some(name) => {
                    selector.add(name, &value).map_err(|error| Invalid::new(key.as_str(), error.to_string()))?;
                }
                None => left.push((key, value)),
            }
        }
        self.pairs = left;
        Ok(selector)
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(100).collect();
                Err(Invalid::new(name, "is no parameter of this route").into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_select_and_what_is_unknown_is_refused() {
        let mut parameters = Parameters::read(Some("tag.symbol=MSFT&tag.symbol=XOM&limit=5&namespace=&x=1"));
        assert_eq!(parameters.namespace().unwrap(), "public");
        assert_eq!(parameters.integer("limit").unwrap(), Some(5));
        assert_eq!(parameters.selector().unwrap(), Selector::from_pairs(["symbol=MSFT", "symbol=XOM"]).unwrap());
        assert!(parameters.required("measurement").is_err());
        assert!(parameters.finish().unwrap_err().to_string().starts_with("x:"));
    }

    #[test]
    fn a_parameter_is_given_once() {
        let mut parameters = Parameters::read(Some("limit=5&limit=6"));
        assert!(parameters.integer("limit").is_err());
        assert!(Parameters::read(Some("from=yesterday")).time("from").is_err());
        assert!(Parameters::read(Some("series_id=x")).selector().is_err());
    }
}
