//! chunkwise: a time-series store on TimescaleDB.

pub mod frame;
pub mod load;
pub mod query;
pub mod question;
