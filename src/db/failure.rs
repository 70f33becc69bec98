//! What an error of the database means for whoever asked.

use std::time::Duration;

/// What a caller can do about a failed statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The server is away, full, or not ready: try again later (503).
    Unavailable,
    /// Another transaction was in the way: try again at once.
    Contention,
    /// The statement ran into its time limit (504).
    Timeout,
    /// The relation or column is not there (any more): read the catalog again.
    Stale,
    /// The rows themselves are at fault.
    Data,
    /// Anything else, the server's own internal errors too. A question fails (500); rows are kept by whoever has them, as if
    /// the server were away: what is not known to be the rows' fault must not cost a row.
    Defect,
}

impl Failure {
    /// How long a client should wait before it tries again.
    pub const RETRY_AFTER: Duration = Duration::from_secs(2);
}

/// Sorts an error by its SQLSTATE or by where it happened.
#[must_use]
pub fn classify(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => classify_sqlstate(&code),
            None => Failure::Defect,
        },
        // A value that cannot be sent, or rows that a trigger left out of a COPY: see `copy::copy_in`.
        sqlx::Error::Encode(_) | sqlx::Error::AnyDriverError(_) => Failure::Data,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => Failure::Unavailable,
        _ => Failure::Defect,
    }
}

fn classify_sqlstate(code: &str) -> Failure {
    match code {
        // query_canceled: the server's statement_timeout
        "57014" => Failure::Timeout,
        // serialization_failure, deadlock_detected, lock_not_available
        // and open_write's "series were retired", of which the writer learns
        "40001" | "40P01" | "55P03" | "CW003" => Failure::Contention,
        // undefined_table, undefined_column, duplicate_column, invalid_schema_name, and open_write's "made anew"
        "42P01" | "42703" | "42701" | "3F000" | "CW001" => Failure::Stale,
        // protocol_violation, said by a server that goes on: a column of another type than its rows were made for.
        // datatype_mismatch; undefined_function (also an operator) and undefined_object, by which a COPY finds such a column.
        // Errors that a trigger of somebody else's raises.
        "08P01" | "42804" | "42883" | "42704" | "P0001" | "P0002" | "P0003" | "P0004" => Failure::Data,
        // read_only_sql_transaction: a standby; invalid_catalog_name; insufficient_privilege
        "25006" | "3D000" | "42501" => Failure::Unavailable,
        _ => match code.get(..2) {
            // connection, resources, intervention, system, authorisation
            Some("08" | "53" | "57" | "58" | "28") => Failure::Unavailable,
            // data, constraints
            Some("22" | "23") => Failure::Data,
            _ => Failure::Defect,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_sorted_by_what_a_caller_can_do() {
        let table = [
            ("08006", Failure::Unavailable),
            ("57P03", Failure::Unavailable),
            ("53100", Failure::Unavailable),
            ("28P01", Failure::Unavailable),
            ("08P01", Failure::Data),
            ("57014", Failure::Timeout),
            ("40P01", Failure::Contention),
            ("55P03", Failure::Contention),
            ("CW003", Failure::Contention),
            ("25006", Failure::Unavailable),
            ("42P01", Failure::Stale),
            ("42701", Failure::Stale),
            ("CW001", Failure::Stale),
            ("22021", Failure::Data),
            ("23505", Failure::Data),
            ("42804", Failure::Data),
            ("42883", Failure::Data),
            ("P0001", Failure::Data),
            ("42601", Failure::Defect),
            ("XX000", Failure::Defect),
        ];
        for (code, expected) in table {
            assert_eq!(classify_sqlstate(code), expected, "{code}");
        }
    }

    #[test]
    fn a_lost_connection_is_no_defect() {
        assert_eq!(classify(&sqlx::Error::PoolTimedOut), Failure::Unavailable);
        assert_eq!(classify(&sqlx::Error::RowNotFound), Failure::Defect);
    }
}
