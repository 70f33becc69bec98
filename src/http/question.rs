//! The extractor of questions: JSON in a POST's body, or in `?q=` of a GET; the same errors for both.

#[cfg(test)]
mod tests;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{Method, StatusCode},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{
    error::{ApiError, near_hint, near_matches},
    negotiate::negotiate,
};
use crate::{
    format::{self, Format, Layout},
    question::{
        AsofQuestion, BarsQuestion, CorrelateQuestion, Invalid, LagQuestion, MatrixQuestion, RollingQuestion,
        TicksQuestion, WindowQuestion,
    },
};

/// A type of question: what the extractor must know of it.
pub trait Ask: DeserializeOwned {
    /// The formats of its answer; the first is the default.
    const FORMATS: &'static [Format];
    /// How Arrow and CSV can be laid out; `?layout=` means something where there is more than one way.
    const LAYOUTS: &'static [Layout] = &[Layout::Long];

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    fn check(&self) -> Result<(), Invalid>;

    /// Checks that this very question can be answered in the format.
    ///
    /// # Errors
    /// What the client must change.
    fn check_format(&self, _format: Format) -> Result<(), ApiError> {
        Ok(())
    }
}

impl Ask for WindowQuestion {
    const FORMATS: &'static [Format] = &Format::ALL;
    const LAYOUTS: &'static [Layout] = &[Layout::Long, Layout::Wide];

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }

    fn check_format(&self, format: Format) -> Result<(), ApiError> {
        /// One array has no place for further aggregates.
        const SEVERAL: &[Format] = &[Format::Json, Format::Npz, Format::Arrow, Format::Csv];
        if self.also.is_empty() || SEVERAL.contains(&format) {
            return Ok(());
        }
        Err(ApiError::NotAcceptable { offered: SEVERAL })
    }
}

impl Ask for CorrelateQuestion {
    const FORMATS: &'static [Format] = &Format::ALL;

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }

    fn check_format(&self, format: Format) -> Result<(), ApiError> {
        Ok(format::check_top(self.top, format)?)
    }
}

impl Ask for MatrixQuestion {
    const FORMATS: &'static [Format] = &Format::ALL;

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }

    fn check_format(&self, format: Format) -> Result<(), ApiError> {
        /// Pairs are no array, and a matrix is no table.
        const PAIRS: &[Format] = &[Format::Json, Format::Arrow, Format::Csv];
        const MATRIX: &[Format] = &[Format::Json, Format::Npy, Format::Npz];
        let offered = if self.top.is_some() { PAIRS } else { MATRIX };
        if offered.contains(&format) { Ok(()) } else { Err(ApiError::NotAcceptable { offered }) }
    }
}

impl Ask for RollingQuestion {
    const FORMATS: &'static [Format] = &[Format::Json, Format::Npy, Format::Npz];

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }
}

impl Ask for LagQuestion {
    const FORMATS: &'static [Format] = &[Format::Json, Format::Npy, Format::Npz];

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }
}

impl Ask for TicksQuestion {
    const FORMATS: &'static [Format] = &Format::ALL;

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }

    fn check_format(&self, format: Format) -> Result<(), ApiError> {
        Ok(format::check_top(self.top, format)?)
    }
}

impl Ask for BarsQuestion {
    const FORMATS: &'static [Format] = &[Format::Json, Format::Arrow, Format::Csv];

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }
}

impl Ask for AsofQuestion {
    const FORMATS: &'static [Format] = &[Format::Json, Format::Arrow, Format::Csv];

    fn check(&self) -> Result<(), Invalid> {
        self.validate()
    }
}

/// A question that is complete and valid, and how to write its answer.
///
/// A POST has it as JSON in the body, whatever its `Content-Type` says, up to the `DefaultBodyLimit` of the route; a GET
/// or HEAD has it URL-encoded in `?q=`. Both take `?format=`, `?namespace=` (for a question that does not name one) and,
/// where the question has layouts, `?layout=`; any other parameter is refused, as unknown fields of the question are.
///
/// Refused with 400 and the path of the field in `details.path`, such as `ranges[2].to`, or with 406 or 413.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<T> {
    /// The question.
    pub question: T,
    /// The format of the answer.
    pub format: Format,
    /// How Arrow and CSV lay it out.
    pub layout: Layout,
}

