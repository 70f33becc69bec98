//! Where requests go.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::feed::Shape;

/// How a feed is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Line protocol by `POST /write`.
    LineProtocolHttp,
    /// Line protocol over TCP, without acknowledgements.
    LineProtocolTcp,
    /// OpenTSDB's JSON by `POST /api/put`.
    #[serde(rename = "opentsdb-http")]
    OpenTsdbHttp,
    /// OpenTSDB's `put` lines, without acknowledgements.
    #[serde(rename = "opentsdb-telnet")]
    OpenTsdbTelnet,
    /// JSON frames over a WebSocket, an acknowledgement for each.
    #[serde(rename = "websocket")]
    WebSocket,
    /// Line protocol as messages to a broker. The broker's acknowledgement says nothing of the database.
    Mqtt,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::LineProtocolHttp,
        Self::LineProtocolTcp,
        Self::OpenTsdbHttp,
        Self::OpenTsdbTelnet,
        Self::WebSocket,
        Self::Mqtt,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LineProtocolHttp => "line-protocol-http",
            Self::LineProtocolTcp => "line-protocol-tcp",
            Self::OpenTsdbHttp => "opentsdb-http",
            Self::OpenTsdbTelnet => "opentsdb-telnet",
            Self::WebSocket => "websocket",
            Self::Mqtt => "mqtt",
        }
    }

    /// Whether a success means that the rows are safe, and the same request may be sent again under its id.
    #[must_use]
    pub fn acknowledges(self) -> bool {
        matches!(self, Self::LineProtocolHttp | Self::OpenTsdbHttp | Self::WebSocket)
    }

    /// How rows are written down for it.
    #[must_use]
    pub fn shape(self) -> Shape {
        match self {
            Self::LineProtocolHttp | Self::LineProtocolTcp | Self::Mqtt => Shape::LineProtocol,
            Self::OpenTsdbHttp => Shape::OpenTsdbJson,
            Self::OpenTsdbTelnet => Shape::OpenTsdbPut,
            Self::WebSocket => Shape::JsonFrame,
        }
    }

    /// Where chunkwise listens for it by default; a broker, where brokers do.
    fn default_url(self) -> &'static str {
        match self {
            Self::LineProtocolHttp | Self::OpenTsdbHttp => "http://127.0.0.1:8080",
            Self::LineProtocolTcp => "tcp://127.0.0.1:9009",
            Self::OpenTsdbTelnet => "tcp://127.0.0.1:4242",
            Self::WebSocket => "ws://127.0.0.1:8080",
            Self::Mqtt => "mqtt://127.0.0.1:1883",
        }
    }

    /// The scheme of its URLs, and the port where one names none.
    fn scheme(self) -> (&'static str, u16) {
        match self {
            Self::LineProtocolHttp | Self::OpenTsdbHttp => ("http", 80),
            Self::LineProtocolTcp => ("tcp", 9009),
            Self::OpenTsdbTelnet => ("tcp", 4242),
            Self::WebSocket => ("ws", 80),
            Self::Mqtt => ("mqtt", 1883),
        }
    }

    fn default_path(self) -> &'static str {
        match self {
            Self::LineProtocolHttp => "/write",
            Self::OpenTsdbHttp => "/api/put",
            Self::WebSocket => "/api/v1/ws/write",
            Self::LineProtocolTcp | Self::OpenTsdbTelnet | Self::Mqtt => "",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = TargetError;

    fn from_str(name: &str) -> Result<Self, TargetError> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name).ok_or(TargetError::Protocol)
    }
}

/// Why there is nowhere to send to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No such protocol.
    #[error(
        "write line-protocol-http, line-protocol-tcp, opentsdb-http, opentsdb-telnet, websocket or mqtt for the protocol"
    )]
    Protocol,
    /// Not an address.
    #[error("{address:?} is not where {protocol} can be sent to: write {scheme}://HOST:PORT, or HOST:PORT")]
    Address {
        /// What was given.
        address: String,
        /// For which protocol.
        protocol: Protocol,
        /// The protocol's scheme.
        scheme: &'static str,
    },
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    protocol: Protocol,
    url: Url,
    topic: String,
}

impl Target {
    /// Reads an address: `HOST:PORT` or a URL of the protocol's scheme; by default where chunkwise listens on this
    /// machine. Without a path of its own it is chunkwise's route, with the namespace; with one it is left as it is.
    /// `topic` is MQTT's.
    ///
    /// # Errors
    /// [`TargetError::Address`].
    pub fn new(protocol: Protocol, address: Option<&str>, namespace: &str, topic: &str) -> Result<Self, TargetError> {
        let (scheme, _) = protocol.scheme();
        let address = address.unwrap_or_else(|| protocol.default_url());
        let wrong = || TargetError::Address { address: address.to_owned(), protocol, scheme };
        let text = if address.contains("://") { address.to_owned() } else { format!("{scheme}://{address}") };
        let mut url = Url::parse(&text).map_err(|_| wrong())?;
        if url.scheme() != scheme || url.host_str().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        if matches!(url.path(), "" | "/") && url.query().is_none() {
            url.set_path(protocol.default_path());
            let parameter =
                |name| form_urlencoded::Serializer::new(String::new()).append_pair(name, namespace).finish();
            match protocol {
                Protocol::LineProtocolHttp => url.set_query(Some(&parameter("db"))),
                Protocol::WebSocket => url.set_query(Some(&parameter("namespace"))),
                _ => {}
            }
        }
        Ok(Self { protocol, url, topic: topic.to_owned() })
    }

    /// The protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The topic of MQTT messages.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The host and its port.
    pub(super) fn host_port(&self) -> (String, u16) {
        // An IPv6 address has brackets in a URL and none for a resolver.
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        (host, self.url.port().unwrap_or(self.protocol.scheme().1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_completed_for_its_protocol() {
        let url = |protocol, address| Target::new(protocol, address, "a b", "t").unwrap().url.to_string();
        assert_eq!(url(Protocol::LineProtocolHttp, None), "http://127.0.0.1:8080/write?db=a+b");
        assert_eq!(url(Protocol::LineProtocolHttp, Some("box:1")), "http://box:1/write?db=a+b");
        assert_eq!(
            url(Protocol::LineProtocolHttp, Some("http://box/api/v2/write?bucket=x")),
            "http://box/api/v2/write?bucket=x"
        );
        assert_eq!(url(Protocol::OpenTsdbHttp, Some("http://box:4242")), "http://box:4242/api/put");
        assert_eq!(url(Protocol::WebSocket, None), "ws://127.0.0.1:8080/api/v1/ws/write?namespace=a+b");
        let target = Target::new(Protocol::LineProtocolTcp, Some("[::1]"), "public", "").unwrap();
        assert_eq!(target.host_port(), ("::1".to_owned(), 9009));
        for address in ["", "https://box", "ftp://box", "http://"] {
            assert!(Target::new(Protocol::LineProtocolHttp, Some(address), "public", "").is_err(), "{address}");
        }
    }

    #[test]
    fn names_are_the_same_everywhere() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.name().parse(), Ok(protocol));
            assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.name());
        }
    }
}
