//! What is sent back for a frame.

use serde::Serialize;

use crate::ingest::{IngestError, Refused, Written};

/// So many refused lines are named; `refused` counts them all.
const MAX_NAMED: usize = 1_000;

/// What became of a frame; all of its answer but for the credits.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) id: Option<String>,
    pub(super) outcome: Result<Written, FrameError>,
}

/// Why nothing of a frame was written.
#[derive(Debug)]
pub(super) struct FrameError {
    code: &'static str,
    message: String,
    lines: Vec<Refused>,
}

impl FrameError {
    /// Nothing can be made of the frame.
    pub(super) fn invalid(message: String) -> Self {
        Self { code: "invalid", message, lines: Vec::new() }
    }

    pub(super) fn internal() -> Self {
        let message = "the frame failed for a reason that the server's log names".to_owned();
        Self { code: "internal", message, lines: Vec::new() }
    }
}

impl From<IngestError> for FrameError {
    fn from(error: IngestError) -> Self {
        let message = error.to_string();
        let code = match &error {
            IngestError::AllOrNothing(_) | IngestError::Namespace(_) | IngestError::TooManyChunks { .. } => "invalid",
            IngestError::KeyMismatch => "key_mismatch",
            IngestError::TooLarge { .. } => "too_large",
            IngestError::Overloaded | IngestError::Stale => "unavailable",
            IngestError::Unavailable(source) => {
                if let Some(source) = source {
                    tracing::warn!(error = %source, "a frame was sent back: the database is unavailable");
                }
                "unavailable"
            }
            IngestError::Database(source) => {
                tracing::error!(error = %source, "the database refused a frame");
                "internal"
            }
        };
        let lines = match error {
            IngestError::AllOrNothing(lines) => lines,
            _ => Vec::new(),
        };
        // The text speaks of HTTP's header.
        let message = if code == "key_mismatch" {
            "the id was used before with another body: use a new id for new data".to_owned()
        } else {
            message
        };
        Self { code, message, lines }
    }
}

#[derive(Serialize)]
struct Frame<'a> {
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<Line<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<u64>,
    /// How many of them are kept as dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_lettered: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
    credits: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    line: u32,
    column: u32,
    reason: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'static str,
    message: &'a str,
}

impl Answer {
    /// The answer as JSON.
    pub(super) fn to_json(&self, credits: usize) -> String {
        let counted = |lines: u64| (lines > 0).then_some(lines);
        let id = self.id.as_deref();
        let frame = match &self.outcome {
            Ok(Written { ack, written, refused, refused_total, dead_lettered, duplicate }) => Frame {
                id,
                ack: Some(ack.label()),
                written: Some(*written),
                lines: Some(lines(refused)),
                refused: counted(*refused_total),
                dead_lettered: counted(*dead_lettered),
                duplicate: *duplicate,
                error: None,
                credits,
            },
            Err(FrameError { code, message, lines: refused }) => Frame {
                id,
                ack: None,
                written: None,
                lines: (!refused.is_empty()).then(|| lines(refused)),
                refused: counted(refused.len() as u64),
                dead_lettered: None,
                duplicate: false,
                error: Some(Error { code, message }),
                credits,
            },
        };
        // Numbers and texts always become JSON.
        serde_json::to_string(&frame).unwrap_or_default()
    }
}

fn lines(refused: &[Refused]) -> Vec<Line<'_>> {
    refused
        .iter()
        .take(MAX_NAMED)
        .map(|refused| Line { line: refused.line, column: refused.column, reason: &refused.reason })
        .collect()
}
