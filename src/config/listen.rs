//! `[line_protocol]` and `[opentsdb]`: the listeners beside HTTP.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
};

use serde::{Deserialize, Deserializer, de};

use super::{Exposure, InvalidSetting};

/// Where one of these listeners is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListenAt {
    /// Nowhere.
    Off,
    At(SocketAddr),
}

impl<'de> Deserialize<'de> for ListenAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "off" => Ok(Self::Off),
            text => text.parse().map(Self::At).map_err(|_| {
                de::Error::custom(format_args!(
                    "`{text}` is no address: write one with its port, such as 127.0.0.1:0, or \"off\""
                ))
            }),
        }
    }
}

impl ListenAt {
    fn on_loopback(port: u16) -> Self {
        Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn address(self, key: &str, exposure: Exposure) -> Result<Option<SocketAddr>, InvalidSetting> {
        match self {
            Self::Off => Ok(None),
            Self::At(address) => exposure.allow(key, address).map(Some),
        }
    }
}

const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(1_000).expect("a constant above zero");

/// `[line_protocol]`: line protocol over TCP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LineProtocolConfig {
    /// Address and port, or `"off"`; port 0 takes a free one, which is printed.
    listen: ListenAt,
    /// Connections at once; a further one is closed. Each may take some megabytes.
    pub max_connections: NonZeroUsize,
}

impl Default for LineProtocolConfig {
    fn default() -> Self {
        Self { listen: ListenAt::on_loopback(9009), max_connections: MAX_CONNECTIONS }
    }
}

impl LineProtocolConfig {
    /// The address to bind, if there is to be a listener.
    ///
    /// # Errors
    /// An address beyond loopback where [`Exposure`] does not allow it.
    pub fn listen_addr(&self, exposure: Exposure) -> Result<Option<SocketAddr>, InvalidSetting> {
        self.listen.address("line_protocol.listen", exposure)
    }
}

/// `[opentsdb]`: OpenTSDB's port, telnet and HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenTsdbConfig {
    /// Address and port, or `"off"`; port 0 takes a free one, which is printed.
    listen: ListenAt,
    /// Telnet connections at once; a further one is closed. Each may take some megabytes.
    pub max_connections: NonZeroUsize,
}

impl Default for OpenTsdbConfig {
    fn default() -> Self {
        Self { listen: ListenAt::on_loopback(4242), max_connections: MAX_CONNECTIONS }
    }
}

impl OpenTsdbConfig {
    /// The address to bind, if there is to be a listener.
    ///
    /// # Errors
    /// An address beyond loopback where [`Exposure`] does not allow it.
    pub fn listen_addr(&self, exposure: Exposure) -> Result<Option<SocketAddr>, InvalidSetting> {
        self.listen.address("opentsdb.listen", exposure)
    }
}
