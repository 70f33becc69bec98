//! What stands around all routes: the log of causes, and answers where no route matches.

use std::{error::Error, fmt::Write as _, sync::Arc};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{Method, Uri},
    middleware::Next,
    response::Response,
};

use super::{ApiError, BoxError};

/// The cause of a response that does not show it; an extension of the response, for [`log_causes`].
#[derive(Debug, Clone)]
pub struct Cause(pub(super) Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Marks a response that is no [`ApiError`] with its cause, such as the write routes' own error bodies.
    pub fn new(cause: impl Into<BoxError>) -> Self {
        Self(Arc::from(cause.into()))
    }

    /// The cause and the causes of it, from the outside in.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.0.to_string();
        let mut inner = self.0.source();
        while let Some(cause) = inner {
            // Writing to a String cannot fail.
            if write!(text, ": {cause}").is_err() {
                break;
            }
            inner = cause.source();
        }
        text
    }
}

/// Middleware: logs the [`Cause`] of a response once, 503 as a warning and all else as an error.
///
/// To be the outermost layer but for those that count or time requests.
pub async fn log_causes(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    if let Some(cause) = response.extensions_mut().remove::<Cause>() {
        let route = route.as_deref().unwrap_or("-");
        let status = response.status().as_u16();
        let chain = cause.chain();
        if status == 503 {
            tracing::warn!(http.method = %method, http.route = route, http.status = status, error.chain = %chain,
                "a request was refused for now");
        } else {
            tracing::error!(http.method = %method, http.route = route, http.status = status, error.chain = %chain,
                "a request failed");
        }
    }
    response
}

/// Answers unknown routes with 404 and known ones with a wrong method with 405, both as JSON.
///
/// To be called on the whole router, after everything was merged into it.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(|uri: Uri| async move { ApiError::NotFound { path: uri.path().to_owned() } })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            ApiError::MethodNotAllowed { method: method.to_string(), path: uri.path().to_owned() }
        })
}
