//! How much one line may hold.

/// What a line may hold at most; more is an error of that line alone.
///
/// How many lines a body has, and how many columns a measurement, is for others to limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line, text included. Text in fields has no limit of its own.
    pub line_bytes: usize,
    /// Tags of a line.
    pub tags: usize,
    /// Fields of a line. PostgreSQL's limit is 1,600 columns a table.
    pub fields: usize,
    /// Bytes of a measurement's, tag's or field's name, without its escapes.
    pub name_bytes: usize,
    /// Bytes of a tag's value, without its escapes. Tags' columns are indexed, and a B-tree of PostgreSQL refuses an
    /// entry of more than 2,704 bytes: the default stays below.
    pub tag_value_bytes: usize,
}

impl Default for Limits {
    /// 1 MiB a line, 256 tags, 1,024 fields, 1 KiB a name, 2 KiB a tag's value.
    fn default() -> Self {
        Self { line_bytes: 1 << 20, tags: 256, fields: 1_024, name_bytes: 1 << 10, tag_value_bytes: 2 << 10 }
    }
}
