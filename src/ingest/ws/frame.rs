//! One frame -> one write.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::answer::{Answer, FrameError};
use crate::{
    ingest::{
        BodyRequest, Ingest, PartialWrites, Protocol, Refused, Room, WriteRequest, identity::identify, request::hash,
    },
    protocol::{Limits, Precision, json::Document},
};

/// What a connection's parameters say of all its frames.
#[derive(Debug, Clone)]
pub(super) struct FrameOptions {
    pub(super) namespace: Arc<str>,
    pub(super) precision: Precision,
    pub(super) partial: PartialWrites,
}

/// Writes a frame, and says what became of it.
pub(super) async fn write(ingest: Ingest, options: FrameOptions, frame: Bytes, room: Room) -> Answer {
    let body_hash = hash(&[
        options.namespace.as_bytes(),
        b"websocket",
        format!("{:?} {:?}", options.precision, options.partial).as_bytes(),
        &frame,
    ]);
    if frame.trim_ascii_start().first() == Some(&b'{') {
        return write_document(&ingest, &options, &frame, body_hash, room).await;
    }
    let request = BodyRequest {
        protocol: Protocol::WebSocket,
        room,
        namespace: &options.namespace,
        body: &frame,
        precision: options.precision,
        identity: identify(ingest.options(), &options.namespace, None, body_hash),
        partial: options.partial,
        interval_us: None,
    };
    Answer { id: None, outcome: ingest.write_body(request).await.map_err(FrameError::from) }
}

async fn write_document(ingest: &Ingest, options: &FrameOptions, frame: &[u8], body_hash: Uuid, room: Room) -> Answer {
    let document = match Document::parse(frame) {
        Ok(document) => document,
        Err(error) => return Answer { id: None, outcome: Err(FrameError::invalid(error.to_string())) },
    };
    let id = document.id.as_deref().map(str::to_owned);
    let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
    for line in document.lines(options.precision, Limits::default()) {
        match line {
            Ok(line) => lines.push(line),
            Err(bad) => unreadable.push(Refused::bad_row(&bad)),
        }
    }
    let key = id.as_deref().map(str::as_bytes);
    let request = WriteRequest {
        protocol: Protocol::WebSocket,
        room,
        namespace: &options.namespace,
        lines,
        body: frame,
        unreadable,
        identity: identify(ingest.options(), &options.namespace, key, body_hash),
        partial: options.partial,
        interval_us: None,
    };
    let outcome = ingest.write(request).await.map_err(FrameError::from);
    Answer { id, outcome }
}
