//! One request at a time, each until it is settled.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::Feeding;
use crate::feed::{
    journal::{JournalError, Note},
    send::{Answer, Connection},
};

/// Waits between attempts, growing: a server that comes back finds no crowd, and is not kept waiting either.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) feeding: Arc<Feeding>,
    pub(super) source: u32,
    pub(super) connection: Connection,
    /// The last body's memory.
    pub(super) body: Vec<u8>,
}

impl Lane {
    pub(super) async fn run(mut self) -> Result<(), JournalError> {
        let feeding = Arc::clone(&self.feeding);
        while !feeding.stop.is_cancelled()
            && let Some((positions, due)) = feeding.next(self.source)
        {
            let id = feeding.plan.header.request_id(self.source, positions.start);
            // Made before it is due: on a schedule only the sending counts.
            self.body.clear();
            let rows = feeding.rows.write(self.source, positions.clone(), &id.to_string(), &mut self.body);
            if rows == 0 {
                continue;
            }
            if let Some(due) = due
                && feeding.stop.run_until_cancelled(tokio::time::sleep_until(due)).await.is_none()
            {
                break;
            }
            if let Some(journal) = &feeding.journal {
                journal.sending(id, self.source, &positions).await?;
            }
            let now = Instant::now();
            feeding.meter.sending(rows, self.body.len(), due.map(|due| now.saturating_duration_since(due)));
            self.settle(id, &positions, rows, due.unwrap_or(now)).await?;
        }
        self.connection.close().await;
        Ok(())
    }

    /// Sends a request again and again until it is known what became of it, or the feed is over.
    async fn settle(
        &mut self,
        id: Uuid,
        positions: &Range<u64>,
        rows: u64,
        begun: Instant,
    ) -> Result<(), JournalError> {
        let feeding = Arc::clone(&self.feeding);
        let note = |note| feeding.journal.as_ref().map_or(Ok(()), |journal| journal.answered(id, note));
        // The body is lent to the connection and comes back: a copy would cost as much as writing it.
        let body = Bytes::from(std::mem::take(&mut self.body));
        let mut pause = FIRST_PAUSE;
        let mut give_up = None;
        loop {
            let (reason, retry_after, may_be_repeated) = match self.connection.send(id, &body).await {
                Answer::Acknowledged { strength, duplicate } => {
                    feeding.meter.acknowledged(rows, strength, duplicate, begun.elapsed());
                    note(Note::Acknowledged(strength))?;
                    break;
                }
                Answer::Refused { written, reason } => {
                    tracing::warn!(source = self.source, from = positions.start, reason, "a request was refused");
                    feeding.meter.refused(rows, written, reason);
                    note(Note::Refused { written })?;
                    break;
                }
                Answer::Sent => {
                    feeding.meter.handed_over(rows);
                    break;
                }
                Answer::InDoubt { reason, retry_after } => {
                    note(Note::InDoubt)?;
                    (reason, retry_after, feeding.plan.header.protocol.acknowledges())
                }
                Answer::Unreachable { reason } => (reason, None, true),
            };
            tracing::debug!(source = self.source, from = positions.start, reason, "a request had no answer");
            feeding.meter.unanswered(reason);
            let is_final = !may_be_repeated
                || feeding.is_over()
                    && *give_up.get_or_insert_with(|| Instant::now() + feeding.plan.settle) <= Instant::now();
            tokio::time::sleep(retry_after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            if is_final {
                feeding.meter.left_in_doubt(rows);
                break;
            }
        }
        if let Ok(body) = body.try_into_mut() {
            self.body = body.into();
        }
        Ok(())
    }
}

impl Feeding {
    /// Whether no new request is begun any more.
    fn is_over(&self) -> bool {
        // A feed of so many lines that still has some to send waits for a server that is away only so long.
        self.stop.is_cancelled() || self.deadline.is_none_or(|deadline| Instant::now() >= deadline)
    }
}
