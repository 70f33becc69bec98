//! One keep-alive connection that asks.

use std::{
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::try_join_all;
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use super::{BenchError, Transport, service::Service, sink::Http};

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// From sending the question to the last byte.
    pub(super) elapsed: Duration,
    pub(super) bytes: usize,
    /// What it cost.
    pub(super) receipt: Value,
}

impl Answer {
    pub(super) fn ms(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e3
    }

    /// A number of the receipt, such as `/ms/compute`.
    pub(super) fn cost(&self, pointer: &str) -> f64 {
        self.receipt.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }
}

#[derive(Debug)]
pub(super) struct Client(Http);

/// What is asked: a path, and the question that is posted to it, if any is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Question {
    /// A window as an array.
    pub(super) fn window(body: Value) -> Self {
        Self { path: "/api/v1/window?format=npy".to_owned(), body: Some(body) }
    }
}

/// Asks all questions by all connections, each of which asks the next one as soon as it has an answer; the answers come in the
/// questions' order.
pub(super) async fn ask_at_once(clients: &mut [Client], questions: &[Question]) -> Result<Vec<Answer>, BenchError> {
    let next = AtomicUsize::new(0);
    let next = &next;
    let asking = clients.iter_mut().map(|client| async move {
        let mut answers = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(Question { path, body }) = questions.get(at) else { return Ok::<_, BenchError>(answers) };
            let answer = match body {
                Some(question) => client.ask(path, question).await?,
                None => client.get(path).await?,
            };
            answers.push((at, answer));
        }
    });
    let mut answers: Vec<(usize, Answer)> = try_join_all(asking).await?.into_iter().flatten().collect();
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

impl Client {
    /// A connection a core of this machine: more at once would wait for each other.
    pub(super) async fn as_many_as_cores(service: &Service) -> Result<Vec<Self>, BenchError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut clients = Vec::with_capacity(cores);
        for _ in 0..cores {
            clients.push(Self::connect(service).await?);
        }
        Ok(clients)
    }

    pub(super) async fn connect(service: &Service) -> Result<Self, BenchError> {
        let Some(address) = service.address(Transport::Http) else {
            return Err(BenchError::connection(Transport::Http.name(), "the service has no listener for it"));
        };
        Ok(Self(Http::connect(address).await?))
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(&mut self, path: &str, question: &Value) -> Result<Answer, BenchError> {
        let question = question.to_string().into_bytes();
        let begun = Instant::now();
        let answer = self.0.post(path, "application/json", question, StatusCode::OK).await?;
        Ok(Answer::new(begun.elapsed(), &answer))
    }

    /// Gets an answer, and reads it whole.
    pub(super) async fn get(&mut self, path: &str) -> Result<Answer, BenchError> {
        let begun = Instant::now();
        let answer = self.0.get(path, StatusCode::OK).await?;
        Ok(Answer::new(begun.elapsed(), &answer))
    }
}

impl Answer {
    fn new(elapsed: Duration, answer: &Response<Bytes>) -> Self {
        let receipt = match answer.headers().get("chunkwise-receipt") {
            Some(receipt) => serde_json::from_slice(receipt.as_bytes()).unwrap_or_default(),
            None => serde_json::from_slice::<Value>(answer.body())
                .map(|mut answer| answer["receipt"].take())
                .unwrap_or_default(),
        };
        Self { elapsed, bytes: answer.body().len(), receipt }
    }
}
