//! Writing over a WebSocket: `GET /api/v1/ws/write?namespace=&precision=&accept_partial=`.
//!
//! ```text
//! client: a frame of line protocol, text or binary      | {"id": "42", "rows": [...]}
//! server: {"id": null, "ack": "committed", "written": 2, "lines": [], "credits": 16}
//!         {"id": "42", "error": {"code": "unavailable", "message": "..."}, "credits": 15}
//! ```
//!
//! - Every frame gets one answer, in order. `ack` is there once the rows are as safe as it says.
//! - `credits` is how many more frames may be sent without waiting for an answer; a client begins with 16. Nobody is cut
//!   off who sends more: the server does not read on, as it does not while memory is full.
//! - A frame whose first byte, but for spaces, is `{` is a JSON document ([`protocol::json`](crate::protocol::json)), any
//!   other line protocol.
//! - A document's `id` is its key in the ledger, as `Idempotency-Key` is in HTTP: sent again, also over another
//!   connection, it gets the first answer, with `"duplicate": true`. A frame without an id is known by its bytes, if all its
//!   lines have a time.
//! - A frame that nothing can be made of is answered with an error, and the connection goes on. Text that is not UTF-8 ends
//!   it with 1007, a message over the limit with 1009, another breach of the protocol with 1002. The server pings every 30
//!   seconds and ends a connection that is silent for 60. When the server stops it answers what it has read, then closes
//!   with 1001.

mod answer;
mod connection;
mod frame;

use axum::{
    extract::{RawQuery, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use url::form_urlencoded;

use self::{connection::Patience, frame::FrameOptions};
use super::{PartialWrites, WriteHttp};
use crate::protocol::Precision;

/// The route.
pub(super) async fn upgrade(
    State(write): State<WriteHttp>,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let options = match parameters(query.as_deref().unwrap_or_default(), &write.namespace) {
        Ok(options) => options,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, "invalid_parameter", &message),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let message =
                "this route speaks WebSocket (RFC 6455, version 13) only: connect with ws://, or POST to /write";
            let mut response = refuse(rejection.into_response().status(), "websocket_required", message);
            response.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
            return response;
        }
    };
    // A message that could never be let into memory is not read at all.
    let limit = write.limits.inflated_bytes.min(write.ingest.options().memory_bytes);
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| connection::serve(socket, write.ingest, options, write.stop, Patience::default()))
}

fn parameters(query: &str, default_namespace: &str) -> Result<FrameOptions, String> {
    let (mut namespace, mut precision, mut partial) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*name {
            "namespace" => &mut namespace,
            "precision" => &mut precision,
            "accept_partial" => &mut partial,
            _ => {
                let name: String = name.chars().take(40).collect();
                return Err(format!(
                    "there is no parameter {name:?}: there are namespace, precision and accept_partial"
                ));
            }
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(format!("the parameter {name} is given twice"));
        }
    }
    let precision = match precision.as_deref() {
        None | Some("") => Precision::Nanoseconds,
        Some(text) => text.parse().map_err(|error: crate::protocol::UnknownPrecision| error.to_string())?,
    };
    let partial = match partial.as_deref() {
        None | Some("" | "true") => PartialWrites::Accept,
        Some("false") => PartialWrites::Refuse,
        Some(_) => return Err("accept_partial is true or false".to_owned()),
    };
    let namespace = namespace.filter(|name| !name.is_empty()).unwrap_or_else(|| default_namespace.to_owned());
    Ok(FrameOptions { namespace: namespace.into(), precision, partial })
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "error": { "code": code, "message": message } }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
