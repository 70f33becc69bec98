//! What is there: `/api/v1/measurements`, `/series`, `/chunks`, `/dead_letters`, `/stats`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{respond, written},
    error::ApiError,
    negotiate::negotiate,
    parameters::Parameters,
    state::HttpState,
};
use crate::{
    format::{self, Format},
    hypertable::ChunkEvent,
    query::{DeadLetterRequest, LatestAnswer, MeasurementOverview},
    question::{Invalid, Timestamp},
    series::{MAX_PAGE, PageRequest},
};

const DEFAULT_PAGE: u32 = 100;

pub(super) async fn measurements(
    State(state): State<HttpState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    let namespace = parameters.namespace()?;
    parameters.finish()?;
    let measurements: Vec<Value> = state.questions.measurements(&namespace).await?.iter().map(shown).collect();
    Ok(Json(json!({ "measurements": measurements })))
}

fn shown(measurement: &MeasurementOverview) -> Value {
    let fields: Vec<Value> =
        measurement.fields.iter().map(|field| json!({ "name": field.name, "type": field.kind })).collect();
    json!({
        "name": measurement.name,
        "fields": fields,
        "tags": measurement.tags,
        "series": measurement.series,
        "rows": measurement.rows,
        "bytes": measurement.bytes,
        "from": measurement.from_us.map(Timestamp::display_us),
        "to": measurement.to_us.map(Timestamp::display_us),
        "chunk_interval": measurement.chunk_interval,
        "space_partitions": measurement.space_partitions,
        "retention": measurement.retention,
        "seal_after": measurement.seal_after,
        "on_duplicate": measurement.on_duplicate,
    })
}

pub(super) async fn series(
    State(state): State<HttpState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    const FORMATS: &[Format] = &[Format::Json, Format::Arrow, Format::Csv];
    let mut parameters = Parameters::read(query.as_deref());
    let format = negotiate(&headers, parameters.take("format")?.as_deref(), FORMATS)?;
    let namespace = parameters.namespace()?;
    let measurement = parameters.required("measurement")?;
    let search = parameters.take("search")?;
    let after = parameters.integer("after")?;
    let limit = page_size(&mut parameters)?;
    let selector = parameters.selector()?;
    parameters.finish()?;

    let request = PageRequest { search, selector, after, limit };
    let (page, version) = state.questions.series(&namespace, &measurement, &request).await?;
    let bytes = written(move || format::series_list(&page, format)).await?;
    Ok(respond(bytes, format, &version, None, None))
}

pub(super) async fn latest(
    State(state): State<HttpState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    const FORMATS: &[Format] = &[Format::Json, Format::Arrow, Format::Csv];
    let mut parameters = Parameters::read(query.as_deref());
    let format = negotiate(&headers, parameters.take("format")?.as_deref(), FORMATS)?;
    let namespace = parameters.namespace()?;
    let measurement = parameters.required("measurement")?;
    let field = parameters.required("field")?;
    parameters.finish()?;
    let answer = state.questions.latest(&namespace, &measurement, &field).await?;
    let version = answer.rows.version.clone();
    let bytes = written(move || answer.written(format.content_type(), |answer| format::latest(answer, format))).await?;
    Ok(respond(bytes, format, &version, None, None))
}

/// Writes last values as they are mostly asked for, so that whoever asks first does not wait for that.
pub fn prepare_latest(answer: &LatestAnswer) {
    let written = answer.written(Format::Json.content_type(), |answer| format::latest(answer, Format::Json));
    if let Err(error) = written {
        tracing::debug!(error = %error, "last values are not written ahead");
    }
}

fn page_size(parameters: &mut Parameters) -> Result<u32, ApiError> {
    let Some(limit) = parameters.integer("limit")? else { return Ok(DEFAULT_PAGE) };
    let limit = u32::try_from(limit).ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| Invalid::new("limit", format!("must be from 1 to {MAX_PAGE}")).into())
}

pub(super) async fn dead_letters(
    State(state): State<HttpState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    let namespace = parameters.namespace()?;
    let request = DeadLetterRequest {
        measurement: parameters.take("measurement")?,
        after: parameters.integer("after")?,
        limit: page_size(&mut parameters)?,
    };
    parameters.finish()?;
    let page = state.questions.dead_letters(&namespace, &request).await?;
    let rows: Vec<Value> = page
        .rows
        .iter()
        .map(|letter| {
            json!({
                "id": letter.id,
                "time": Timestamp::display_us(letter.noted_us),
                "measurement": letter.measurement,
                "source": letter.source,
                "reason": letter.reason,
                "line": letter.line,
            })
        })
        .collect();
    Ok(Json(json!({ "rows": rows, "next": page.next })))
}

pub(super) async fn chunks(State(state): State<HttpState>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    let namespace = parameters.namespace()?;
    let measurement = parameters.take("measurement")?;
    let (from, to) = (parameters.time("from")?, parameters.time("to")?);
    parameters.finish()?;
    let chunks = state.questions.chunks(&namespace, measurement.as_deref(), from, to).await?;
    let panels = state.questions.panels_by_chunk();
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|(measurement, detail)| {
            json!({
                "measurement": measurement,
                "name": detail.name,
                "from": Timestamp::display_us(detail.chunk.from_us),
                "to": Timestamp::display_us(detail.chunk.to_us),
                "state": detail.state(),
                "partition": detail.partition.map(|partition| json!({ "number": partition.number, "of": partition.of })),
                "compressed": detail.compressed,
                "rows": detail.rows,
                "bytes": detail.bytes,
                "index_bytes": detail.index_bytes,
                "blocks": panels.get(&detail.chunk.id).copied().unwrap_or(0),
                "events": detail.events.iter().map(shown_event).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(Json(json!({ "chunks": chunks })))
}

fn shown_event(event: &ChunkEvent) -> Value {
    json!({
        "event": event.event,
        "began": Timestamp::display_us(event.began_us),
        "took_ms": event.took_us as f64 / 1e3,
        "bytes_before": event.bytes_before,
        "bytes_after": event.bytes_after,
        "note": event.note,
    })
}

pub(super) async fn stats(State(state): State<HttpState>) -> Json<Value> {
    let questions = &state.questions;
    let mut shown = Map::new();
    shown.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    shown.insert("uptime_s".to_owned(), state.started.elapsed().as_secs().into());
    shown.insert(
        "questions".to_owned(),
        json!({
            "window": questions.windows().show(),
            "correlate": questions.correlations().show(),
            "bars": questions.bar_questions().show(),
            "asof": questions.asofs().show(),
            "matrix": questions.kinds().matrix.show(),
            "rolling": questions.kinds().rolling.show(),
            "lag": questions.kinds().lag.show(),
            "ticks": questions.kinds().ticks.show(),
        }),
    );
    for (name, figures) in Arc::clone(&state.figures).iter() {
        shown.insert((*name).to_owned(), figures.figures());
    }
    Json(Value::Object(shown))
}
