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
//! by a request's size; a line's fault is never another line's.

mod back_off;
mod body;
mod fault;
mod housekeeping;
mod http;
mod identity;
mod influxql;
mod message;
mod mqtt;
mod prepare;
mod request;
mod room;
mod row;
mod service;
mod source;
mod tcp;
mod transaction;
mod writer;
mod ws;

pub use body::BodyLimits;
pub use fault::{Refused, RowFault};
pub use http::{WriteHttp, opentsdb_router, router};
pub use message::Payload;
pub use mqtt::{MqttSubscription, MqttVersion, subscribe_mqtt};
pub use request::{PartialWrites, Protocol, Repetition, RequestId, WriteRequest};
pub use room::Room;
pub use service::{Ack, CounterValues, Counters, Ingest, IngestError, IngestOptions, Written};
pub use source::{SourceFeed, follow_source};
pub use tcp::{TcpWrite, serve_line_protocol, serve_opentsdb};
