//! Questions from a shell, answered by the same code as REST's.

use chunkwise::{
    config::Config,
    http::error::ApiError,
    query::{AsofAnswer, CorrelateAnswer, QueryError, Questions, WindowAnswer},
    question::{AsofQuestion, CorrelateQuestion, WindowQuestion},
};

use crate::{database::Place, service};

/// What answers one question.
#[derive(Debug)]
pub(crate) struct Engine {
    questions: Questions,
    /// Held, so that nobody stops the embedded server meanwhile.
    place: Place,
}

impl Engine {
    /// Connects to the database that questions go to.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let place = Place::for_questions(config).await?;
        place.verify().await?;
        let questions = Questions::new(place.database.clone(), service::query_limits(config));
        Ok(Self { questions, place })
    }

    /// Answers a window question.
    pub(crate) async fn window(self, question: &WindowQuestion) -> anyhow::Result<WindowAnswer> {
        let answer = Box::pin(self.questions.window(question)).await.map_err(advised);
        self.leave(answer).await
    }

    /// Answers a correlate question.
    pub(crate) async fn correlate(self, question: &CorrelateQuestion) -> anyhow::Result<CorrelateAnswer> {
        let answer = Box::pin(self.questions.correlate(question)).await.map_err(advised);
        self.leave(answer).await
    }

    /// Joins rows by time.
    pub(crate) async fn asof(self, question: &AsofQuestion) -> anyhow::Result<AsofAnswer> {
        let answer = Box::pin(self.questions.asof(question)).await.map_err(advised);
        self.leave(answer).await
    }

    /// Disconnects as every command does, also where there is no answer.
    async fn leave<T>(self, answer: anyhow::Result<T>) -> anyhow::Result<T> {
        let left = self.place.leave().await;
        let answer = answer?;
        left.map(|()| answer)
    }
}

/// What the asker can mend is told as REST tells it, with its advice; what they cannot, with its causes, which there is no
/// server's log for.
pub(crate) fn advised(error: QueryError) -> anyhow::Error {
    match error {
        QueryError::Busy | QueryError::Timeout { .. } | QueryError::Unavailable(_) | QueryError::Internal(_) => {
            error.into()
        }
        error => ApiError::from(error).into(),
    }
}
