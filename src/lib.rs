//! chunkwise: a time-series store on TimescaleDB.

pub mod config;
pub mod frame;
pub mod query;
pub mod question;
