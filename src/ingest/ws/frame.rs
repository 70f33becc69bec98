//! One frame -> one write.

use std::sync::Arc;

use bytes::Bytes;

use super::answer::{Answer, FrameError};
use crate::{
    ingest::{Ingest, PartialWrites, Protocol, Refused, Room, WriteRequest, identity::request_id, request::hash},
    protocol::{Limits, Line, Precision, json::Document, parse},
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
    let started = std::time::Instant::now();
    let content = match read(&frame, &options) {
        Ok(content) => content,
        Err(error) => return Answer { id: None, outcome: Err(error) },
    };
    let Content { id, lines, unreadable } = content;
    let body_hash = hash(&[
        options.namespace.as_bytes(),
        b"websocket",
        format!("{:?} {:?}", options.precision, options.partial).as_bytes(),
        &frame,
    ]);
    let key = id.as_deref().map(str::as_bytes);
    let request = WriteRequest {
        protocol: Protocol::WebSocket,
        room,
        namespace: &options.namespace,
        id: request_id(ingest.options(), &options.namespace, key, body_hash, &lines),
        lines,
        body: &frame,
        unreadable,
        partial: options.partial,
        interval_us: None,
    };
    let outcome = ingest.write(request).await.map_err(FrameError::from);
    metrics::histogram!("chunkwise_ingest_acknowledge_seconds", "protocol" => Protocol::WebSocket.label())
        .record(started.elapsed());
    Answer { id, outcome }
}

struct Content<'b> {
    id: Option<String>,
    lines: Vec<Line<'b>>,
    unreadable: Vec<Refused>,
}

fn read<'b>(frame: &'b [u8], options: &FrameOptions) -> Result<Content<'b>, FrameError> {
    let mut content = Content { id: None, lines: Vec::new(), unreadable: Vec::new() };
    if frame.trim_ascii_start().first() == Some(&b'{') {
        let document = Document::parse(frame).map_err(|error| FrameError::invalid(error.to_string()))?;
        content.id = document.id.as_deref().map(str::to_owned);
        for line in document.lines(options.precision, Limits::default()) {
            match line {
                Ok(line) => content.lines.push(line),
                Err(bad) => content.unreadable.push(Refused::bad_row(&bad)),
            }
        }
    } else {
        for line in parse(frame, options.precision) {
            match line {
                Ok(line) => content.lines.push(line),
                Err(error) => content.unreadable.push(Refused::unreadable(&error, frame)),
            }
        }
    }
    Ok(content)
}
