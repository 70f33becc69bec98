//! Questions from a shell, answered by the same code as REST's.

use chunkwise::{
    config::Config,
    query::{CorrelateAnswer, Questions, WindowAnswer},
    question::{CorrelateQuestion, WindowQuestion},
};

use crate::{database::Place, service};

/// What answers questions.
#[derive(Debug)]
pub(crate) struct Engine {
    questions: Questions,
}

impl Engine {
    /// Connects to the database that questions go to.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let place = Place::for_questions(config).await?;
        place.verify().await?;
        Ok(Self { questions: Questions::new(place.database.clone(), service::query_limits(config)) })
    }

    /// Answers a window question.
    pub(crate) async fn window(&self, question: &WindowQuestion) -> anyhow::Result<WindowAnswer> {
        Ok(self.questions.window(question).await?)
    }

    /// Answers a correlate question.
    pub(crate) async fn correlate(&self, question: &CorrelateQuestion) -> anyhow::Result<CorrelateAnswer> {
        Ok(self.questions.correlate(question).await?)
    }
}
