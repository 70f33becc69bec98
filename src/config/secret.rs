//! Values that must not reach a log.

use std::fmt;

use serde::Deserialize;
use url::Url;

/// A database URL, which mostly carries a password: `Debug` and `Display` show it without.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a URL; what is wrong with it is found by [`super::Config::validate`].
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL with its password: for the database driver, and for `chunkwise db url`, which is asked for it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Why this is no URL of a PostgreSQL; never quotes it.
    pub(super) fn check(&self) -> Result<(), String> {
        let url = Url::parse(&self.0).map_err(|error| {
            format!("is not a URL ({error}); write postgres://USER:PASSWORD@HOST:5432/DATABASE, with %40 for an @")
        })?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(()),
            _ => Err("must begin with postgres:// or postgresql://".to_owned()),
        }
    }

    fn redacted(&self) -> String {
        let Ok(mut url) = Url::parse(&self.0) else { return "(not a URL)".to_owned() };
        if url.cannot_be_a_base() {
            return "(not a URL of a database)".to_owned();
        }
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return "(hidden)".to_owned();
        }
        // libpq takes `?password=` too.
        let is_secret = |key: &str| key.to_ascii_lowercase().contains("password");
        if url.query_pairs().any(|(key, _)| is_secret(&key)) {
            let kept: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| !is_secret(key)).collect();
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
        url.into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.redacted())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// A password, or a text that may carry one: `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The text, for whom it is meant.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_shows() {
        for url in [
            "postgres://ann:hunter2@db.example/ticks",
            "postgres://ann@db.example/ticks?sslmode=verify-full&password=hunter2",
            "postgres:///ticks?host=/run/postgresql&sslpassword=hunter2",
            "ann:hunter2@db.example",
            "not a url hunter2",
        ] {
            let secret = Secret::new(url);
            let shown = format!("{secret} {secret:?} {:?}", secret.check());
            assert!(!shown.contains("hunter2"), "{shown}");
            assert_eq!(secret.expose(), url);
        }
        let shown = Secret::new("postgres://ann:hunter2@db.example/ticks?sslmode=verify-full").to_string();
        assert_eq!(shown, "postgres://ann:***@db.example/ticks?sslmode=verify-full");
    }

    #[test]
    fn only_urls_of_a_postgresql_pass() {
        assert_eq!(Secret::new("postgresql://db/ticks").check(), Ok(()));
        assert!(Secret::new("mysql://db/ticks").check().is_err());
        assert!(Secret::new("host=db dbname=ticks").check().is_err());
    }
}
