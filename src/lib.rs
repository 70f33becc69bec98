//! chunkwise: a time-series store on TimescaleDB.

pub mod config;
pub mod db;
pub mod feed;
pub mod format;
pub mod frame;
pub mod http;
pub mod hypertable;
pub mod load;
pub mod local;
pub mod query;
pub mod question;
