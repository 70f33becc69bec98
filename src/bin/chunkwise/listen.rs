//! Where the services listen, and when they stop.

use std::net::SocketAddr;

use anyhow::Context;
use chunkwise::config::{HttpConfig, Setting};
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::output;

/// Flags of everything that listens.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct ListenArgs {
    /// Address and port for HTTP; port 0 takes a free one and prints it [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Allow an address beyond loopback. There are no tokens: whoever reaches it may read and write everything
    #[arg(long)]
    insecure_listen: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8080 or [::1]:0".to_owned())
}

impl ListenArgs {
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let listen = self.listen.map(|address| Setting::flag("--listen", "http.listen", address.to_string()));
        let insecure = self.insecure_listen.then(|| Setting::flag("--insecure-listen", "http.insecure_listen", true));
        listen.into_iter().chain(insecure).collect()
    }
}

/// Binds, before anything slow is begun: a port that is taken shows at once.
pub(crate) async fn bind(config: &HttpConfig) -> anyhow::Result<TcpListener> {
    let address = config.listen_addr()?;
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: another program may hold the port; choose one with --listen, port 0 for a free one")
    })
}

/// Says on standard output where the service is, for people and for scripts that asked for port 0.
pub(crate) fn announce(listener: &TcpListener) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    output::print(format!("listening on http://{address}\n").as_bytes())
}

/// SIGTERM and SIGINT, from the moment that this is made: one that comes while nobody waits is heard by whoever waits next.
#[derive(Debug)]
pub(crate) struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
        })
    }

    /// Completes at the next signal.
    pub(crate) async fn heard(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Does some work; at a signal drops it where it is, and gives `None`.
    pub(crate) async fn unless_heard<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.heard() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chunkwise::config::{Config, ConfigFile};

    use super::*;

    fn config(listen: &str) -> HttpConfig {
        let flag = Setting::flag("--listen", "http.listen", listen);
        Config::load(&ConfigFile::None, [], [flag]).unwrap().http
    }

    #[tokio::test]
    async fn port_zero_takes_a_free_one() {
        let one = bind(&config("127.0.0.1:0")).await.unwrap();
        let other = bind(&config("127.0.0.1:0")).await.unwrap();
        assert_ne!(one.local_addr().unwrap().port(), 0);
        assert_ne!(one.local_addr().unwrap(), other.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let held = bind(&config("127.0.0.1:0")).await.unwrap();
        let address = held.local_addr().unwrap().to_string();
        let error = bind(&config(&address)).await.unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
    }

    #[tokio::test]
    async fn an_address_beyond_loopback_needs_to_be_meant() {
        assert!(bind(&config("0.0.0.0:0")).await.unwrap_err().to_string().contains("--insecure-listen"));
    }
}
