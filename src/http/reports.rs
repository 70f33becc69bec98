//! `/api/v1/reports`: the benchmark reports that this machine has kept, one of them as it was written, or beside another.
//!
//! They are files of a folder. A name from outside is only ever compared with the one form that names have, so it cannot
//! lead out of the folder; and whatever else is in there (other names, folders, links, what is no report, what is too
//! long) is passed over.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Path as PathPart, RawQuery, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{error::ApiError, parameters::Parameters, state::HttpState};
use crate::{format::Format, question::Invalid};

/// Compares two reports, each with its name, as JSON; the error is for whoever asks. Benchmarks are no part of the service, so
/// whoever builds it says how.
pub type CompareReports = fn((&str, &[u8]), (&str, &[u8])) -> Result<Value, String>;

/// Where reports are kept, and how two of them are compared.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) folder: Arc<PathBuf>,
    pub(super) compare: CompareReports,
}

/// Longer files are passed over. A report of all benchmarks at the largest size has a few megabytes.
const MAX_BYTES: u64 = 16 << 20;
/// Of more reports than these, the newest are listed; others can be had by name.
const MAX_LISTED: usize = 200;
/// What names of files end with, besides the report's own.
const ENDING: &str = ".json";

/// A report as it is listed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Listed {
    name: String,
    benchmark: String,
    date: String,
    bytes: u64,
    figures: usize,
    chunkwise: String,
    revision: String,
    build: String,
    cpu: String,
    cores: u64,
}

/// What is read of a report to list it.
#[derive(Debug, Deserialize)]
struct Head {
    environment: Environment,
    metrics: Vec<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Environment {
    date: String,
    chunkwise: String,
    #[serde(default)]
    revision: String,
    build: String,
    cpu: String,
    cores: u64,
}

/// Newest first.
pub(super) async fn reports(
    State(state): State<HttpState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    // As everywhere; reports are of no namespace.
    parameters.namespace()?;
    parameters.finish()?;
    let Some(kept) = state.reports else { return Ok(Json(json!({ "reports": [] }))) };
    let listed = tokio::task::spawn_blocking(move || list(&kept.folder)).await.map_err(ApiError::internal)?;
    Ok(Json(json!({ "reports": listed.map_err(ApiError::internal)? })))
}

/// The file's own bytes; or, with `?against=`, what has changed from it to another.
pub(super) async fn report(
    State(state): State<HttpState>,
    PathPart(name): PathPart<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut parameters = Parameters::read(query.as_deref());
    parameters.namespace()?;
    let against = parameters.take("against")?;
    parameters.finish()?;
    let Some(kept) = state.reports else { return Err(ApiError::UnknownReport { name }) };
    let answered = tokio::task::spawn_blocking(move || answer(&kept, name, against));
    answered.await.map_err(ApiError::internal)?
}

fn answer(kept: &Kept, name: String, against: Option<String>) -> Result<Response, ApiError> {
    let named = |name: String| match benchmark_of(&name).and_then(|_| read(&file_of(&kept.folder, &name))) {
        Some((bytes, _)) => Ok((name, bytes)),
        None => Err(ApiError::UnknownReport { name }),
    };
    let (name, bytes) = named(name)?;
    let Some(against) = against else {
        return Ok(([(CONTENT_TYPE, Format::Json.media_type())], bytes).into_response());
    };
    let (other, others) = named(against)?;
    let compared = (kept.compare)((&name, &bytes), (&other, &others));
    Ok(Json(compared.map_err(|error| Invalid::new("against", error))?).into_response())
}

fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // The first benchmark makes it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = entries.filter_map(|entry| {
        let file = entry.ok()?.file_name();
        let name = file.to_str()?.strip_suffix(ENDING)?;
        benchmark_of(name).map(|benchmark| (name.to_owned(), benchmark.to_owned()))
    });
    let mut names: Vec<(String, String)> = names.collect();
    // By time, which is written so that it sorts; those of one second by name.
    names.sort_by(|a, b| time_of(&b.0).cmp(time_of(&a.0)).then_with(|| b.0.cmp(&a.0)));
    let listed = names.into_iter().filter_map(|(name, benchmark)| {
        let (bytes, head) = read(&file_of(folder, &name))?;
        let Environment { date, chunkwise, revision, build, cpu, cores } = head.environment;
        let (bytes, figures) = (bytes.len() as u64, head.metrics.len());
        Some(Listed { name, benchmark, date, bytes, figures, chunkwise, revision, build, cpu, cores })
    });
    Ok(listed.take(MAX_LISTED).collect())
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{ENDING}"))
}

