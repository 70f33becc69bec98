//! chunkwise: a time-series store on TimescaleDB.

pub mod batch;
pub mod copy;
pub mod frame;
pub mod hypertable;
pub mod protocol;
pub mod query;
pub mod question;
