//! Which id a request gets that does not bring one of its own.

use axum::http::HeaderMap;
use uuid::Uuid;

use super::{IngestOptions, Repetition, RequestId};
use crate::protocol::Line;

/// `Idempotency-Key` is not what it has to be.
#[derive(Debug, thiserror::Error)]
#[error("Idempotency-Key must be given once and have 1 to {MAX_KEY_BYTES} characters")]
pub(super) struct BadKey;

const MAX_KEY_BYTES: usize = 255;

/// The client's key, if it sent one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Vec<u8>>, BadKey> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() || key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(BadKey);
    }
    Ok(Some(key.as_bytes().to_vec()))
}

/// The client's key, else the body where a repetition can be known by it, else an id that nobody else has.
pub(super) fn request_id(
    options: &IngestOptions,
    namespace: &str,
    key: Option<&[u8]>,
    body_hash: Uuid,
    lines: &[Line<'_>],
) -> RequestId {
    match (key, options.repetition) {
        (Some(key), _) => RequestId::from_key(namespace, key, body_hash, options.key_keep),
        // A line without a time gets the server's: the same bytes later are other rows.
        (None, Repetition::SameBody { within }) if lines.iter().all(|line| line.time_us.is_some()) => {
            RequestId::from_body(body_hash, within)
        }
        _ => RequestId::fresh(body_hash),
    }
}

/// That of a message's content where a repetition can be known by it, else the one that its delivery has.
pub(super) fn message_id(options: &IngestOptions, delivery: RequestId, lines: &[Line<'_>]) -> RequestId {
    match options.repetition {
        Repetition::SameBody { within } if lines.iter().all(|line| line.time_us.is_some()) => {
            RequestId::from_body(delivery.body_hash, within)
        }
        _ => delivery,
    }
}
