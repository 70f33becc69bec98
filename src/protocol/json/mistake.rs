//! What is wrong with a row.

/// A row that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}, {path}: {mistake}")]
pub struct BadRow {
    /// Which row of the message it is; the first is 1.
    pub row: u32,
    /// What of the row is wrong, such as `tags.symbol`; `row` for the row itself.
    pub path: String,
    /// What is wrong with it.
    pub mistake: Mistake,
}

/// Why a row was refused; its text says what is wrong and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Of another type than belongs here.
    #[error("is {given}: write {expected}")]
    Type {
        /// What belongs here.
        expected: &'static str,
        /// What is here.
        given: &'static str,
    },
    /// Not there, or `null`.
    #[error("is missing: write {0}")]
    Missing(&'static str),
    /// There is no such member.
    #[error("does not exist: a row has measurement, time, tags and fields")]
    Unknown,
    /// An empty name, or an empty value of a tag.
    #[error("is empty: write at least one character, or leave it out")]
    Empty,
    /// U+0000, which PostgreSQL's text cannot hold.
    #[error("has a NUL character: leave it out")]
    NulCharacter,
    /// Longer than the limit of its kind.
    #[error("is longer than {limit_bytes} bytes: shorten it")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// More tags or fields than a line may have.
    #[error("are more than {limit}: write them as several rows")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A column that every measurement has.
    #[error("cannot be a name of its own, every measurement has a column of that name: rename it")]
    Reserved,
    /// Two tags, two fields, or a tag and a field of one name.
    #[error("comes twice, among the tags, the fields, or both: leave one out or rename it")]
    Twice,
    /// Neither an integer nor RFC 3339, as the place demands.
    #[error("is no time: write {0}")]
    Time(&'static str),
    /// Outside the years 1 to 9999.
    #[error("is outside the years 1 to 9999: is its unit the right one?")]
    TimeOutOfRange,
    /// Text that should have been a number, a number that should have been whole.
    #[error("is not {0}")]
    Value(&'static str),
}
