//! Telnet or HTTP: what a connection to OpenTSDB's port begins with.

use std::{io, time::Duration};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Beginnings of HTTP requests. Telnet's commands are in lower case.
const REQUESTS: [&[u8]; 9] =
    [b"GET /", b"POST /", b"PUT /", b"HEAD /", b"DELETE /", b"OPTIONS /", b"PATCH /", b"TRACE /", b"OPTIONS *"];
const LONGEST: usize = 9;
/// A method may come in pieces; a client that stops in the middle of one is a telnet client with a bad line.
const PATIENCE: Duration = Duration::from_secs(10);
/// The socket tells when bytes arrive, but not when more do while the first are not taken.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Http,
    Lines,
    /// It was closed, or everything ends, before there was anything.
    Gone,
}

/// Looks at the first bytes and takes none of them. Waits for the first one as long as it takes.
pub(super) async fn opening(stream: &TcpStream, stop: &CancellationToken) -> Opening {
    stop.run_until_cancelled(look(stream)).await.and_then(Result::ok).unwrap_or(Opening::Gone)
}

async fn look(stream: &TcpStream) -> io::Result<Opening> {
    let mut bytes = [0; LONGEST];
    let mut seen = stream.peek(&mut bytes).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match judge(&bytes[..seen]) {
            Some(opening) => return Ok(opening),
            None if Instant::now() >= deadline => return Ok(Opening::Lines),
            None => sleep(LOOK_AGAIN).await,
        }
        seen = stream.peek(&mut bytes).await?;
    }
}

/// `None` while it could become either.
fn judge(bytes: &[u8]) -> Option<Opening> {
    if bytes.is_empty() {
        return Some(Opening::Gone);
    }
    if REQUESTS.iter().any(|request| bytes.starts_with(request)) {
        return Some(Opening::Http);
    }
    let may_become = REQUESTS.iter().any(|request| request.starts_with(bytes));
    if may_become { None } else { Some(Opening::Lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_from_lines_by_as_few_bytes_as_it_takes() {
        for (bytes, opening) in [
            ("POST /api/put HTTP/1.1\r\n", Some(Opening::Http)),
            ("GET /", Some(Opening::Http)),
            ("GET", None),
            ("P", None),
            ("OPTIONS *", Some(Opening::Http)),
            ("put m 1 2 a=b\n", Some(Opening::Lines)),
            ("PUT m 1 2 a=b\n", Some(Opening::Lines)),
            ("POSTS", Some(Opening::Lines)),
            ("\n", Some(Opening::Lines)),
            ("", Some(Opening::Gone)),
        ] {
            assert_eq!(judge(bytes.as_bytes()), opening, "{bytes:?}");
        }
    }
}
