//! What the routes work with.

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;

use super::reports::{CompareReports, Kept};
use crate::query::Questions;

/// Figures of a part of the process that the question routes know nothing of, such as ingestion, for `/api/v1/stats`.
pub trait Figures: Send + Sync {
    /// The figures now: any JSON. Called for each request, so it should only look at counters.
    fn figures(&self) -> Value;

    /// What `/ready` says of the part, besides whether the process is ready: a check as `/health` has them.
    fn check(&self) -> Option<Value> {
        None
    }
}

/// What the routes work with. Cheap to clone.
#[derive(Clone)]
pub struct HttpState {
    pub(super) questions: Arc<Questions>,
    pub(super) prometheus: Option<PrometheusHandle>,
    pub(super) figures: Arc<[(&'static str, Arc<dyn Figures>)]>,
    pub(super) started: Instant,
    pub(super) reports: Option<Kept>,
}

impl HttpState {
    /// Routes that ask `questions`. `prometheus` renders `/metrics`; `figures` are shown in `/api/v1/stats`, each under its
    /// name.
    #[must_use]
    pub fn new(
        questions: Arc<Questions>,
        prometheus: Option<PrometheusHandle>,
        figures: Vec<(&'static str, Arc<dyn Figures>)>,
    ) -> Self {
        Self { questions, prometheus, figures: figures.into(), started: Instant::now(), reports: None }
    }

    /// With the benchmark reports of a folder, which need not be there yet; without, there are none.
    #[must_use]
    pub fn with_reports(self, folder: PathBuf, compare: CompareReports) -> Self {
        Self { reports: Some(Kept { folder: Arc::new(folder), compare }), ..self }
    }
}

impl fmt::Debug for HttpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: Vec<_> = self.figures.iter().map(|(name, _)| name).collect();
        f.debug_struct("HttpState")
            .field("questions", &self.questions)
            .field("figures", &figures)
            .finish_non_exhaustive()
    }
}
