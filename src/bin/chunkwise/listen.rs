//! Where the services listen, and when they stop.

use std::net::SocketAddr;

use anyhow::Context;
use chunkwise::config::{Config, Setting};
use clap::Args;
use futures_util::FutureExt;
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

/// Flags of what also takes writes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct WriteListenArgs {
    #[command(flatten)]
    http: ListenArgs,
    /// Address and port for line protocol over TCP, or `off` [default: 127.0.0.1:9009]
    #[arg(long, value_name = "ADDR", value_parser = address_or_off)]
    line_protocol_listen: Option<String>,
    /// Address and port for OpenTSDB, telnet and HTTP, or `off` [default: 127.0.0.1:4242]
    #[arg(long, value_name = "ADDR", value_parser = address_or_off)]
    opentsdb_listen: Option<String>,
}

impl WriteListenArgs {
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let flags = [
            (LINE_PROTOCOL_FLAG, "line_protocol.listen", &self.line_protocol_listen),
            (OPENTSDB_FLAG, "opentsdb.listen", &self.opentsdb_listen),
        ];
        let set = |(flag, key, value): (&str, &str, &Option<String>)| Some(Setting::flag(flag, key, value.clone()?));
        self.http.settings().into_iter().chain(flags.into_iter().filter_map(set)).collect()
    }
}

const LINE_PROTOCOL_FLAG: &str = "--line-protocol-listen";
const OPENTSDB_FLAG: &str = "--opentsdb-listen";

fn address_or_off(text: &str) -> Result<String, String> {
    match text {
        "off" => Ok(text.to_owned()),
        _ => address(text).map(|address| address.to_string()),
    }
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

/// What is bound.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) http: TcpListener,
    pub(crate) line_protocol: Option<TcpListener>,
    pub(crate) opentsdb: Option<TcpListener>,
}

impl Listeners {
    /// Binds all, before anything slow is begun: a port that is taken shows at once.
    pub(crate) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let mut listeners = Self::bind_http(config).await?;
        let exposure = config.http.exposure;
        if let Some(address) = config.line_protocol.listen_addr(exposure)? {
            listeners.line_protocol = Some(bind_beside(address, "line protocol over TCP", LINE_PROTOCOL_FLAG).await?);
        }
        if let Some(address) = config.opentsdb.listen_addr(exposure)? {
            listeners.opentsdb = Some(bind_beside(address, "OpenTSDB", OPENTSDB_FLAG).await?);
        }
        Ok(listeners)
    }

    /// Binds HTTP alone, for a service that takes no writes.
    pub(crate) async fn bind_http(config: &Config) -> anyhow::Result<Self> {
        let address = config.http.listen_addr()?;
        let http = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}: another program may hold the port; choose one with --listen, port 0 for a free one")
        })?;
        Ok(Self { http, line_protocol: None, opentsdb: None })
    }

    /// Says on standard output where the service is, for people and for scripts that asked for port 0. HTTP comes first.
    pub(crate) fn announce(&self) -> anyhow::Result<()> {
        let mut text = format!("listening on http://{}\n", self.http.local_addr()?);
        if let Some(listener) = &self.line_protocol {
            text += &format!("listening for line protocol on tcp://{}\n", listener.local_addr()?);
        }
        if let Some(listener) = &self.opentsdb {
            text += &format!("listening for OpenTSDB on {}\n", listener.local_addr()?);
        }
        output::print(text.as_bytes())
    }
}

async fn bind_beside(address: SocketAddr, what: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address} for {what}: another program may hold the port; choose one with {flag}, port 0 \
             for a free one, or {flag} off for none"
        )
    })
}

/// SIGTERM, SIGINT, and SIGHUP unless it is ignored (`nohup`), from the moment that this is made: one that comes while nobody
/// waits is heard by whoever waits next, and by everybody who listens.
#[derive(Debug)]
pub(crate) struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
    heard: Option<&'static str>,
}

impl StopSignal {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let hang_up = || signal(SignalKind::hangup()).context("listening for SIGHUP");
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            hang_up: hang_up_ends().then(hang_up).transpose()?,
            heard: None,
        })
    }

    /// Completes at the next signal.
    pub(crate) async fn heard(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT (Ctrl-C)",
            _ = hang_up => "SIGHUP: the terminal was closed; `nohup` keeps a command going",
        };
        self.heard = Some(name);
    }

    /// What was heard last, for people.
    pub(crate) fn name(&self) -> &'static str {
        self.heard.unwrap_or("a signal")
    }

    /// Whether one has come that nobody has waited for.
    pub(crate) fn has_come(&mut self) -> bool {
        self.heard().now_or_never().is_some()
    }

    /// Does some work; at a signal drops it where it is, and gives `None`.
    pub(crate) async fn unless_heard<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.heard() => None,
        }
    }
}

/// Whether SIGHUP ends this process: whoever started it under `nohup` has it ignored, and listening would undo that. Where it
/// cannot be told, the system's own way is left as it is.
fn hang_up_ends() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    ignored.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & 1 == 0)
}

#[cfg(test)]
mod tests {
    use chunkwise::config::ConfigFile;

    use super::*;

    fn config(flags: &[(&str, &str)]) -> Config {
        let others = [("line_protocol.listen", "off"), ("opentsdb.listen", "off")];
        let flags = others.iter().chain(flags).map(|(key, value)| Setting::flag("--flag", key, *value));
        Config::load(&ConfigFile::None, [], flags).unwrap()
    }

    const FREE: &str = "127.0.0.1:0";

    #[tokio::test]
    async fn port_zero_takes_a_free_one() {
        let flags = [("http.listen", FREE), ("line_protocol.listen", FREE), ("opentsdb.listen", FREE)];
        let bound = Listeners::bind(&config(&flags)).await.unwrap();
        let others = [bound.line_protocol.unwrap(), bound.opentsdb.unwrap()];
        let ports: Vec<u16> = others.iter().chain([&bound.http]).map(|l| l.local_addr().unwrap().port()).collect();
        assert!(!ports.contains(&0) && ports[0] != ports[1], "{ports:?}");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_with_the_flag_that_chooses_another() {
        let held = Listeners::bind(&config(&[("http.listen", FREE)])).await.unwrap();
        assert!(held.line_protocol.is_none() && held.opentsdb.is_none(), "both are off");
        let address = held.http.local_addr().unwrap().to_string();
        for (key, flag) in [
            ("http.listen", "--listen"),
            ("line_protocol.listen", "--line-protocol-listen off"),
            ("opentsdb.listen", "--opentsdb-listen off"),
        ] {
            let error = Listeners::bind(&config(&[("http.listen", FREE), (key, &address)])).await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&address) && text.contains(flag), "{text}");
        }
    }

    #[tokio::test]
    async fn an_address_beyond_loopback_needs_to_be_meant() {
        for key in ["http.listen", "line_protocol.listen", "opentsdb.listen"] {
            let error = Listeners::bind(&config(&[("http.listen", FREE), (key, "0.0.0.0:0")])).await.unwrap_err();
            assert!(error.to_string().contains("--insecure-listen") && error.to_string().contains(key), "{error}");
        }
    }
}
