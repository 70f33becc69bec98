//! What keeps web pages elsewhere from using a listener without tokens through somebody's browser, and the headers of
//! every answer.
//!
//! A page on another site can make a browser send requests to 127.0.0.1, and by pointing its own name there (DNS
//! rebinding) can even read the answers. A browser cannot lie about `Host` and `Origin`, so a listener without tokens
//! checks both. Requests without `Origin` come from client libraries and pass.
//!
//! | listener | `Host` | `Origin`, where there is one |
//! |---|---|---|
//! | on loopback | `localhost`, a loopback address, or in `allowed_hosts`; any port | of the same hosts, any port |
//! | beyond loopback, `--insecure-listen` | in `allowed_hosts` if that is not empty, else any | of `Host` itself, or of `allowed_hosts` |
//!
//! So beyond loopback, without `allowed_hosts`, pages elsewhere are still refused, but a rebinding page is not: part of
//! what `--insecure-listen` means.

mod address;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Version,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use self::address::{HostPort, Origin};
use super::error::ApiError;

/// Whether listening beyond loopback without tokens is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InsecureListen {
    /// It is refused at start.
    #[default]
    Refuse,
    /// `--insecure-listen`: whoever reaches the port may write and read.
    Allow,
}

/// An address that is open to others, without tokens and without `--insecure-listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} can be reached from other machines, and there are no tokens: whoever reaches it could write and read. Listen \
     on 127.0.0.1, or say --insecure-listen"
)]
pub struct ListenRefused(pub SocketAddr);

/// Whether a listener without tokens may listen here. An IPv4 address within IPv6 is judged as that address.
///
/// # Errors
/// [`ListenRefused`] beyond loopback without [`InsecureListen::Allow`].
pub fn listen_policy(addr: SocketAddr, insecure: InsecureListen) -> Result<(), ListenRefused> {
    match insecure {
        InsecureListen::Allow => Ok(()),
        InsecureListen::Refuse if is_loopback(addr) => Ok(()),
        InsecureListen::Refuse => Err(ListenRefused(addr)),
    }
}

fn is_loopback(addr: SocketAddr) -> bool {
    addr.ip().to_canonical().is_loopback()
}

/// Which hosts and origins a listener without tokens answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGuard {
    reach: Reach,
    /// In lower case, without ports.
    allowed_hosts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Loopback,
    Beyond,
}

impl HostGuard {
    /// The guard of a listener on `addr`; `allowed_hosts` are names or addresses without a port, such as
    /// `db.example.org` or `[::1]`.
    #[must_use]
    pub fn new(addr: SocketAddr, allowed_hosts: impl IntoIterator<Item = String>) -> Self {
        Self {
            reach: if is_loopback(addr) { Reach::Loopback } else { Reach::Beyond },
            allowed_hosts: allowed_hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
        }
    }

    /// Checks a request's headers.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] if `Host` is missing after HTTP/1.0, given twice or malformed; [`ApiError::Forbidden`] for
    /// a host or an origin that is not allowed, with the origin `null` among them.
    pub fn check(&self, version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = match only(headers, &HOST)? {
            Some(text) => Some(HostPort::parse(text).ok_or_else(bad_host)?),
            None if version <= Version::HTTP_10 => None,
            None => return Err(bad_host()),
        };
        if let Some(host) = &host
            && !self.allows_host(&host.host)
        {
            return Err(ApiError::Forbidden {
                code: "host_not_allowed",
                message: format!("`{host}` is not among the hosts that this server answers for: see `allowed_hosts`"),
            });
        }
        match only(headers, &ORIGIN)? {
            Some(text) if !self.allows_origin(text, host.as_ref()) => Err(foreign()),
            Some(_) => Ok(()),
            None if sent_by_a_page_elsewhere(headers) => Err(foreign()),
            None => Ok(()),
        }
    }

    fn is_listed(&self, host: &str) -> bool {
        self.allowed_hosts.iter().any(|allowed| allowed == host)
    }

    fn allows_host(&self, host: &str) -> bool {
        match self.reach {
            Reach::Loopback => address::is_loopback_name(host) || self.is_listed(host),
            Reach::Beyond => self.allowed_hosts.is_empty() || self.is_listed(host),
        }
    }

    fn allows_origin(&self, text: &str, host: Option<&HostPort>) -> bool {
        let Some(origin) = Origin::parse(text) else { return false };
        match self.reach {
            Reach::Loopback => self.allows_host(&origin.at.host),
            Reach::Beyond => self.is_listed(&origin.at.host) || host.is_some_and(|host| origin.is_of(host)),
        }
    }
}

/// Whether a browser says that a page of another site had this sent. Following a link is allowed: the page that the link
/// is on cannot read the answer, and no route changes anything for it. For requests that carry no `Origin`, such as a
/// foreign page's `<img>`.
fn sent_by_a_page_elsewhere(headers: &HeaderMap) -> bool {
    let is = |name: &'static str, value: &str| headers.get(name).is_some_and(|found| found == value);
    is("sec-fetch-site", "cross-site") && !is("sec-fetch-mode", "navigate")
}

fn bad_host() -> ApiError {
    ApiError::bad_request("bad_host", "the request needs one `Host` header that is a name or an address")
}

fn foreign() -> ApiError {
    ApiError::Forbidden {
        code: "origin_not_allowed",
        message: "pages of other sites may not use this server: see `allowed_hosts`".to_owned(),
    }
}

/// The only value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| bad_host()),
        (Some(_), Some(_)) => Err(ApiError::bad_request("repeated_header", format!("`{name}` is given twice"))),
    }
}

/// Middleware: refuses what [`HostGuard::check`] refuses. For `axum::middleware::from_fn_with_state`.
pub async fn guard(State(guard): State<Arc<HostGuard>>, request: Request, next: Next) -> Response {
    match guard.check(request.version(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// Middleware: the headers of every answer, where the route did not set its own.
///
/// `X-Content-Type-Options: nosniff`; `Cache-Control: no-cache`, so that nothing is shown again without asking, while
/// answers with an `ETag` can still be 304; a `Content-Security-Policy` under which a page loads nothing from elsewhere
/// and cannot be framed.
pub async fn security_headers(request: Request, next: Next) -> Response {
    const DEFAULTS: [(HeaderName, HeaderValue); 3] = [
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'")),
    ];
    let mut response = next.run(request).await;
    for (name, value) in DEFAULTS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}
