//! HTTP by hand, for what no well-behaved client sends.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::support::App;

/// A connection that waits at most `limit` for each answer.
pub(crate) fn connect(app: &App, limit: Duration) -> TcpStream {
    let stream = TcpStream::connect(app.base.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(limit)).unwrap();
    stream.set_write_timeout(Some(limit)).unwrap();
    stream
}

/// The head of a POST whose body is to have so many bytes.
pub(crate) fn post(path: &str, length: u64) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

/// Sends as much as the server takes: it may have closed the connection already.
pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) {
    drop(stream.write_all(bytes));
}

/// Everything until the server closes the connection, or resets it.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The status of the next answer; `None` if the connection was closed without one.
pub(crate) fn read_status(stream: &mut TcpStream) -> Option<u16> {
    let mut bytes = [0; 4096];
    let read = match stream.read(&mut bytes) {
        Ok(0) => return None,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
        read => read.unwrap(),
    };
    let text = String::from_utf8_lossy(&bytes[..read]);
    Some(text.split(' ').nth(1).unwrap().parse().unwrap())
}
