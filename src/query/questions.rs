//! The questions that can be asked.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hashbrown::HashMap;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    CorrelateAnswer, KindTallies, QueryError, Receipt, Tally, WindowAnswer,
    asked::AskedLast,
    correlate::correlated,
    latest::KeptAnswers,
    reading::{Asked, Found, Gathered, Otherwise, Selection},
    values::Values,
};
use crate::{
    block::{Blocks, Making},
    correlation::Stop,
    db::Database,
    question::{CorrelateQuestion, Method, Shared, Timestamp, WindowQuestion},
};

/// So many of the reader's connections are left to everything that is no question.
const SPARED_CONNECTIONS: usize = 2;

/// How much a question may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Memory; a question may set itself a lower limit.
    pub bytes: u64,
    /// Time, waiting included.
    pub time: Duration,
    /// So many questions wait; one more is told at once that the server is busy.
    pub waiting: usize,
    /// How long a question waits for others before it is told that the server is busy.
    pub queue: Duration,
    /// Connections that read for one question at the same time.
    pub connections: usize,
    /// So much must there be to read for each of them; with less, another connection costs more than it saves.
    pub bytes_a_connection: u64,
}

impl Default for QueryLimits {
    /// 4 GiB, a minute, of which 10 seconds waiting, as 1 of 256, a connection for each core but at most 4, and about 100,000
    /// rows for each of them.
    fn default() -> Self {
        Self {
            bytes: 4 << 30,
            time: Duration::from_secs(60),
            waiting: 256,
            queue: Duration::from_secs(10),
            connections: std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4),
            bytes_a_connection: 4 << 20,
        }
    }
}

/// Answers questions.
#[derive(Debug)]
pub struct Questions {
    pub(super) database: Database,
    pub(super) limits: QueryLimits,
    /// What correlations keep; `None` where they keep nothing.
    pub(super) blocks: Option<Arc<Blocks>>,
    /// A permit for each connection that questions may have; the one that a question begins with it holds until it is computed.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// What is made ready after the next start.
    pub(super) asked: AskedLast,
    windows: Tally,
    correlations: Tally,
    bars: Tally,
    pub(super) asofs: Tally,
    pub(super) kinds: KindTallies,
    pub(super) latests: KeptAnswers,
}

