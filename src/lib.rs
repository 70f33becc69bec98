//! chunkwise: a time-series store on TimescaleDB.

pub mod db;
pub mod feed;
pub mod frame;
pub mod hypertable;
pub mod load;
pub mod protocol;
pub mod query;
pub mod question;
