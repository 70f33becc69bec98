//! `[http]`: who may reach the service; `[question]`: what an answer may cost.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU64, NonZeroUsize},
    time::Duration,
};

use serde::Deserialize;

use super::{InvalidSetting, duration};

/// Where a listener may be bound. There are no tokens yet, so whoever reaches it may read and write everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "bool")]
pub enum Exposure {
    /// Only to a loopback address; a wider one is refused.
    #[default]
    Loopback,
    /// Also to other addresses: for a container or a network in which everybody is trusted.
    Anywhere,
}

impl From<bool> for Exposure {
    fn from(insecure_listen: bool) -> Self {
        if insecure_listen { Self::Anywhere } else { Self::Loopback }
    }
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; port 0 takes a free one, which is printed. [`HttpConfig::listen_addr`] hands it out.
    listen: SocketAddr,
    /// `true` allows addresses beyond loopback.
    #[serde(rename = "insecure_listen")]
    pub exposure: Exposure,
    /// Names, besides loopback's own, that a request's `Host` and `Origin` may have. On loopback they are checked so
    /// that a web page of elsewhere cannot read or write through a browser.
    pub allowed_hosts: Vec<String>,
    /// How long a client may take to send a request's headers; then its connection is closed.
    #[serde(deserialize_with = "duration::deserialize")]
    pub header_timeout: Duration,
    /// The largest body as it is sent; more is 413.
    pub max_body_bytes: NonZeroUsize,
    /// The largest body once inflated, which bounds what a small compressed body can take; more is 413.
    pub max_decoded_body_bytes: NonZeroUsize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            exposure: Exposure::Loopback,
            allowed_hosts: Vec::new(),
            header_timeout: Duration::from_secs(30),
            max_body_bytes: const { NonZeroUsize::new(16 << 20).expect("a constant above zero") },
            max_decoded_body_bytes: const { NonZeroUsize::new(64 << 20).expect("a constant above zero") },
        }
    }
}

impl HttpConfig {
    /// The address to bind.
    ///
    /// # Errors
    /// An address beyond loopback where [`Exposure`] does not allow it.
    pub fn listen_addr(&self) -> Result<SocketAddr, InvalidSetting> {
        match self.exposure {
            Exposure::Loopback if !self.listen.ip().is_loopback() => Err(InvalidSetting::new(
                "http.listen",
                format!(
                    "is {}, which others can reach, and there are no tokens: whoever reaches it may read and write \
                     everything. Listen on 127.0.0.1, or pass --insecure-listen if that is meant",
                    self.listen
                ),
            )),
            Exposure::Loopback | Exposure::Anywhere => Ok(self.listen),
        }
    }

    pub(super) fn validate(&self) -> Result<(), InvalidSetting> {
        if self.max_decoded_body_bytes < self.max_body_bytes {
            return Err(InvalidSetting::new(
                "http.max_decoded_body_bytes",
                "must not be less than http.max_body_bytes",
            ));
        }
        match self.allowed_hosts.iter().find(|host| host.is_empty() || host.contains(['/', ' '])) {
            Some(host) => Err(InvalidSetting::new(
                "http.allowed_hosts",
                format!("has `{host}`; write names without a scheme or a path, such as ticks.example"),
            )),
            None => Ok(()),
        }
    }
}

/// `[question]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuestionConfig {
    /// What one question may take in memory; a larger one is 413 with the estimate. A question may ask for less.
    pub limit_bytes: NonZeroU64,
    /// How long one question may take, with its waiting; then it is 504.
    #[serde(deserialize_with = "duration::deserialize")]
    pub time_limit: Duration,
}

impl Default for QuestionConfig {
    fn default() -> Self {
        Self {
            limit_bytes: const { NonZeroU64::new(1 << 30).expect("a constant above zero") },
            time_limit: Duration::from_secs(60),
        }
    }
}
