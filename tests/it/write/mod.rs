//! The write path: lines over HTTP to committed rows.

mod answers;
mod concurrency;
mod isolation;
mod limits;
mod mended;
mod names;
mod once;
mod retyped;
mod roles;
mod schema;
mod series_table;
mod sparse;
mod types;
