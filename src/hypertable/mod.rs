//! What a measurement is in the database.

mod column;

pub use column::{ColumnType, UnknownColumnType};
