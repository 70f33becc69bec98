//! Why the database refuses a row, in words of our own: its own text stays with us.

use sqlx::postgres::PgDatabaseError;

use crate::{
    copy::{EncodeError, WrongCount},
    db::{Failure, classify},
};

/// Why a row cannot be in its table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::ingest) enum Verdict {
    #[error("the row breaks the table's check {0:?} (SQLSTATE 23514)")]
    Check(String),
    #[error("the table has a row with the same key already, and {0:?} allows only one (SQLSTATE {1})")]
    Unique(String, String),
    #[error("the table wants a value in its column {0:?} (SQLSTATE 23502)")]
    Missing(String),
    #[error("the row refers to one that is not there, which {0:?} wants (SQLSTATE 23503)")]
    Reference(String),
    #[error("a trigger of the table refuses the row (SQLSTATE {0})")]
    Trigger(String),
    #[error("a trigger of the table leaves the row out")]
    LeftOut,
    #[error("a value of the row does not fit its column, which may have been changed (SQLSTATE {0})")]
    Value(String),
    #[error("{0}")]
    Encode(EncodeError),
    #[error("the table refuses the row (SQLSTATE {0})")]
    Other(String),
    /// Found without being tried.
    #[error("the table refuses so many rows of this request that this one was not tried: send it again by itself")]
    Untried,
}

/// What an error says of the rows, and at which of them (from 0) the database failed; none if it is not about rows.
pub(in crate::ingest) fn verdict(error: &sqlx::Error) -> Option<(Verdict, Option<usize>)> {
    if classify(error) != Failure::Data {
        return None;
    }
    match error {
        sqlx::Error::Database(database) => {
            let error = database.try_downcast_ref::<PgDatabaseError>()?;
            let name = |name: Option<&str>| plain_name(name.unwrap_or("?"), error.table().unwrap_or_default());
            let code = error.code().to_owned();
            let verdict = match error.code() {
                "23514" => Verdict::Check(name(error.constraint())),
                "23505" | "23P01" => Verdict::Unique(name(error.constraint()), code),
                "23502" => Verdict::Missing(name(error.column())),
                "23503" => Verdict::Reference(name(error.constraint())),
                "08P01" | "42804" | "42883" | "42704" => Verdict::Value(code),
                _ if code.starts_with("22") => Verdict::Value(code),
                _ if code.starts_with("P0") => Verdict::Trigger(code),
                _ => Verdict::Other(code),
            };
            Some((verdict, error.r#where().and_then(row_of_context)))
        }
        sqlx::Error::AnyDriverError(error) => error.is::<WrongCount>().then_some((Verdict::LeftOut, None)),
        sqlx::Error::Encode(error) => {
            error.downcast_ref::<EncodeError>().map(|error| (Verdict::Encode(error.clone()), None))
        }
        _ => None,
    }
}

/// The name that a constraint or an index has on the measurement's table: on a chunk, `_hyper_1_1_chunk`, TimescaleDB calls
/// an index `_hyper_1_1_chunk_name`, and a constraint that it must make again there `1_2_name`.
fn plain_name(name: &str, table: &str) -> String {
    let index = name.strip_prefix(table).and_then(|rest| rest.strip_prefix('_')).filter(|_| !table.is_empty());
    let constraint = || {
        let mut parts = name.splitn(3, '_');
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (parts.next().is_some_and(is_number) && parts.next().is_some_and(is_number)).then(|| parts.next()).flatten()
    };
    index.or_else(constraint).unwrap_or(name).to_owned()
}

/// The row of `COPY ticks, line 5, column price`, from 0. A hint: in another language it is not found, and a column's name
/// can look like it.
fn row_of_context(context: &str) -> Option<usize> {
    let copy = context.lines().find(|line| line.starts_with("COPY "))?;
    let (_, behind) = copy.rsplit_once(", line ")?;
    let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse::<usize>().ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_read_from_the_context_of_a_copy() {
        assert_eq!(row_of_context("COPY ticks, line 5"), Some(4));
        assert_eq!(row_of_context("PL/pgSQL function f() line 3 at RAISE\nCOPY a, line 7, column price"), Some(6));
        assert_eq!(row_of_context("COPY a, line 9, line 12"), Some(11));
        for unknown in ["COPY ticks, Zeile 5", "SQL statement \"x\"", "COPY a, line 0", "COPY a, line x", ""] {
            assert_eq!(row_of_context(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn names_are_those_of_the_table_and_not_of_its_chunks() {
        let table = "_hyper_1_12_chunk";
        assert_eq!(plain_name("_hyper_1_12_chunk_once", table), "once");
        assert_eq!(plain_name("12_4_known_symbols", table), "known_symbols");
        for own in ["positive", "2_", "_hyper", "a_1_b", "7_x_y", ""] {
            assert_eq!(plain_name(own, table), own);
            assert_eq!(plain_name(own, ""), own);
        }
    }

    #[test]
    fn errors_that_are_not_about_rows_have_no_verdict() {
        assert_eq!(verdict(&sqlx::Error::PoolTimedOut), None);
        assert_eq!(verdict(&sqlx::Error::RowNotFound), None);
        let count = WrongCount { taken: 1, sent: 2 };
        assert_eq!(verdict(&sqlx::Error::AnyDriverError(Box::new(count))), Some((Verdict::LeftOut, None)));
    }
}
