//! URLs for psql and every other libpq client. Pure.

use anyhow::Context;
use chunkwise::config::Secret;
use url::Url;

/// The same database for libpq, which refuses parameters that it does not know and the driver's own spellings.
pub(crate) fn url(secret: &Secret) -> anyhow::Result<String> {
    let mut url = parse(secret.expose())?;
    let renamed = |key: &str| match key {
        "ssl-mode" => Some("sslmode".to_owned()),
        "ssl-root-cert" | "ssl-ca" => Some("sslrootcert".to_owned()),
        "ssl-cert" => Some("sslcert".to_owned()),
        "ssl-key" => Some("sslkey".to_owned()),
        "statement-cache-capacity" => None,
        _ => Some(key.to_owned()),
    };
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    if pairs.iter().any(|(key, _)| renamed(key).as_ref() != Some(key)) {
        set_query(&mut url, pairs.into_iter().filter_map(|(key, value)| Some((renamed(&key)?, value))));
    }
    Ok(url.into())
}

/// The URL without its password, and the password.
pub(crate) fn without_password(text: &str) -> anyhow::Result<(String, Option<String>)> {
    let mut url = parse(text)?;
    let mut password =
        url.password().map(|it| percent_encoding::percent_decode_str(it).decode_utf8_lossy().into_owned());
    if password.is_some() && url.set_password(None).is_err() {
        anyhow::bail!("the database URL has a password but no host");
    }
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    if let Some((_, value)) = pairs.iter().find(|(key, _)| key == "password") {
        password = Some(value.clone());
        set_query(&mut url, pairs.iter().filter(|(key, _)| key != "password").cloned());
    }
    Ok((url.into(), password))
}

/// libpq reads `%20`, but not the `+` of web forms.
fn set_query(url: &mut Url, pairs: impl Iterator<Item = (String, String)>) {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let pairs: Vec<_> =
        pairs.map(|(key, value)| format!("{key}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC))).collect();
    url.set_query((!pairs.is_empty()).then(|| pairs.join("&")).as_deref());
}

fn parse(text: &str) -> anyhow::Result<Url> {
    // The error does not quote the text, which may hold a password.
    Url::parse(text).context("reading the database URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_the_driver_become_libpq_s() {
        let url = |text: &str| url(&Secret::new(text)).unwrap();
        assert_eq!(url("postgres://u:p@db/t?sslmode=verify-full"), "postgres://u:p@db/t?sslmode=verify-full");
        assert_eq!(
            url("postgres://u:p@db/t?ssl-mode=require&ssl-ca=/a b.pem&statement-cache-capacity=0"),
            "postgres://u:p@db/t?sslmode=require&sslrootcert=%2Fa%20b%2Epem"
        );
        assert_eq!(url("postgres://db/t?statement-cache-capacity=0"), "postgres://db/t");
    }

    #[test]
    fn a_password_leaves_the_url_wherever_it_stands() {
        let split = |text| without_password(text).unwrap();
        assert_eq!(split("postgres://u:p%40ss@db/t"), ("postgres://u@db/t".into(), Some("p@ss".into())));
        assert_eq!(
            split("postgres:///t?host=/run/pg&password=p%20q"),
            ("postgres:///t?host=%2Frun%2Fpg".into(), Some("p q".into()))
        );
        assert_eq!(split("postgres://u@db/t"), ("postgres://u@db/t".into(), None));
    }
}
