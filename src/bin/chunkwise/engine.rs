//! Questions from a shell, answered by the same code as REST's.

use anyhow::bail;
use chunkwise::{
    config::Config,
    query::{CorrelateAnswer, WindowAnswer},
    question::{CorrelateQuestion, WindowQuestion},
};

use crate::database::Place;

/// What answers questions.
#[derive(Debug)]
pub(crate) struct Engine {
    place: Place,
}

impl Engine {
    /// Connects to the database that questions go to.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let place = Place::for_questions(config).await?;
        place.verify().await?;
        Ok(Self { place })
    }

    /// Answers a window question.
    pub(crate) async fn window(&self, question: &WindowQuestion) -> anyhow::Result<WindowAnswer> {
        let mut connection = self.place.database.reader().acquire().await?;
        sqlx::query("SELECT 1").execute(&mut *connection).await?;
        bail!("{} cannot be asked: the query service is not part of this build", question.measurement)
    }

    /// Answers a correlate question.
    pub(crate) async fn correlate(&self, question: &CorrelateQuestion) -> anyhow::Result<CorrelateAnswer> {
        let mut connection = self.place.database.reader().acquire().await?;
        sqlx::query("SELECT 1").execute(&mut *connection).await?;
        bail!("{} cannot be asked: the query service is not part of this build", question.measurement)
    }
}

pub(crate) fn router(_: &Place, _: &Config, _: Option<&chunkwise::ingest::Ingest>) -> anyhow::Result<axum::Router> {
    Ok(axum::Router::new())
}
