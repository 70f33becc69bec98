//! Hosts and origins as requests name them.

use std::{fmt, net::IpAddr};

use axum::http::uri::{Authority, Uri};

/// `host:port` of a `Host` header or an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostPort {
    /// In lower case; an IPv6 address is in brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl HostPort {
    /// `None` for what is no host, or has a user's name before it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::of(&text.parse().ok()?)
    }

    fn of(authority: &Authority) -> Option<Self> {
        let text = authority.as_str();
        let host = authority.host();
        let port = text.strip_prefix(host)?;
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(digits.parse().ok()?),
            None if port.is_empty() => None,
            None => return None,
        };
        (!host.is_empty()).then(|| Self { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

/// An `Origin` with a scheme and a host.
pub(super) struct Origin {
    pub(super) at: HostPort,
    default_port: u16,
}

impl Origin {
    /// `None` for `null` and all that is no `http` or `https` origin.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let default_port = match uri.scheme_str()? {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        Some(Self { at: HostPort::of(uri.authority()?)?, default_port })
    }

    /// Whether this is the origin of pages that come from `host`; a port that is not given is the scheme's own.
    pub(super) fn is_of(&self, host: &HostPort) -> bool {
        let port = |at: &HostPort| at.port.unwrap_or(self.default_port);
        self.at.host == host.host && port(&self.at) == port(host)
    }
}

/// Whether this is `localhost` or a loopback address as a browser writes it.
pub(super) fn is_loopback_name(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_ports() {
        let host = |text: &str| HostPort::parse(text).map(|at| (at.host, at.port));
        assert_eq!(host("LocalHost:8080"), Some(("localhost".to_owned(), Some(8080))));
        assert_eq!(host("[::1]:80"), Some(("[::1]".to_owned(), Some(80))));
        assert_eq!(host("[::1]"), Some(("[::1]".to_owned(), None)));
        for text in ["", "user@localhost", "localhost:x", "localhost:99999", "localhost/..", "a b", ":80"] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn only_real_loopback_names_count() {
        for host in ["localhost", "127.0.0.1", "127.8.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in ["localhost.evil.example", "127.0.0.1.evil.example", "[::2]", "0.0.0.0", "2130706433", ""] {
            assert!(!is_loopback_name(host), "{host}");
        }
    }
}
