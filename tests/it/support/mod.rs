//! What tests stand on: a server, a database per test, the program itself, and a proxy between the two.

mod app;
mod authority;
mod broker;
mod command;
mod database;
mod explain;
mod process;
mod program;
mod proxy;
mod python;
mod server;

pub(crate) use app::{Answer, App};
pub(crate) use authority::Authority;
pub(crate) use broker::{Broker, Publisher};
pub(crate) use command::{Finished, run, run_within};
pub(crate) use database::TestDatabase;
pub(crate) use explain::scanned;
pub(crate) use process::{Process, command};
pub(crate) use program::program;
pub(crate) use proxy::{At, Proxy};
pub(crate) use python::{python_command, run_python};

/// Asks again and again until it is so; fails after ten seconds.
pub(crate) async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = std::time::Duration::from_secs(10);
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| panic!("after {patience:?} still not: {what}"));
}
