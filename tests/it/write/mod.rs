//! The write path: lines over HTTP to committed rows.

mod answers;
mod concurrency;
mod limits;
mod once;
mod roles;
mod schema;
mod types;
