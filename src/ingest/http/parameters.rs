//! Parameters of the write routes.

use url::form_urlencoded;

use super::answer::{Dialect, Refusal};
use crate::{ingest::PartialWrites, protocol::Precision};

/// What the query string says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) namespace: String,
    pub(super) precision: Precision,
    pub(super) partial: PartialWrites,
}

impl Parameters {
    pub(super) fn parse(dialect: Dialect, query: &str, default_namespace: &str) -> Result<Self, Refusal> {
        let mut namespace = None;
        let mut precision = None;
        let mut partial = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "precision" => &mut precision,
                "accept_partial" => &mut partial,
                name if name == dialect.namespace_parameter() => &mut namespace,
                // rp, org, consistency, no_sync, u, p ...: what clients send and nothing here depends on.
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(Refusal::invalid(format!("the parameter {name} is given twice")));
            }
        }
        let namespace = match namespace {
            // InfluxDB 1's databases are buckets of the form `database/retention policy` in its successor.
            Some(bucket) if dialect == Dialect::V2 => bucket.split('/').next().unwrap_or_default().to_owned(),
            Some(name) => name,
            None => String::new(),
        };
        Ok(Self {
            namespace: if namespace.is_empty() { default_namespace.to_owned() } else { namespace },
            precision: read_precision(dialect, precision.as_deref())?,
            partial: match partial.as_deref() {
                None | Some("" | "true") => PartialWrites::Accept,
                Some("false") => PartialWrites::Refuse,
                Some(_) => return Err(Refusal::invalid("accept_partial is true or false".to_owned())),
            },
        })
    }
}

fn read_precision(dialect: Dialect, text: Option<&str>) -> Result<Precision, Refusal> {
    let text = match text {
        None | Some("") => dialect.default_precision(),
        Some(text) => text,
    };
    if !dialect.precisions().contains(&text) {
        let text: String = text.chars().take(20).collect();
        let known = dialect.precisions().join(", ");
        return Err(Refusal::invalid(format!("the precision {text:?} is not known here: write one of {known}")));
    }
    text.parse().map_err(|_| Refusal::invalid(format!("the precision {text:?} is not known")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(dialect: Dialect, query: &str) -> Option<Parameters> {
        Parameters::parse(dialect, query, "public").ok()
    }

    #[test]
    fn each_generation_names_things_its_own_way() {
        let v1 = parse(Dialect::V1, "db=plant&rp=autogen&precision=s&u=x&p=y").unwrap();
        assert_eq!((v1.namespace.as_str(), v1.precision), ("plant", Precision::Seconds));
        let v2 = parse(Dialect::V2, "org=o&bucket=plant%2Fweek&precision=ms").unwrap();
        assert_eq!((v2.namespace.as_str(), v2.precision), ("plant", Precision::Milliseconds));
        let v3 = parse(Dialect::V3, "db=plant&accept_partial=false&no_sync=true").unwrap();
        assert_eq!((v3.precision, v3.partial), (Precision::Auto, PartialWrites::Refuse));
        assert_eq!(parse(Dialect::V1, "").unwrap().namespace, "public");
        assert_eq!(parse(Dialect::V1, "db=").unwrap().precision, Precision::Nanoseconds);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for query in
            ["precision=bogus", "precision=s&precision=ms", "accept_partial=maybe", "db=a&db=b", "precision=second"]
        {
            assert!(parse(Dialect::V1, query).is_none(), "{query}");
        }
        assert!(parse(Dialect::V3, "precision=second").is_some());
        assert!(parse(Dialect::V2, "precision=h").is_none());
    }
}
