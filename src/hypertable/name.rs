//! Which names are kept, which are generated, which are refused.

/// The longest name that is kept: room for the generated endings within PostgreSQL's 63 bytes.
const MAX_KEPT_BYTES: usize = 48;
/// The longest name that is taken at all.
const MAX_NAME_BYTES: usize = 4096;
/// Columns that chunkwise or PostgreSQL itself puts into the tables.
const RESERVED: [&str; 9] = ["time", "series_id", "tag_hash", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Why a name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty.
    #[error("a name must not be empty")]
    Empty,
    /// It is longer than any name may be.
    #[error("a name must not be longer than {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// It holds a control character.
    #[error("a name must not hold control characters")]
    Control,
    /// `time` and `series_id` are columns of every measurement.
    #[error("`{0}` is a column of every measurement: choose another name")]
    Reserved(&'static str),
    /// A namespace's rules are stricter: it is the name of two schemas.
    #[error("`{0}` cannot be a namespace: write 1 to 48 bytes that are not reserved (pg_*, chunkwise*, *_store, ...)")]
    Namespace(String),
}

/// Checks a measurement's, tag's or field's name.
///
/// # Errors
/// Names that no rule can make usable.
pub fn check_name(name: &str) -> Result<(), NameError> {
    match name {
        "" => Err(NameError::Empty),
        "time" => Err(NameError::Reserved("time")),
        "series_id" => Err(NameError::Reserved("series_id")),
        _ if name.len() > MAX_NAME_BYTES => Err(NameError::TooLong),
        _ if name.chars().any(char::is_control) => Err(NameError::Control),
        _ => Ok(()),
    }
}

/// Checks a namespace's name: it becomes the schemas `name` and `name_store`.
///
/// # Errors
/// [`NameError::Namespace`].
pub fn check_namespace(name: &str) -> Result<(), NameError> {
    let lower = name.to_lowercase();
    let reserved = ["pg_", "chunkwise", "_timescaledb", "timescaledb_"].iter().any(|prefix| lower.starts_with(prefix))
        || lower == "information_schema"
        || lower.ends_with("_store");
    if reserved || !keeps_its_name(name) {
        let shown = name.chars().filter(|c| !c.is_control()).take(60).collect();
        return Err(NameError::Namespace(shown));
    }
    Ok(())
}

/// The relation or column for a name: the name itself where it would do, else a generated one.
///
/// Two names never share a generated one: it holds 80 bits of the name's BLAKE3.
pub(super) fn identifier_for(name: &str) -> String {
    if keeps_its_name(name) {
        return name.to_owned();
    }
    generated_for(name)
}

/// The generated relation or column for a name.
pub(super) fn generated_for(name: &str) -> String {
    let readable: String =
        name.chars().filter(char::is_ascii_alphanumeric).take(16).map(|c| c.to_ascii_lowercase()).collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let hash: String = hash.chars().take(20).collect();
    format!("n_{readable}_{hash}")
}

fn keeps_its_name(name: &str) -> bool {
    let ends_like_generated = name.contains("__")
        || name.ends_with("_latest")
        || name.rsplit_once("_bars_").is_some_and(|(_, end)| !end.is_empty());
    !name.is_empty()
        && name.len() <= MAX_KEPT_BYTES
        && !name.chars().any(char::is_control)
        && !RESERVED.contains(&name)
        && !ends_like_generated
        // A generated name must not be taken by somebody's own.
        && !name.starts_with("n_")
}

/// Quotes an identifier for SQL.
#[must_use]
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text for SQL, for the statements that take no bound values (COPY).
///
/// Right for every value of `standard_conforming_strings`: a backslash makes it an escape string.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_kept() {
        for name in [
            "ticks",
            "Adj Close",
            "temperature (celsius)",
            "select",
            "état",
            "a\"b",
            "%s",
            "ticks;--",
            "pg_class",
            "A",
            "my_bars",
        ] {
            assert_eq!(identifier_for(name), name);
        }
    }

    #[test]
    fn other_names_get_a_generated_one_of_their_own() {
        let long = "x".repeat(49);
        let names = ["ctid", "xmin", "ticks__series", "ticks_latest", "ticks_bars_1m", "tag_hash", "n_x", &long];
        let mut generated: Vec<_> = names.iter().map(|name| identifier_for(name)).collect();
        for (name, identifier) in names.iter().zip(&generated) {
            assert_ne!(name, identifier);
            assert!(identifier.len() <= MAX_KEPT_BYTES && identifier.is_ascii(), "{identifier}");
        }
        generated.sort();
        generated.dedup();
        assert_eq!(generated.len(), names.len());
    }

    #[test]
    fn names_that_nothing_can_be_made_of_are_refused() {
        assert_eq!(check_name(""), Err(NameError::Empty));
        assert_eq!(check_name("time"), Err(NameError::Reserved("time")));
        assert_eq!(check_name("a\u{7}"), Err(NameError::Control));
        assert_eq!(check_name(&"x".repeat(5000)), Err(NameError::TooLong));
    }

    #[test]
    fn namespaces_stay_away_from_schemas_of_others() {
        for name in [
            "pg_temp",
            "PG_x",
            "information_schema",
            "chunkwise",
            "chunkwise2",
            "_timescaledb_catalog",
            "x_store",
            "",
            "a__b",
        ] {
            assert!(check_namespace(name).is_err(), "{name}");
        }
        for name in ["public", "plant-7", "Börse"] {
            assert_eq!(check_namespace(name), Ok(()));
        }
    }

    #[test]
    fn quoting_leaves_no_way_out() {
        assert_eq!(quote_ident("a\"; DROP TABLE x; --"), "\"a\"\"; DROP TABLE x; --\"");
        assert_eq!(quote_literal("a'b"), "'a''b'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
    }
}
