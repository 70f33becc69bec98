//! The web page: `/`, and what it loads, below `/page/`.
//!
//! The files are those of `web/`, in the binary; a debug build reads them from the folder at each request. Nothing is
//! loaded from elsewhere, and the page's policy allows no inline script or style, no script made of text, and no markup
//! made of text: names from outside can only become text.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            REFERRER_POLICY, VARY,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "web/"]
struct Web;

/// Everything from this server and nothing else; `trusted-types` makes a browser refuse to turn any text into markup.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// The page and its files.
pub fn page_router() -> Router {
    Router::new().route("/", get(index)).route("/page/{*path}", get(asset))
}

async fn index(headers: HeaderMap) -> Response {
    serve("index.html", &headers, || ApiError::NotFound { path: "/".to_owned() })
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(&path, &headers, || ApiError::NotFound { path: format!("/page/{path}") })
}

fn serve(path: &str, asked: &HeaderMap, missing: impl FnOnce() -> ApiError) -> Response {
    let found = content_type(path).zip(Web::get(path));
    let Some((content_type, file)) = found else { return missing().into_response() };
    let hash = file.metadata.sha256_hash();
    let gzip = takes_gzip(asked);
    let tag = entity_tag(&hash, gzip);
    let unchanged = asked.get_all(IF_NONE_MATCH).iter().any(|sent| names(sent, &tag));
    let (status, body) = if unchanged {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else if gzip {
        (StatusCode::OK, Body::from(compressed(hash, &file)))
    } else {
        (StatusCode::OK, Body::from(file.data))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    // Hexadecimal digits between quotes: always a header's value.
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    if status == StatusCode::OK {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// By the file's ending; `None`: no file of the page.
fn content_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

/// An answer that is compressed is another entity.
fn entity_tag(hash: &[u8; 32], gzip: bool) -> String {
    let mut tag = String::from("\"");
    tag.extend(hash[..12].iter().map(|byte| format!("{byte:02x}")));
    tag.push_str(if gzip { "-gzip\"" } else { "\"" });
    tag
}

/// Whether an `If-None-Match` names the tag.
fn names(sent: &HeaderValue, tag: &str) -> bool {
    let Ok(sent) = sent.to_str() else { return false };
    sent.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let named = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = named.flat_map(|value| value.split(',')).map(str::trim);
    codings.any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// The file's bytes compressed, once for each content.
fn compressed(hash: [u8; 32], file: &EmbeddedFile) -> Bytes {
    static KEPT: LazyLock<Mutex<HashMap<[u8; 32], Bytes>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = kept.entry(hash).or_insert_with(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let written = encoder.write_all(&file.data).and_then(|()| encoder.finish());
        written.map(Bytes::from).unwrap_or_default()
    });
    bytes.clone()
}
