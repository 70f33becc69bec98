//! What makes a client's request the same as another.

use axum::http::HeaderMap;
use uuid::Uuid;

use super::{Identity, IngestOptions, Repetition, RequestId};

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
pub(super) fn identify(options: &IngestOptions, namespace: &str, key: Option<&[u8]>, body_hash: Uuid) -> Identity {
    match key {
        Some(key) => Identity::Fixed(RequestId::from_key(namespace, key, body_hash, options.key_keep)),
        None => content_or(options, RequestId::fresh(body_hash)),
    }
}

/// What was sent where a repetition can be known by it, else this id.
pub(super) fn content_or(options: &IngestOptions, otherwise: RequestId) -> Identity {
    match options.repetition {
        Repetition::SameBody { within } => {
            Identity::IfTimed { timed: RequestId::from_body(otherwise.body_hash, within), otherwise }
        }
        Repetition::KeyOnly => Identity::Fixed(otherwise),
    }
}
