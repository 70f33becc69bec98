//! chunkwise: a time-series store on TimescaleDB.

pub mod correlation;
pub mod frame;
pub mod query;
pub mod question;
