//! What takes away: `DELETE /api/v1/measurements/{name}`, `/api/v1/series`, `/api/v1/rows`.
//!
//! They are no questions, and a router of their own, which the binary joins only where the process has an owner's connection:
//! a query service alone has nothing that could change a row.

use std::future::Future;

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    routing::delete,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{
    error::{ApiError, near_matches},
    parameters::Parameters,
    state::HttpState,
};
use crate::{
    db::{Failure, classify},
    question::{Invalid, TimeRange},
    removal::{Dependents, RemovalError, delete_rows, drop_measurement, drop_series},
};

/// The routes that take away.
pub fn removal_router(state: HttpState) -> Router {
    Router::new()
        .route("/api/v1/measurements/{name}", delete(measurement))
        .route("/api/v1/series", delete(series))
        .route("/api/v1/rows", delete(rows))
        .with_state(state)
}

async fn measurement(
    State(state): State<HttpState>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    let namespace = parameters.namespace()?;
    let upon = match parameters.take("cascade")?.as_deref() {
        None | Some("false") => Dependents::Keep,
        Some("true") => Dependents::Cascade,
        Some(_) => return Err(Invalid::new("cascade", "must be true or false").into()),
    };
    parameters.finish()?;
    let database = state.questions.database().clone();
    carried_out(async move || drop_measurement(&database, &namespace, &name, upon).await).await
}

async fn series(State(state): State<HttpState>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    let namespace = parameters.namespace()?;
    let name = parameters.required("measurement")?;
    let selector = parameters.selector()?;
    parameters.finish()?;
    let database = state.questions.database().clone();
    carried_out(async move || drop_series(&database, &namespace, &name, &selector).await).await
}

async fn rows(State(state): State<HttpState>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    let namespace = parameters.namespace()?;
    let name = parameters.required("measurement")?;
    let missing = |name: &'static str| Invalid::new(name, format!("is missing: write ?{name}="));
    let from = parameters.timestamp("from")?.ok_or_else(|| missing("from"))?;
    let to = parameters.timestamp("to")?.ok_or_else(|| missing("to"))?;
    let selector = parameters.selector()?;
    parameters.finish()?;
    let database = state.questions.database().clone();
    let range = TimeRange { from, to };
    carried_out(async move || delete_rows(&database, &namespace, &name, range, &selector).await).await
}

/// Carries a removal out to its end, whether or not the client waits for it.
async fn carried_out<F: Future<Output = Result<u64, RemovalError>>>(
    removal: impl FnOnce() -> F + Send + 'static,
) -> Result<Json<Value>, ApiError> {
    let runtime = Handle::current();
    let removed = tokio::task::spawn_blocking(move || runtime.block_on(removal())).await.map_err(ApiError::internal)?;
    Ok(Json(json!({ "deleted_rows": removed? })))
}

impl From<RemovalError> for ApiError {
    fn from(error: RemovalError) -> Self {
        let retry_after = Failure::RETRY_AFTER;
        match error {
            RemovalError::Invalid(invalid) => Self::InvalidQuestion(invalid),
            RemovalError::UnknownMeasurement { name, known } => {
                let near = near_matches(&name, known.iter().map(String::as_str));
                Self::UnknownMeasurement { name, near }
            }
            RemovalError::Depended { .. } => {
                let message = format!("{error} (?cascade=true)");
                Self::Conflict { code: "measurement_in_use", message }
            }
            RemovalError::InUse { .. } => Self::Conflict { code: "measurement_locked", message: error.to_string() },
            RemovalError::Database(error) => match classify(&error) {
                Failure::Unavailable | Failure::Contention | Failure::Stale | Failure::Timeout => {
                    Self::DatabaseUnavailable { retry_after, cause: Box::new(error) }
                }
                Failure::Data | Failure::Defect => Self::internal(error),
            },
        }
    }
}
