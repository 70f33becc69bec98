//! `/api/v1/measurements`, `/series`, `/chunks`, `/dead_letters`, `/stats` and `/reports`.

use serde_json::json;
use utoipa::openapi::{Content, HttpMethod, ObjectBuilder};

use super::{
    operation::{Route, bytes, content, json_response, response, route, with_header},
    schema::{date_time, integer, named, text, word},
};
use crate::format::Format;

pub(super) const TAG: &str = "What is there";

/// The most that any of these routes fails with.
const FAILURES: [u16; 6] = [400, 403, 404, 500, 503, 504];

pub(super) fn routes() -> Vec<Route> {
    let measurements =
        route(HttpMethod::Get, "/api/v1/measurements", TAG, "measurements", "The measurements of a namespace")
            .namespace()
            .answers(200, json_response("The measurements, by name.", "Measurements"))
            .fails(&FAILURES);
    let chunks = route(HttpMethod::Get, "/api/v1/chunks", TAG, "chunks", "The chunks of a measurement and their life")
        .namespace()
        .query("measurement", text(), "The measurement; all by default.")
        .query("from", date_time(), "Only chunks that end after this time.")
        .query("to", date_time(), "Only chunks that begin before this time.")
        .answers(200, json_response("The chunks, by time.", "Chunks"))
        .fails(&FAILURES);
    let stats = route(HttpMethod::Get, "/api/v1/stats", TAG, "stats", "What the services are doing")
        .describe(
            "Ingestion by protocol, acknowledgement latency, spool, rejects by reason, questions, blocks. A separate \
             `serve` reads what `ingest` publishes in the database once a second.",
        )
        .namespace()
        .answers(
            200,
            response("Figures by name.").content(Format::Json.media_type(), Content::new(Some(ObjectBuilder::new()))),
        )
        .fails(&[403, 500, 503]);
    vec![measurements.build(), series(), chunks.build(), dead_letters(), stats.build(), reports(), report()]
}

fn reports() -> Route {
    let example = json!({"reports": [{
        "name": "queries-20261127T051233Z", "benchmark": "queries", "date": "2026-11-27T05:12:33Z", "bytes": 184_322,
        "figures": 268, "chunkwise": "0.1.0", "revision": "", "build": "release", "cpu": "AMD EPYC 7763", "cores": 2
    }]});
    let answer =
        response("The reports, newest first.").content(Format::Json.media_type(), content(named("Reports"), example));
    route(HttpMethod::Get, "/api/v1/reports", TAG, "reports", "The benchmark reports that this machine has kept")
        .describe("Every `chunkwise bench` keeps its report in the data folder. The newest 200 are listed.")
        .namespace()
        .answers(200, answer)
        .fails(&[400, 403, 500])
        .build()
}

fn report() -> Route {
    let answer = response(
        "The report, as `chunkwise bench ... --json` writes it; with `against`, what `bench compare --json` writes.",
    )
    .content(Format::Json.media_type(), Content::new(Some(named("Report"))));
    route(HttpMethod::Get, "/api/v1/reports/{name}", TAG, "report", "One benchmark report")
        .namespace()
        .path("name", text(), "Its name.")
        .query(
            "against",
            text(),
            "The name of another report: what has changed from the first to this one, figure by figure.",
        )
        .answers(200, answer)
        .fails(&[400, 403, 404, 500])
        .build()
}

fn dead_letters() -> Route {
    let example = json!({
        "rows": [{"id": 1, "time": "2024-05-01T12:00:00Z", "measurement": "ticks", "source": "line_protocol_http",
                  "reason": "the row breaks the table's check \"positive\" (SQLSTATE 23514)",
                  "line": "ticks,symbol=AAPL price=-1.0 1714564800000000"}],
        "next": null
    });
    let answer = response("A page of dead letters, in the order in which they were refused.")
        .content(Format::Json.media_type(), content(named("DeadLetters"), example));
    route(HttpMethod::Get, "/api/v1/dead_letters", TAG, "dead_letters", "Rows that the database refused")
        .describe(
            "Rows that break what somebody has added to a storage table: a check, a unique index, a trigger. The other \
             rows of their requests are written. `line` is the row in line protocol: mended, it can be sent again to \
             `/write?precision=us`. The newest are kept: 30 days, at most a million rows and about a GiB.",
        )
        .namespace()
        .query("measurement", text(), "The measurement; all by default.")
        .query("after", integer(), "The `next` of the page before.")
        .query("limit", integer().minimum(Some(1)), "The most rows of a page.")
        .answers(200, answer)
        .fails(&FAILURES)
        .build()
}

fn series() -> Route {
    let example = json!({
        "series": [{"series_id": 1, "tags": {"symbol": "AAPL"},
                    "first": "2020-01-02T00:00:00Z", "last": "2022-12-28T00:00:00Z"}],
        "next": 1, "total": 503
    });
    let holds = "`series_id, <tags>, first, last`";
    let answer = response("A page of series, ascending by id.")
        .content(Format::Json.media_type(), content(named("SeriesListing"), example))
        .content(Format::Arrow.media_type(), bytes(Format::Arrow, holds))
        .content(Format::Csv.media_type(), bytes(Format::Csv, holds));
    route(HttpMethod::Get, "/api/v1/series", TAG, "series", "The series of a measurement")
        .describe("Tags select as in questions: `tag.symbol=MSFT&tag.symbol=XOM`.")
        .namespace()
        .required_query("measurement", text(), "The measurement.")
        .query("search", text(), "Matches the start of any word in any tag.")
        .query("after", integer(), "The `next` of the page before.")
        .query("limit", integer().minimum(Some(1)), "The most series of a page.")
        .query("format", word(&["json", "arrow", "csv"]), "The format; wins over `Accept`.")
        .answers(200, with_header(answer, "Chunkwise-Series-Version", "Equal values mean equal series in equal order."))
        .fails(&FAILURES)
        .fails(&[406])
        .build()
}
