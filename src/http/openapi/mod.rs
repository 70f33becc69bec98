//! The description of the API: OpenAPI at `/api/openapi.json`, and a page to read and try it at `/api/docs`.
//!
//! The routes live where their work is done, some of them outside this module's reach, so they are described here, one
//! file a group, with utoipa's builders; the tests hold the description against the types that really read questions
//! and the functions that really write answers.

mod answers;
mod asof;
mod bars;
mod chunks;
mod kinds;
mod listings;
mod operation;
mod questions;
mod removals;
mod reports;
mod schema;
mod service;
mod writes;

#[cfg(test)]
mod tests;

use axum::{
    Router,
    http::{HeaderValue, header::CONTENT_SECURITY_POLICY},
    middleware::{Next, from_fn},
};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, path::PathsBuilder, tag::TagBuilder,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use self::operation::Route;

/// Where the description is.
pub const DOCUMENT_PATH: &str = "/api/openapi.json";
/// Where the page is.
pub const PAGE_PATH: &str = "/api/docs";

const DESCRIPTION: &str = "\
A time-series store on TimescaleDB: feeds stream in, windows come out as arrays, correlations come back in milliseconds.

**Times** in questions are RFC 3339 with a zone, or integer milliseconds since 1970 UTC; in answers RFC 3339 in UTC with \
`Z`. **Durations** are `250ms 1s 10s 1m 5m 1h 1d 1w 1mo`. **Ranges** are half-open: `from` belongs to them, `to` does not.

**Formats** of answers are chosen by `Accept` or by `?format=json|npy|npz|arrow|csv`. JSON numbers read back to the same \
float64; what is missing, infinite or undefined is `null`.

**Series selectors** are objects of tags: `{\"symbol\": \"AAPL\"}`, `{\"symbol\": [\"MSFT\", \"XOM\"], \"exchange\": \"N\"}` \
(a list means any of), `{\"series_id\": [3, 17]}`; in a URL `tag.symbol=MSFT&tag.symbol=XOM`.

**Errors** are `{\"error\": {\"code\", \"message\", \"details\"}}`; the write routes answer as the clients of each \
protocol expect.";

/// The whole description.
#[must_use]
pub fn document() -> OpenApi {
    let routes: Vec<Route> = [
        writes::routes(),
        listings::routes(),
        questions::routes(),
        kinds::routes(),
        bars::routes(),
        asof::routes(),
        removals::routes(),
        service::routes(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut paths = PathsBuilder::new().build();
    for route in routes {
        paths.add_path_operation(route.path, vec![route.method], route.operation);
    }

    let mut schemas = Vec::new();
    answers::register(&mut schemas);
    questions::register(&mut schemas);
    kinds::register(&mut schemas);
    bars::register(&mut schemas);
    asof::register(&mut schemas);
    removals::register(&mut schemas);
    reports::register(&mut schemas);
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas);
    for (name, response) in operation::failures() {
        components = components.response(name, response);
    }

    let license = LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).identifier(Some(env!("CARGO_PKG_LICENSE")));
    let info = InfoBuilder::new()
        .title("chunkwise")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license.build()));
    let tags = [
        (questions::TAG, "Windows, correlations and joins by time, as JSON, numpy arrays, Arrow or CSV"),
        (listings::TAG, "Measurements, series, chunks and benchmark reports"),
        (removals::TAG, "Measurements, series and rows; where the process ingests"),
        (writes::TAG, "Line protocol as the clients of InfluxDB 1, 2 and 3 send it, and JSON as OpenTSDB's do"),
        (service::TAG, "Health, metrics, and what clients ask before they write"),
    ];
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())))
        .build()
}

/// The routes [`DOCUMENT_PATH`] and [`PAGE_PATH`]. The page needs nothing from elsewhere: its script comes from this
/// binary, and the validator that it would ask on the internet is turned off.
pub fn router() -> Router {
    /// The page's style sheet draws its icons from `data:` addresses.
    const POLICY: HeaderValue =
        HeaderValue::from_static("default-src 'self'; img-src 'self' data:; frame-ancestors 'none'");
    let page = SwaggerUi::new(PAGE_PATH)
        .url(DOCUMENT_PATH, document())
        .config(Config::default().validator_url("none").try_it_out_enabled(true).display_request_duration(true));
    Router::from(page).layer(from_fn(async |request, next: Next| {
        let mut response = next.run(request).await;
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
        response
    }))
}