/// The benchmark that a report's name begins with, `queries-20261127T051233Z` or, of several in one second,
/// `queries-20261127T051233Z-2`; `None` for what is no such name.
fn benchmark_of(name: &str) -> Option<&str> {
    let (benchmark, rest) = name.split_once('-')?;
    let (time, number) = rest.split_once('-').unwrap_or((rest, "2"));
    let is_number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (day, second) = time.strip_suffix('Z')?.split_once('T')?;
    let is_word = (1..=40).contains(&benchmark.len()) && benchmark.bytes().all(|byte| byte.is_ascii_lowercase());
    (is_word && is_number(day, 8..=8) && is_number(second, 6..=6) && is_number(number, 1..=4)).then_some(benchmark)
}

fn time_of(name: &str) -> &str {
    name.split_once('-').map_or("", |(_, time)| time)
}

/// A report's bytes, and what they say of it; `None` for what is none, or cannot be read.
fn read(file: &Path) -> Option<(Vec<u8>, Head)> {
    // Not what a link points to, and nothing that would wait for a writer.
    let found = fs::symlink_metadata(file).ok()?;
    if !found.is_file() || found.len() > MAX_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
    let head = serde_json::from_slice(&bytes).ok().filter(|_| bytes.len() as u64 <= MAX_BYTES)?;
    Some((bytes, head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(date: &str) -> Vec<u8> {
        let environment = json!({ "date": date, "chunkwise": "0.1.0", "build": "debug", "cpu": "a", "cores": 2 });
        let metric = json!({ "name": "rate", "value": 1.5, "unit": "rows/s", "better": "higher", "samples": [1.5] });
        serde_json::to_vec(&json!({ "environment": environment, "metrics": [metric] })).unwrap()
    }

    #[test]
    fn names_have_one_form_and_nothing_else_is_a_file() {
        assert_eq!(benchmark_of("queries-20261127T051233Z"), Some("queries"));
        assert_eq!(benchmark_of("all-20261127T051233Z-12"), Some("all"));
        for name in [
            "",
            "queries",
            "../queries-20261127T051233Z",
            "queries-20261127T051233Z/../../secret",
            "/etc/passwd-20261127T051233Z",
            "queries-20261127T051233Z-",
            "queries-20261127T051233Z-x",
            "queries-20261127T051233Z.json",
            "Queries-20261127T051233Z",
            "queries-2026112T051233Z",
            "queries-20261127T051233",
            "queries-20261127T05123\u{0}Z",
            "-20261127T051233Z",
        ] {
            assert_eq!(benchmark_of(name), None, "{name}");
        }
    }

    #[test]
    fn the_newest_come_first_and_what_is_no_report_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        put("queries-20261127T051233Z.json", &stored("2026-11-27T05:12:33Z"));
        put("ingest-20261127T061233Z.json", &stored("2026-11-27T06:12:33Z"));
        put("storage-20251127T061233Z.json", &stored("2025-11-27T06:12:33Z"));
        put("storage-20261127T071233Z.json", b"{\"environment\": {}");
        put("window-20261127T071233Z.json", b"[]");
        put(".ingest-20261127T061233Z.json.17", b"half");
        put("notes.txt", b"");
        fs::create_dir(folder.path().join("all-20261127T071233Z.json")).unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, stored("2027-01-01T00:00:00Z")).unwrap();
        std::os::unix::fs::symlink(&outside, folder.path().join("all-20270101T000000Z.json")).unwrap();
        let long = File::create(folder.path().join("all-20270102T000000Z.json")).unwrap();
        long.set_len(MAX_BYTES + 1).unwrap();

        let listed = list(folder.path()).unwrap();
        let names: Vec<&str> = listed.iter().map(|report| report.name.as_str()).collect();
        assert_eq!(names, ["ingest-20261127T061233Z", "queries-20261127T051233Z", "storage-20251127T061233Z"]);
        assert_eq!((listed[1].benchmark.as_str(), listed[1].figures, listed[1].cores), ("queries", 1, 2));
        assert_eq!(list(&folder.path().join("none")).unwrap(), []);
    }
}
