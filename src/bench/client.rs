//! One keep-alive connection that asks.

use std::time::Duration;

use hyper::StatusCode;
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

impl Client {
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
        let elapsed = begun.elapsed();
        let receipt = match answer.headers().get("chunkwise-receipt") {
            Some(receipt) => serde_json::from_slice(receipt.as_bytes()).unwrap_or_default(),
            None => serde_json::from_slice::<Value>(answer.body())
                .map(|mut answer| answer["receipt"].take())
                .unwrap_or_default(),
        };
        Ok(Answer { elapsed, bytes: answer.body().len(), receipt })
    }
}
