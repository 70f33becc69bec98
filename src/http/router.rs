//! Which route goes where.

use axum::{Router, routing::get};

use super::{answers, listings, openapi, reports, service, state::HttpState};

/// What every service answers: health, metrics, and the description of the API.
///
/// Without fallbacks, guard and log: [`with_fallbacks`](super::error::with_fallbacks),
/// [`log_causes`](super::error::log_causes) and [`guard`](super::guard) go around the router that everything was merged
/// into.
pub fn service_router(state: HttpState) -> Router {
    Router::new()
        .route("/api/v1/stats", get(listings::stats))
        .route("/health", get(service::health))
        .route("/ready", get(service::ready))
        .route("/ping", get(service::ping))
        .route("/metrics", get(service::metrics))
        .with_state(state)
        .merge(openapi::router())
}

/// The questions, and what there is to ask about.
pub fn question_router(state: HttpState) -> Router {
    Router::new()
        .route("/api/v1/window", get(answers::window).post(answers::window))
        .route("/api/v1/correlate", get(answers::correlate).post(answers::correlate))
        .route("/api/v1/correlate/matrix", get(answers::matrix).post(answers::matrix))
        .route("/api/v1/correlate/rolling", get(answers::rolling).post(answers::rolling))
        .route("/api/v1/correlate/lag", get(answers::lag).post(answers::lag))
        .route("/api/v1/correlate/ticks", get(answers::ticks).post(answers::ticks))
        .route("/api/v1/bars", get(answers::bars).post(answers::bars))
        .route("/api/v1/latest", get(listings::latest))
        .route("/api/v1/asof", get(answers::asof).post(answers::asof))
        .route("/api/v1/measurements", get(listings::measurements))
        .route("/api/v1/series", get(listings::series))
        .route("/api/v1/chunks", get(listings::chunks))
        .route("/api/v1/dead_letters", get(listings::dead_letters))
        .route("/api/v1/reports", get(reports::reports))
        .route("/api/v1/reports/{name}", get(reports::report))
        .with_state(state)
}