impl<S: Send + Sync, T: Ask> FromRequest<S> for Question<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let in_url = matches!(*request.method(), Method::GET | Method::HEAD);
        let parameters = Parameters::read(request.uri().query().unwrap_or_default())?;
        let format = negotiate(request.headers(), parameters.format.as_deref(), T::FORMATS)?;
        let layout = match &parameters.layout {
            None => Layout::default(),
            Some(_) if T::LAYOUTS.len() < 2 => return Err(unknown_parameter("layout")),
            Some(name) => name.parse().map_err(|error| invalid_parameter("layout", &error))?,
        };
        let question: T = match (in_url, &parameters.q) {
            (true, Some(q)) => read(q.as_bytes(), parameters.namespace.as_deref())?,
            (true, None) => {
                return Err(ApiError::bad_request(
                    "missing_question",
                    "write the question as URL-encoded JSON in `?q=`",
                ));
            }
            (false, Some(_)) => return Err(unknown_parameter("q")),
            (false, None) => {
                let body = Bytes::from_request(request, state).await.map_err(|rejection| body_error(&rejection))?;
                read(&body, parameters.namespace.as_deref())?
            }
        };
        question.check()?;
        question.check_format(format)?;
        Ok(Self { question, format, layout })
    }
}

/// The parameters of the URL, each at most once.
#[derive(Default)]
struct Parameters {
    q: Option<String>,
    format: Option<String>,
    layout: Option<String>,
    namespace: Option<String>,
}

impl Parameters {
    fn read(query: &str) -> Result<Self, ApiError> {
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                "q" => &mut parameters.q,
                "format" => &mut parameters.format,
                "layout" => &mut parameters.layout,
                "namespace" => &mut parameters.namespace,
                _ => return Err(unknown_parameter(&name)),
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(invalid_parameter(&name, &"is given twice"));
            }
        }
        parameters.namespace = parameters.namespace.filter(|namespace| !namespace.is_empty());
        Ok(parameters)
    }
}

fn unknown_parameter(name: &str) -> ApiError {
    let name = shortened(name);
    ApiError::BadRequest {
        code: "unknown_parameter",
        message: format!("the parameter `{name}` is not known here: the question itself goes into the JSON"),
        details: json!({ "path": name }),
    }
}

fn invalid_parameter(name: &str, reason: &dyn std::fmt::Display) -> ApiError {
    ApiError::BadRequest {
        code: "invalid_parameter",
        message: format!("`?{name}=`: {reason}"),
        details: json!({ "path": name }),
    }
}

fn body_error(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge,
        _ => ApiError::bad_request("unreadable_body", "the body of the request did not arrive whole"),
    }
}

/// Reads a question; `namespace` is that of a question that does not name one.
fn read<T: DeserializeOwned>(text: &[u8], namespace: Option<&str>) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let Some(namespace) = namespace else {
        let question = serde_path_to_error::deserialize(&mut json).map_err(|error| not_read(&error))?;
        json.end().map_err(|error| malformed(&error))?;
        return Ok(question);
    };
    let mut question: Map<String, Value> =
        serde_path_to_error::deserialize(&mut json).map_err(|error| not_read(&error))?;
    json.end().map_err(|error| malformed(&error))?;
    if *question.entry("namespace").or_insert_with(|| namespace.into()) != namespace {
        return Err(Invalid::new("namespace", "differs from `?namespace=`: give one of them").into());
    }
    serde_path_to_error::deserialize(Value::Object(question)).map_err(|error| not_read(&error))
}

fn not_read(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    if !error.inner().is_data() {
        return malformed(error.inner());
    }
    let told = error.inner().to_string();
    // Where in the text is for those who must find a comma; for all else the path says more.
    let position = format!(" at line {} column {}", error.inner().line(), error.inner().column());
    let reason = told.strip_suffix(&position).unwrap_or(&told);
    let mut path = error.path().to_string();
    // The path of a missing field is that of the object that lacks it; serde names the field in its message only.
    if let Some(field) = reason.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        path = if path == "." { field.to_owned() } else { format!("{path}.{field}") };
    }
    Invalid::new(path, shortened(reason) + &hint_of_field(reason)).into()
}

/// `: did you mean `top`?` for `` unknown field `tops`, expected one of `top`, `order` ``.
fn hint_of_field(reason: &str) -> String {
    let Some(rest) = reason.strip_prefix("unknown field `") else { return String::new() };
    let Some((name, known)) = rest.split_once("`, expected ") else { return String::new() };
    near_hint(&near_matches(name, known.split('`').skip(1).step_by(2)))
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::BadRequest {
        code: "malformed_json",
        message: format!("the question is not JSON: {}", shortened(&error.to_string())),
        details: json!({ "line": error.line(), "column": error.column() }),
    }
}

/// Messages quote what the client wrote, which may be long.
fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 400;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}
