//! The types that a measurement's columns can have.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The type of a field's column. `time` and `series_id` are not fields and have fixed types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// A 64-bit float: every number without a type of its own.
    Float8,
    /// A 64-bit integer: only where the sender says so.
    Int8,
    /// A truth value; questions count it as 0 and 1.
    Bool,
    /// Text; questions refuse it.
    Text,
    /// A moment, in microseconds.
    Timestamptz,
}

/// A type that PostgreSQL knows and a field cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a field's column is float8, int8, bool, text or timestamptz, not {0:?}")]
pub struct UnknownColumnType(pub String);

impl ColumnType {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Float8, Self::Int8, Self::Bool, Self::Text, Self::Timestamptz];

    /// The type's name in DDL and in answers, such as `float8`.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Float8 => "float8",
            Self::Int8 => "int8",
            Self::Bool => "bool",
            Self::Text => "text",
            Self::Timestamptz => "timestamptz",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql())
    }
}

impl FromStr for ColumnType {
    type Err = UnknownColumnType;

    /// Reads both spellings of PostgreSQL: the internal name (`float8`, as in `pg_type.typname`) and the one of the
    /// standard (`double precision`, as `format_type` and `information_schema` print it).
    fn from_str(name: &str) -> Result<Self, UnknownColumnType> {
        match name {
            "float8" | "double precision" => Ok(Self::Float8),
            "int8" | "bigint" => Ok(Self::Int8),
            "bool" | "boolean" => Ok(Self::Bool),
            "text" => Ok(Self::Text),
            "timestamptz" | "timestamp with time zone" => Ok(Self::Timestamptz),
            other => Err(UnknownColumnType(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_postgresql_are_read() {
        let pairs = [
            (ColumnType::Float8, "double precision"),
            (ColumnType::Int8, "bigint"),
            (ColumnType::Bool, "boolean"),
            (ColumnType::Text, "text"),
            (ColumnType::Timestamptz, "timestamp with time zone"),
        ];
        for (kind, standard) in pairs {
            assert_eq!(standard.parse(), Ok(kind));
            assert_eq!(kind.sql().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.sql());
        }
        assert_eq!("int4".parse::<ColumnType>(), Err(UnknownColumnType("int4".to_owned())));
    }
}
