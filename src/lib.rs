//! chunkwise: a time-series store on TimescaleDB.

pub mod frame;
pub mod local;
pub mod query;
pub mod question;
