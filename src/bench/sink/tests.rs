use std::io;

use futures_util::{SinkExt, StreamExt};
use tokio::{io::AsyncReadExt, net::TcpListener};
use tokio_tungstenite::tungstenite::Message;

use super::*;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn plain_tcp_carries_the_lines_and_nothing_else() {
    let (listener, address) = listen().await;
    let lines = Arc::new(Lines::open_tsdb(5, 10).unwrap());
    let mut sink = ServiceSink::connect(Transport::Telnet, address, Arc::clone(&lines)).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    sink.send(3, 12).await.unwrap();
    drop(sink);
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, lines.body(3, 12));
}

/// Answers each frame with the next of `answers`.
async fn answer_frames(listener: TcpListener, answers: &'static [&'static str]) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    for answer in answers {
        socket.next().await.unwrap().unwrap();
        socket.send(Message::text(*answer)).await.unwrap();
    }
}

#[tokio::test]
async fn a_frame_that_is_not_acknowledged_whole_is_an_error() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(answer_frames(
        listener,
        &[
            r#"{"id": "1", "ack": "committed", "written": 2, "lines": [], "credits": 9}"#,
            r#"{"id": "2", "ack": "committed", "written": 1, "lines": [{"line": 2}], "credits": 9}"#,
            r#"{"error": "no"}"#,
        ],
    ));
    let lines = Arc::new(Lines::line_protocol(5, 10).unwrap());
    let mut sink = ServiceSink::connect(Transport::WebSocket, address, lines).await.unwrap();
    assert!(sink.send(0, 2).await.is_ok());
    assert!(matches!(sink.send(2, 2).await, Err(BenchError::Refused { status, .. }) if status == "committed"));
    assert!(matches!(sink.send(4, 2).await, Err(BenchError::Refused { .. })));
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_other_than_204_is_an_error_that_quotes_it() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let refuse = axum::routing::post(|| async { (axum::http::StatusCode::SERVICE_UNAVAILABLE, "come back") });
        axum::serve(listener, axum::Router::new().route("/write", refuse)).await
    });
    let lines = Arc::new(Lines::line_protocol(5, 10).unwrap());
    let mut sink = ServiceSink::connect(Transport::Http, address, lines).await.unwrap();
    let error = sink.send(0, 2).await.unwrap_err();
    assert!(error.to_string().contains("503") && error.to_string().contains("come back"), "{error}");
    server.abort();
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_transport() {
    let (listener, address) = listen().await;
    drop(listener);
    let lines = Arc::new(Lines::line_protocol(5, 10).unwrap());
    let error = ServiceSink::connect(Transport::Tcp, address, lines).await.unwrap_err();
    assert!(
        matches!(error, BenchError::Connection { transport: "tcp", source } if source.kind() == io::ErrorKind::ConnectionRefused)
    );
}
