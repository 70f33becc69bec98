//! The ingestion service: lines in, committed rows out.
//!
//! ```text
//! lines -> prepare: measurements and columns (made if new), series ids (made if new), columnar batches
//!       -> queue, bounded in bytes
//!       -> writers: one transaction = ledger rows + change log + a COPY a measurement, for as many requests as wait
//!       -> the answer, after COMMIT
//! ```
//!
//! Invariants: a request is acknowledged only after the COMMIT that carries all of it; its id is fixed before the first
//! attempt, so that a second attempt after a lost answer writes nothing twice; memory is bounded by the queue's bytes and
//! by a request's size; a line's fault is never another line's, and a request's never another request's: rows that only
//! the database can refuse are found, committed around, and kept as dead letters.

mod attempt;
mod body;
mod dead_letter;
mod fault;
mod housekeeping;
mod http;
mod influxql;
mod isolate;
mod prepare;
mod request;
mod room;
mod row;
mod service;
mod transaction;
mod writer;

pub use body::BodyLimits;
pub use fault::{Refused, RowFault};
pub use http::{WriteHttp, router};
pub use request::{PartialWrites, Protocol, Repetition, RequestId, WriteRequest};
pub use room::Room;
pub use service::{Ack, Counters, Ingest, IngestError, IngestOptions, Written};
