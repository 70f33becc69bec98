//! The question routes: `/api/v1/window`, `/api/v1/correlate` and `/api/v1/asof`.

use axum::{
    body::Bytes,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    error::ApiError,
    question::{Ask, Question},
    state::HttpState,
};
use crate::{
    format::{self, Format, FormatError},
    query::Receipt,
    question::{
        AsofQuestion, BarsQuestion, CorrelateQuestion, Invalid, LagQuestion, MatrixQuestion, RollingQuestion,
        TicksQuestion, WindowQuestion,
    },
};

/// Equal values mean equal series in equal order.
pub(super) const SERIES_VERSION: HeaderName = HeaderName::from_static("chunkwise-series-version");
/// What an answer cost, as JSON.
const RECEIPT: HeaderName = HeaderName::from_static("chunkwise-receipt");

pub(super) async fn window(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<WindowQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let tag = match asked.tag(&state, &question.namespace, &[&question.measurement]).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let Question { format, layout, .. } = asked.question;
    if let Err(error) = format::check_window(!question.also.is_empty(), format, layout) {
        return Err(Invalid::new("also", format!("{error}: ask for layout=long")).into());
    }
    let answer = state.questions.window(question).await?;
    let (receipt, version) = (answer.receipt.clone(), answer.rows.version.clone());
    let bytes = written(move || format::window(&answer, format, layout)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

pub(super) async fn correlate(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<CorrelateQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let tag = match asked.tag(&state, &question.namespace, &[&question.measurement]).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let answer = state.questions.correlate(question).await?;
    let Question { format, question, .. } = asked.question;
    let (receipt, version) = (answer.receipt.clone(), answer.rows.version.clone());
    let bytes = written(move || format::correlate(&answer, question.top, format)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

pub(super) async fn matrix(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<MatrixQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let tag = match asked.tag(&state, &question.namespace, &[&question.measurement]).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let answer = state.questions.matrix(question).await?;
    let Question { format, .. } = asked.question;
    let (receipt, version) = (answer.receipt.clone(), answer.rows.version.clone());
    let bytes = written(move || format::matrix(&answer, format)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

pub(super) async fn rolling(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<RollingQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let tag = match asked.tag(&state, &question.namespace, &[&question.measurement]).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let answer = state.questions.rolling(question).await?;
    let Question { format, .. } = asked.question;
    let (receipt, version) = (answer.receipt.clone(), answer.rows.version.clone());
    let bytes = written(move || format::rolling(&answer, format)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

pub(super) async fn lag(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<LagQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let tag = match asked.tag(&state, &question.namespace, &[&question.measurement]).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let answer = state.questions.lag(question).await?;
    let Question { format, .. } = asked.question;
    let (receipt, version) = (answer.receipt.clone(), answer.rows.version.clone());
    let bytes = written(move || format::lag(&answer, format)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

pub(super) async fn ticks(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<TicksQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let tag = match asked.tag(&state, &question.namespace, &[&question.measurement]).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let answer = state.questions.ticks(question).await?;
    let Question { format, question, .. } = asked.question;
    let (receipt, version) = (answer.receipt.clone(), answer.rows.version.clone());
    let bytes = written(move || format::correlate(&answer, question.top, format)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

pub(super) async fn bars(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<BarsQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let BarsQuestion { namespace, measurement, .. } = question;
    // The newest bars are computed by the views, and what has changed is made anew a moment later.
    let rolled = match asked.in_url {
        true => state.questions.bars_version(namespace, measurement).await?,
        false => String::new(),
    };
    let tag = match asked.tag_with(&state, namespace, &[measurement], &rolled).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let answer = state.questions.bars(question).await?;
    let Question { format, .. } = asked.question;
    let (receipt, version) = (answer.receipt.clone(), answer.rows.version.clone());
    let bytes = written(move || format::bars(&answer, format)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

pub(super) async fn asof(State(state): State<HttpState>, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::<AsofQuestion>::read(request, &state).await?;
    let question = &asked.question.question;
    let measurements = [question.left.measurement.as_str(), question.right.measurement.as_str()];
    let tag = match asked.tag(&state, &question.namespace, &measurements).await? {
        Tag::Unchanged(response) => return Ok(response),
        Tag::Changed(tag) => tag,
    };
    let answer = state.questions.asof(question).await?;
    let format = asked.question.format;
    let (receipt, version) = (answer.receipt.clone(), answer.version.clone());
    let bytes = written(move || format::asof(&answer, format)).await?;
    Ok(respond(bytes, format, &version, Some(&receipt), tag))
}

/// A question, and what its client has already.
struct Asked<Q> {
    question: Question<Q>,
    in_url: bool,
    have: Option<HeaderValue>,
}

/// The `ETag` of an answer; only a question in the URL has one.
enum Tag {
    /// The client has the answer already.
    Unchanged(Response),
    Changed(Option<HeaderValue>),
}

impl<Q: Ask + Serialize> Asked<Q> {
    async fn read(request: Request, state: &HttpState) -> Result<Self, ApiError> {
        use axum::extract::FromRequest;

        let in_url = matches!(*request.method(), Method::GET | Method::HEAD);
        let have = request.headers().get(IF_NONE_MATCH).cloned();
        Ok(Self { question: Question::from_request(request, state).await?, in_url, have })
    }

    async fn tag(&self, state: &HttpState, namespace: &str, measurements: &[&str]) -> Result<Tag, ApiError> {
        self.tag_with(state, namespace, measurements, "").await
    }

    /// `more` is what the answer depends on besides the rows.
    async fn tag_with(
        &self,
        state: &HttpState,
        namespace: &str,
        measurements: &[&str],
        more: &str,
    ) -> Result<Tag, ApiError> {
        if !self.in_url {
            return Ok(Tag::Changed(None));
        }
        let mut data = String::new();
        for measurement in measurements {
            data += &state.questions.data_version(namespace, measurement).await?;
        }
        let Question { question, format, layout } = &self.question;
        let question = serde_json::to_vec(question).map_err(ApiError::internal)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&question).update(format!("\n{format} {layout:?} {data}{more}").as_bytes());
        let tag = format!("\"{}\"", hasher.finalize().to_hex());
        let tag = HeaderValue::try_from(tag).map_err(ApiError::internal)?;
        if self.have.as_ref().is_some_and(|have| matches(have, &tag)) {
            let headers = HeaderMap::from_iter([(ETAG, tag)]);
            return Ok(Tag::Unchanged((StatusCode::NOT_MODIFIED, headers).into_response()));
        }
        Ok(Tag::Changed(Some(tag)))
    }
}

/// Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: the weak comparison).
fn matches(have: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(have), Ok(tag)) = (have.to_str(), tag.to_str()) else { return false };
    have.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// Writes an answer on a thread for such work.
pub(super) async fn written<B: Send + 'static>(
    write: impl FnOnce() -> Result<B, FormatError> + Send + 'static,
) -> Result<B, ApiError> {
    Ok(tokio::task::spawn_blocking(write).await.map_err(ApiError::internal)??)
}

/// An answer's bytes with its headers; the receipt stands in a header where the format has no place for it.
pub(super) fn respond(
    bytes: impl Into<Bytes>,
    format: Format,
    version: &str,
    receipt: Option<&Receipt>,
    tag: Option<HeaderValue>,
) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    if let Ok(version) = HeaderValue::try_from(version) {
        headers.insert(SERIES_VERSION, version);
    }
    let receipt = receipt.filter(|_| format != Format::Json).and_then(|receipt| serde_json::to_string(receipt).ok());
    if let Some(receipt) = receipt.and_then(|receipt| HeaderValue::try_from(receipt).ok()) {
        headers.insert(RECEIPT, receipt);
    }
    if let Some(tag) = tag {
        headers.insert(ETAG, tag);
    }
    (headers, bytes.into()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_and_behind_a_mark_of_weakness() {
        let tag = HeaderValue::from_static("\"abc\"");
        for (have, expected) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("*", true),
            ("\"x\"", false),
            ("abc", false),
            ("", false),
        ] {
            assert_eq!(matches(&HeaderValue::from_static(have), &tag), expected, "{have}");
        }
    }
}
