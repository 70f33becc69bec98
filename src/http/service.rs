//! Health and metrics.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{error::ApiError, state::HttpState};
use crate::db;

/// Health is told within this time, whatever the database does.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The version of InfluxDB whose clients are answered as they expect.
const INFLUXDB_VERSION: &str = "1.8.10";

/// Whether the database answers.
pub(super) async fn health(State(state): State<HttpState>) -> Response {
    report(asked(&state, false).await, "pass", Vec::new())
}

/// Whether the database answers and has this program's tables. InfluxDB 2 calls that `ready`, and its clients compare.
pub(super) async fn ready(State(state): State<HttpState>) -> Response {
    let parts = state.figures.iter().filter_map(|(_, figures)| figures.check()).collect();
    report(asked(&state, true).await, "ready", parts)
}

/// What is wrong; `None` if nothing is.
async fn asked(state: &HttpState, tables: bool) -> Option<String> {
    let asked = async {
        let mut connection = state.questions.database().reader().acquire().await.map_err(|_| AWAY.to_owned())?;
        if tables {
            return match db::verify(&mut connection).await {
                Err(db::MigrateError::Database(_)) => Err(AWAY.to_owned()),
                checked => checked.map_err(|error| error.to_string()),
            };
        }
        sqlx::query("SELECT 1").execute(&mut *connection).await.map(|_| ()).map_err(|_| AWAY.to_owned())
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(checked) => checked.err(),
        Err(_) => Some(AWAY.to_owned()),
    }
}

const AWAY: &str = "the database does not answer";

/// `well` is the whole's status where nothing is wrong.
fn report(wrong: Option<String>, well: &str, parts: Vec<Value>) -> Response {
    let (status, word, check) = match wrong {
        None => (StatusCode::OK, well, "pass"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "fail", "fail"),
    };
    let mut check = json!({ "name": "database", "status": check });
    if let (Some(message), Some(check)) = (wrong, check.as_object_mut()) {
        check.insert("message".to_owned(), Value::String(message));
    }
    let checks: Vec<Value> = std::iter::once(check).chain(parts).collect();
    let body = json!({
        "name": "chunkwise",
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "checks": checks,
    });
    (status, Json(body)).into_response()
}

/// What InfluxDB's clients ask before they write.
pub(super) async fn ping() -> impl IntoResponse {
    const VERSION: HeaderName = HeaderName::from_static("x-influxdb-version");
    (StatusCode::NO_CONTENT, [(VERSION, INFLUXDB_VERSION)])
}

/// Prometheus' text.
pub(super) async fn metrics(State(state): State<HttpState>) -> Result<Response, ApiError> {
    let Some(prometheus) = state.prometheus else {
        return Err(ApiError::NotFound { path: "/metrics".to_owned() });
    };
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus.render()).into_response())
}
