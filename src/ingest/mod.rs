//! The ingestion service: lines in, committed rows out.
//!
//! ```text
//! body or lines
//!   -> scan: one pass, line by line, into a draft a measurement; known series at a glance
//!   -> prepare: measurements and columns made if new (then the pass is done again), series ids made if new
//!   -> lanes: queues, bounded in bytes by `Room`s; the slow one is for measurements that somebody holds locked
//!   -> writers: one transaction = ledger rows + change log + a sorted COPY a measurement, for as many requests as wait
//!   -> the answer, after COMMIT
//!   (-> spooling: on disk instead, while the database is away; from there the same way when it is back)
//! ```
//!
//! Invariants: a request is acknowledged only after the COMMIT that carries all of it, or as `spooled` after its good
//! lines are synced to disk; its id is fixed before the first
//! attempt, so that a second attempt after a lost answer writes nothing twice; memory is bounded by one
//! setting for all requests together; a line's fault is never another line's, and a request's never another request's: rows that
//! only the database can refuse are found, committed around, and kept as dead letters.

mod answer;
mod attempt;
mod back_off;
mod body;
mod counters;
mod dead_letter;
mod draft;
mod error;
mod fault;
mod housekeeping;
mod http;
mod identity;
mod influxql;
mod isolate;
mod lanes;
mod look;
mod message;
mod metric;
mod mqtt;
mod new_series;
mod options;
mod prepare;
mod queue;
mod quota;
mod refusals;
mod replaying;
mod request;
mod room;
mod row;
mod scan;
mod service;
mod source;
mod spooling;
mod spread;
mod tcp;
mod transaction;
mod trust;
mod writer;
mod ws;

pub use answer::{Ack, Written};
pub use body::BodyLimits;
pub use counters::{CounterValues, Counters, IngestFigures};
pub use error::IngestError;
pub use fault::{Refused, RowFault};
pub use http::{WriteHttp, opentsdb_router, router};
pub use message::Payload;
pub use mqtt::{MqttSubscription, MqttVersion, subscribe_mqtt};
pub use options::IngestOptions;
pub use request::{BodyRequest, Identity, PartialWrites, Protocol, Repetition, RequestId, WriteRequest};
pub use room::Room;
pub use service::Ingest;
pub use source::{SourceFeed, follow_source};
pub use spooling::{SpoolFigures, SpoolWatch};
pub use tcp::{TcpWrite, serve_line_protocol, serve_opentsdb};
