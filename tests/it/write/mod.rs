//! The write path: lines over HTTP to committed rows.

mod answers;
mod concurrency;
mod isolation;
mod limits;
mod mended;
mod once;
mod roles;
mod schema;
mod types;
