//! chunkwise: a time-series store on TimescaleDB.

pub mod batch;
pub mod config;
pub mod copy;
pub mod correlation;
pub mod db;
pub mod feed;
pub mod format;
pub mod frame;
pub mod http;
pub mod hypertable;
pub mod ingest;
pub mod load;
pub mod local;
pub mod protocol;
pub mod query;
pub mod question;
pub mod series;
