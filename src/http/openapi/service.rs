//! Health and metrics, and what the clients of other databases ask before they write.

use serde_json::json;
use utoipa::openapi::{Content, HttpMethod, Required, request_body::RequestBodyBuilder};

use super::{
    operation::{Route, RouteBuilder, content, json_response, response, route, with_header},
    schema::{named, text},
};

pub(super) const TAG: &str = "Service";

pub(super) fn routes() -> Vec<Route> {
    let ping = |method, id| {
        route(method, "/ping", TAG, id, "Whether the server answers, as InfluxDB's clients ask")
            .answers(
                204,
                with_header(response("It does."), "X-Influxdb-Version", "The version of InfluxDB it resembles."),
            )
            .build()
    };
    let settings = route(HttpMethod::Get, "/settings", TAG, "settings", "The settings that QuestDB's clients ask for")
        .answers(
            200,
            response("Line protocol is spoken as text, version 1.").content(
                "application/json",
                content(named("QuestdbSettings"), json!({"config": {"line.proto.support.versions": [1]}})),
            ),
        );
    let metrics = route(HttpMethod::Get, "/metrics", TAG, "metrics", "Metrics for Prometheus")
        .answers(200, response("Prometheus' text format.").content("text/plain", Content::new(Some(text()))));
    vec![
        ping(HttpMethod::Get, "ping"),
        ping(HttpMethod::Head, "ping_head"),
        health("/health", "health", "Whether the server is well", "It is: `pass`."),
        health("/ready", "ready", "Whether the server takes requests now", "It does: `ready`."),
        metrics.build(),
        settings.build(),
        version(HttpMethod::Get, "/api/version", "opentsdb_version"),
        version(HttpMethod::Post, "/api/version", "opentsdb_version_post"),
        version(HttpMethod::Get, "/version", "opentsdb_version_old"),
        influx_query(),
        influx_query_form(),
    ]
}

fn version(method: HttpMethod, path: &'static str, id: &str) -> Route {
    let schema = ["version", "repo", "full_revision"]
        .into_iter()
        .fold(utoipa::openapi::ObjectBuilder::new(), |schema, name| schema.property(name, text()).required(name));
    let example = json!({"version": "2.4.1", "repo": "chunkwise", "full_revision": env!("CARGO_PKG_VERSION")});
    route(method, path, TAG, id, "The version that OpenTSDB's clients ask for")
        .answers(
            200,
            response("The version of OpenTSDB that it resembles, and its own.")
                .content("application/json", content(schema, example)),
        )
        .build()
}

fn health(path: &'static str, id: &str, summary: &str, well: &str) -> Route {
    route(HttpMethod::Get, path, TAG, id, summary)
        .answers(200, json_response(well, "Health"))
        .answers(503, json_response("Not now: `fail`.", "Health"))
        .build()
}

const STATEMENT: &str = "`CREATE DATABASE name` or `SHOW DATABASES`.";

fn influx_query() -> Route {
    let route =
        route(HttpMethod::Get, "/query", TAG, "influx_query", "What InfluxDB 1's clients ask before they write")
            .required_query("q", text().examples(["SHOW DATABASES"]), STATEMENT);
    influx_results(route)
}

fn influx_query_form() -> Route {
    let form = utoipa::openapi::ObjectBuilder::new().property("q", text().description(Some(STATEMENT)));
    let body = RequestBodyBuilder::new()
        .required(Some(Required::False))
        .content("application/x-www-form-urlencoded", content(form, json!({"q": "CREATE DATABASE lab"})))
        .build();
    let route = route(HttpMethod::Post, "/query", TAG, "influx_query_form", "The same, in the URL or as a form")
        .query("q", text(), STATEMENT)
        .takes(body);
    influx_results(route)
}

fn influx_results(route: RouteBuilder) -> Route {
    let databases = json!({"results": [{
        "statement_id": 0,
        "series": [{"name": "databases", "columns": ["name"], "values": [["public"]]}]
    }]});
    let results = content(named("Influx1Results"), databases);
    route
        .describe("Telegraf and InfluxDB 1's libraries send these when they start; all else is refused.")
        .query("db", text(), "Ignored.")
        .answers(200, response("Results as InfluxDB 1 writes them.").content("application/json", results))
        .fails(&[400, 403, 500, 503])
        .build()
}
