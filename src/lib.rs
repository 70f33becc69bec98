//! chunkwise: a time-series store on TimescaleDB.

pub mod format;
pub mod frame;
pub mod http;
pub mod query;
pub mod question;
