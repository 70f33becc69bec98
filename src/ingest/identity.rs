//! How requests of every protocol get their ids.

use uuid::Uuid;

use super::{IngestOptions, Repetition, RequestId, request::hash};
use crate::protocol::Line;

/// What a request is, but for its key: two with equal parts are equal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) namespace: &'a str,
    /// The protocol, as far as it changes what bytes mean.
    pub(super) kind: &'a str,
    /// Whatever else changes what bytes mean: precision, topic, mapping.
    pub(super) options: &'a str,
    pub(super) body: &'a [u8],
}

impl Identity<'_> {
    pub(super) fn body_hash(&self) -> Uuid {
        hash(&[self.namespace.as_bytes(), self.kind.as_bytes(), self.options.as_bytes(), self.body])
    }

    /// The id that a key makes; without one that of the body, if a repetition of it can only be a resend; else a fresh one.
    pub(super) fn id(&self, key: Option<&[u8]>, lines: &[Line<'_>], options: &IngestOptions) -> RequestId {
        let body_hash = self.body_hash();
        match (key, options.repetition) {
            (Some(key), _) => RequestId::from_key(self.namespace, key, body_hash, options.key_keep),
            // A line without a time gets the server's: the same bytes later are other rows.
            (None, Repetition::SameBody { within }) if lines.iter().all(|line| line.time_us.is_some()) => {
                RequestId::from_body(body_hash, within)
            }
            _ => RequestId::fresh(body_hash),
        }
    }
}
