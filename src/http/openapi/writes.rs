//! The write routes, in the words of InfluxDB 1, 2 and 3 and of OpenTSDB.

use serde_json::json;
use utoipa::openapi::{HttpMethod, Required, ResponseBuilder, request_body::RequestBodyBuilder};

use super::{
    operation::{Route, RouteBuilder, content, response, route, with_header},
    schema::{boolean, choice, named, text, word},
};

pub(super) const TAG: &str = "Writing";

const LINES: &str = "prices,symbol=AAPL,exchange=N close=182.52,size=100i 1672219800000000000\n\
                     prices,symbol=MSFT,exchange=N close=239.82,size=50i 1672219800000000000";

pub(super) fn routes() -> Vec<Route> {
    let influx1 = route(HttpMethod::Post, "/write", TAG, "write_influx1", "Line protocol, as InfluxDB 1 takes it")
        .query("db", text(), "The namespace; `public` if empty or missing.")
        .query("rp", text(), "Ignored.")
        .query("precision", word(&["ns", "n", "us", "u", "ms", "s", "m", "h"]), "The unit of times.");
    let influx2 =
        route(HttpMethod::Post, "/api/v2/write", TAG, "write_influx2", "Line protocol, as InfluxDB 2 takes it")
            .query("org", text(), "Ignored.")
            .query("bucket", text(), "The namespace; `public` if empty or missing.")
            .query("precision", word(&["ns", "us", "ms", "s"]), "The unit of times.");
    let influx3 = route(
        HttpMethod::Post,
        "/api/v3/write_lp",
        TAG,
        "write_influx3",
        "Line protocol, as InfluxDB 3 takes it",
    )
    .query("db", text(), "The namespace; `public` if empty or missing.")
    .query(
        "precision",
        word(&["auto", "nanosecond", "microsecond", "millisecond", "second"]),
        "The unit of times; `auto` judges each by its size: below 5e9 seconds, 5e12 milliseconds, 5e15 microseconds, \
             else nanoseconds.",
    )
    .query("no_sync", boolean(false), "Taken and ignored.");

    let lines = json!([{"line": 3, "column": 17, "reason": "the field `close` is a float here, not a text"}]);
    let error = "partial write: 1 line was refused";
    vec![
        write(influx1, "PartialWrite", json!({"error": error, "lines": lines, "written": 9997})),
        write(
            influx2,
            "PartialWrite2",
            json!({
                "code": "invalid", "message": error, "error": error, "lines": lines, "written": 9997
            }),
        ),
        write(
            influx3,
            "PartialWrite3",
            json!({
                "error": error,
                "data": [{"original_line": "prices,symbol=XOM close=\"x\"", "line_number": 3,
                          "error_message": "the field `close` is a float here, not a text"}],
                "lines": lines, "written": 9997
            }),
        ),
        put(),
        websocket(),
    ]
}

/// The one route that is no exchange of one request and one answer: what OpenAPI cannot say is told in words.
fn websocket() -> Route {
    let upgrade = response("The connection is a WebSocket now; see above for its frames.");
    route(HttpMethod::Get, "/api/v1/ws/write", TAG, "write_websocket", "Line protocol or JSON rows over a WebSocket")
        .describe(
            "Each frame is a request of its own and gets one answer, in order.\n\n\
             A frame is line protocol, or `{\"id\": \"42\", \"rows\": [{\"measurement\": \"ticks\", \"time\": \
             1700000000000000000, \"tags\": {\"symbol\": \"AAPL\"}, \"fields\": {\"price\": 187.32}}]}`; sent again with \
             the same `id` it is written once.\n\n\
             Answers are `{\"id\": \"42\", \"ack\": \"committed\", \"written\": 1, \"lines\": [], \"credits\": 16}` or \
             `{\"id\": \"42\", \"error\": {\"code\": \"unavailable\", \"message\": \"...\"}, \"credits\": 15}`. `lines` \
             names the refused lines as the other write routes do; `credits` is how many more frames may be sent \
             without waiting for an answer.\n\n\
             The server pings every 30 seconds and ends a connection that is silent for 60. A text frame that is not \
             UTF-8 ends it with 1007, one over the limit with 1009, another breach of the protocol with 1002, the end \
             of the server with 1001.",
        )
        .query("namespace", text(), "The namespace; `public` if empty or missing.")
        .query("precision", word(&["ns", "n", "us", "u", "ms", "s", "m", "h"]), "The unit of times.")
        .query("accept_partial", boolean(true), "With `false` each frame is written whole or not at all.")
        .header("Upgrade", choice(&["websocket"]), "What a WebSocket client sends.")
        .answers(101, upgrade)
        .fails(&[400, 403])
        .answers(426, response("The request is no WebSocket handshake of version 13."))
        .build()
}

