//! Line protocol over TCP and OpenTSDB's port: raw sockets to committed rows.

mod line_protocol;
mod opentsdb_http;
mod opentsdb_telnet;
mod outage;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::support::{App, TestDatabase, wait_until};

/// Where a program that was just started takes line protocol.
fn line_protocol(app: &App) -> String {
    app.said("listening for line protocol on tcp://")
}

/// Where it is OpenTSDB.
fn opentsdb(app: &App) -> String {
    app.said("listening for OpenTSDB on ")
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Everything until the other side closes.
fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends lines over a connection of their own and closes it.
fn send(address: &str, bytes: &[u8]) {
    connect(address).write_all(bytes).unwrap();
}

/// Nobody is told when the rows are there.
async fn wait_for_rows(database: &TestDatabase, view: &str, rows: i64) {
    let there = format!("SELECT to_regclass('public.{view}') IS NOT NULL");
    let count = format!("SELECT count(*) FROM {view}");
    wait_until(&format!("{view} has {rows} rows"), async || {
        database.scalar::<bool>(&there).await && database.scalar::<i64>(&count).await == rows
    })
    .await;
}
