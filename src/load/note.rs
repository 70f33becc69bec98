//! What the user should know about a plan before it is carried out.

/// Something about a file that may not be what its user means, with the flag that would change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// Many columns of numbers and none of text.
    #[error(
        "{columns} columns hold numbers and none holds text: if each is a series of its own, as in a table with a column \
         a stock, give --wide-tag NAME (the tag that the columns' names are values of, such as symbol)"
    )]
    LooksWide {
        /// Columns of numbers.
        columns: usize,
    },
    /// A tag with a different value in most rows.
    #[error(
        "`{column}` has {distinct} values in {cells} cells, and as a tag each makes a series: if it does not name a \
         series, list those columns that do in --tag-columns"
    )]
    ManySeries {
        /// The column.
        column: String,
        /// Its distinct values in the sample.
        distinct: usize,
        /// Its cells in the sample.
        cells: usize,
    },
    /// Numbers that may name a series.
    #[error("`{column}` is taken as a field of numbers: if it names a series, list it in --tag-columns")]
    LooksLikeTag {
        /// The column.
        column: String,
    },
    /// Numbers written for people.
    #[error(
        "`{column}` holds texts such as `{example}` and is taken as a tag: numbers are read with a decimal point and \
         without signs for groups, currencies or percent"
    )]
    LooksNumeric {
        /// The column.
        column: String,
        /// One of its cells.
        example: String,
    },
    /// A column without values in the sample.
    #[error("`{column}` is empty in the first rows, and taken as a field of numbers")]
    Empty {
        /// The column.
        column: String,
    },
    /// A column of a type that no field has.
    #[error("`{column}` holds {kind}, which no field can hold, and is left out")]
    Unsupported {
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// A column without a name.
    #[error("column {column} has no name in the header, and is left out")]
    Unnamed {
        /// The column, from 1.
        column: usize,
    },
}