/// OpenTSDB's route.
fn put() -> Route {
    let point = json!({"metric": "sys.cpu.user", "timestamp": 1_672_219_800, "value": 42.5, "tags": {"host": "web01"}});
    let body = RequestBodyBuilder::new()
        .description(Some("One data point or an array of them, plain or compressed."))
        .required(Some(Required::True))
        .content("application/json", content(named("DataPoint"), point))
        .build();
    let error = json!({"error": {"code": 400, "message": "One or more data points had errors", "details": "..."}});
    let refused = response(
        "Data points were refused; the others were written, unless `accept_partial=false`. With `summary` or `details` \
         the answer is as for 200.",
    )
    .content("application/json", content(named("PutError"), error));
    let counted = response("Every data point is safe; with `summary` or `details`.")
        .content("application/json", content(named("PutSummary"), json!({"success": 1, "failed": 0, "errors": []})));
    route(HttpMethod::Post, "/api/put", TAG, "write_opentsdb", "Data points, as OpenTSDB takes them")
        .describe(
            "A 2xx means that every data point is safe. A metric is a measurement with the field `value`. Also on \
             OpenTSDB's own port. The same request sent again within an hour is written once.",
        )
        .query("summary", text(), "If it is there, the answer counts.")
        .query("details", text(), "If it is there, the answer also shows each refused data point.")
        .query("sync", text(), "Ignored: the answer always comes after COMMIT.")
        .query("namespace", text(), "The namespace; `public` if empty or missing.")
        .query("accept_partial", boolean(true), "With `false` all data points are written or none.")
        .header("Idempotency-Key", text(), "The request is written once for each key.")
        .header("Content-Encoding", choice(&["gzip", "zstd"]), "How the body is compressed.")
        .takes(body)
        .answers(200, acknowledged(counted))
        .answers(204, acknowledged(response("Every data point is safe.")))
        .answers(400, acknowledged(refused))
        .fails(&[403, 413, 422, 500, 503])
        .build()
}

/// What the write routes have in common.
fn write(route: RouteBuilder, partial: &str, example: serde_json::Value) -> Route {
    let body = RequestBodyBuilder::new()
        .description(Some("Lines, plain or compressed."))
        .required(Some(Required::True))
        .content("text/plain", content(text(), LINES.into()))
        .build();
    let refused = response("Lines were refused; the others were written, unless `accept_partial=false`.")
        .content("application/json", content(named(partial), example));
    route
        .describe(
            "A 2xx means that every line is safe. By default bad lines are refused and the good ones written; the \
             answer names each bad line. The same request sent again within an hour is written once.",
        )
        .query("accept_partial", boolean(true), "With `false` all lines are written or none.")
        .header("Idempotency-Key", text(), "The request is written once for each key.")
        .header("Content-Encoding", choice(&["gzip", "zstd"]), "How the body is compressed.")
        .takes(body)
        .answers(204, acknowledged(response("Every line is safe.")))
        .answers(400, acknowledged(refused))
        .fails(&[403, 413, 422, 500, 503])
        .build()
}

fn acknowledged(response: ResponseBuilder) -> ResponseBuilder {
    let headers = [
        (
            "Chunkwise-Ack",
            "`committed`: in the database; `spooled`: the database is away, and the lines are safe on disk.",
        ),
        ("Chunkwise-Written", "How many lines were written."),
        ("Chunkwise-Duplicate", "`true` where this request was written before."),
    ];
    headers.into_iter().fold(response, |response, (name, text)| with_header(response, name, text))
}