impl Questions {
    /// Questions on the reader's connections of `database`.
    #[must_use]
    pub fn new(database: Database, limits: QueryLimits) -> Self {
        let connections = usize::try_from(database.reader_connections()).unwrap_or(usize::MAX);
        let permits = connections.saturating_sub(SPARED_CONNECTIONS).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            database,
            limits,
            blocks: None,
            turns: Arc::new(Semaphore::new(permits)),
            waiting: AtomicUsize::new(0),
            asked: AskedLast::default(),
            windows: Tally::of("window"),
            correlations: Tally::of("correlate"),
            bars: Tally::of("bars"),
            asofs: Tally::of("asof"),
            kinds: KindTallies::new(),
            latests: KeptAnswers::default(),
        }
    }

    /// The same with blocks for correlations.
    #[must_use]
    pub fn with_blocks(self, blocks: Arc<Blocks>) -> Self {
        Self { blocks: Some(blocks), ..self }
    }

    /// The database that is asked.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// How many panels blocks have of each chunk, by its number.
    #[must_use]
    pub fn panels_by_chunk(&self) -> HashMap<i64, u64> {
        self.blocks.as_ref().map(|blocks| blocks.panels_by_chunk()).unwrap_or_default()
    }

    /// How many window questions there were and how long they took.
    #[must_use]
    pub fn windows(&self) -> &Tally {
        &self.windows
    }

    /// How many correlate questions there were and how long they took.
    #[must_use]
    pub fn correlations(&self) -> &Tally {
        &self.correlations
    }

    /// How many questions for bars there were and how long they took.
    #[must_use]
    pub fn bar_questions(&self) -> &Tally {
        &self.bars
    }

    /// How many joins by time there were and how long they took.
    #[must_use]
    pub fn asofs(&self) -> &Tally {
        &self.asofs
    }

    /// How many questions of the other kinds of correlation there were and how long they took.
    #[must_use]
    pub fn kinds(&self) -> &KindTallies {
        &self.kinds
    }

    /// The values of some series over one range: a row for every series that the selector matches.
    ///
    /// Dropped before it is finished, it stops what the server does for it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn window(&self, question: &WindowQuestion) -> Result<WindowAnswer, QueryError> {
        question.validate()?;
        let selection = Selection::Some(&question.series);
        let mut asked = self.of_rows(question.shared(), [question.from, question.to], selection);
        asked.also.clone_from(&question.also);
        let answer = async {
            let gathered = self.gather(&asked).await?;
            let also = question.also.clone();
            blocking(move || {
                let Gathered { found, values, turn: _turn } = gathered;
                let Found { rows, as_of_us, mut receipt, .. } = found;
                let (frame, values) = values.align_all(&mut receipt).ok_or_else(no_frame)?;
                let also = also.into_iter().zip(values).collect();
                Ok(WindowAnswer { rows, frame, also, as_of_us, receipt })
            })
            .await?
        };
        self.in_time(answer, &self.windows, |answer| &answer.receipt).await
    }

    /// One series against many over several ranges.
    ///
    /// Dropped before it is finished, it stops what the server does for it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn correlate(&self, question: &CorrelateQuestion) -> Result<CorrelateAnswer, QueryError> {
        question.validate()?;
        let asked = self.about_many(question, Otherwise::Rows);
        let answer = async {
            let gathered = self.gather(&asked).await?;
            if matches!(gathered.values, Values::Panels(_)) {
                self.asked.note_correlation(question);
            }
            let question = question.clone();
            blocking(move || correlated(gathered, &question)).await?
        };
        self.in_time(answer, &self.correlations, |answer| &answer.receipt).await
    }

    /// Makes the panels that a correlation would be answered from, and no answer.
    pub(super) async fn make_panels(&self, question: &CorrelateQuestion) -> Result<(), QueryError> {
        question.validate()?;
        let asked = self.about_many(question, Otherwise::Nothing);
        let limit = self.limits.time;
        let gathered = tokio::time::timeout(limit, self.gather(&asked)).await;
        gathered.map_err(|_| QueryError::Timeout { limit })?.map(drop)
    }

    /// A question about one range of which a frame is made.
    pub(super) fn of_rows<'q>(&'q self, shared: Shared, range: [Timestamp; 2], selection: Selection<'q>) -> Asked<'q> {
        Asked::of_rows(shared, range, selection, self.blocks.as_ref())
    }

    fn about_many<'q>(&'q self, question: &'q CorrelateQuestion, otherwise: Otherwise) -> Asked<'q> {
        Asked {
            shared: question.shared(),
            ranges: question.ranges.clone(),
            also: Vec::new(),
            blocks: self.blocks.as_ref(),
            // Other methods take values as they are, in float64.
            making: if question.method == Method::Pearson { Making::All } else { Making::Nothing },
            selection: Selection::OneAgainst { target: &question.target, against: &question.against },
            most_series: usize::MAX,
            otherwise,
            besides: None,
        }
    }

    pub(super) async fn in_time<A>(
        &self,
        answer: impl Future<Output = Result<A, QueryError>>,
        tally: &Tally,
        receipt: impl Fn(&A) -> &Receipt,
    ) -> Result<A, QueryError> {
        let limit = self.limits.time;
        let began = Instant::now();
        let unless_dropped = tally.unless_dropped();
        let answer = match tokio::time::timeout(limit, answer).await {
            Ok(Err(QueryError::Timeout { .. })) | Err(_) => Err(QueryError::Timeout { limit }),
            Ok(answer) => answer,
        };
        unless_dropped.end();
        match &answer {
            Ok(answer) => tally.answered(began.elapsed(), receipt(answer).rows_read),
            Err(_) => tally.failed(),
        }
        answer
    }

    /// Waits for a connection's turn.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, QueryError> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Counted::of(&self.waiting, "chunkwise_questions_waiting");
        if waiting.others >= self.limits.waiting {
            return Err(QueryError::Busy);
        }
        match tokio::time::timeout(self.limits.queue, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(closed)) => Err(QueryError::Internal(Box::new(closed))),
            Err(_) => Err(QueryError::Busy),
        }
    }

    /// Turns for up to `wanted` more connections, as many as are free now.
    pub(super) fn more_turns(&self, wanted: usize) -> Vec<OwnedSemaphorePermit> {
        (0..wanted).map_while(|_| Arc::clone(&self.turns).try_acquire_owned().ok()).collect()
    }
}

/// A frame was wanted, and there are correlations' own values.
pub(super) fn no_frame() -> QueryError {
    QueryError::Internal("a question that wants a frame was answered without one".into())
}

/// Runs what takes a processor for long where nothing waits for it. Dropped before it is finished, it gives the work the
/// sign to stop.
pub(super) async fn blocking<A: Send + 'static>(work: impl FnOnce() -> A + Send + 'static) -> Result<A, QueryError> {
    static COMPUTING: AtomicUsize = AtomicUsize::new(0);
    let stop = Stop::default();
    let _gone = stop.when_dropped();
    let work = move || {
        let _computing = Counted::of(&COMPUTING, "chunkwise_questions_computing");
        (!stop.is_given()).then(|| stop.during(work))
    };
    let worked = tokio::task::spawn_blocking(work).await.map_err(|error| QueryError::Internal(Box::new(error)))?;
    worked.ok_or_else(|| QueryError::Internal("nobody waits for the answer".into()))
}

/// Counts one more as long as it lives, also in a gauge.
struct Counted<'a> {
    number: &'a AtomicUsize,
    gauge: &'static str,
    /// Those that were there before.
    others: usize,
}

impl<'a> Counted<'a> {
    fn of(number: &'a AtomicUsize, gauge: &'static str) -> Self {
        metrics::gauge!(gauge).increment(1);
        Self { number, gauge, others: number.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        metrics::gauge!(self.gauge).decrement(1);
        self.number.fetch_sub(1, Ordering::Relaxed);
    }
}
