//! What tests stand on: a server, a database per test, the program itself.

mod app;
mod database;
mod server;

pub(crate) use app::App;
pub(crate) use database::TestDatabase;
