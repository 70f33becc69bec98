//! Which requests in doubt the ledger knows.

use std::time::Duration;

use hashbrown::HashSet;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    feed::journal::{Outcome, Recorded},
    ingest::RequestId,
};

/// Asked for at once.
const STEP: usize = 10_000;

/// The feed's ids of the requests in doubt that the ledger has, with rows. Nothing for protocols without ids.
pub(super) async fn requests(connection: &mut PgConnection, recorded: &Recorded) -> Result<HashSet<Uuid>, sqlx::Error> {
    let mut known = HashSet::new();
    if !recorded.header.protocol.acknowledges() {
        return Ok(known);
    }
    let in_doubt: Vec<(Uuid, Uuid)> = recorded
        .sources
        .iter()
        .flatten()
        .filter(|batch| batch.outcome == Outcome::InDoubt)
        .map(|batch| {
            let key = batch.id.to_string();
            let id = RequestId::from_key(&recorded.header.namespace, key.as_bytes(), Uuid::nil(), Duration::ZERO).id;
            (id, batch.id)
        })
        .collect();
    for step in in_doubt.chunks(STEP) {
        let ids: Vec<Uuid> = step.iter().map(|(id, _)| *id).collect();
        let there: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM chunkwise.ledger WHERE id = ANY($1) AND written > 0")
            .bind(ids)
            .fetch_all(&mut *connection)
            .await?;
        let there: HashSet<Uuid> = there.into_iter().collect();
        known.extend(step.iter().filter(|(id, _)| there.contains(id)).map(|(_, batch)| *batch));
    }
    Ok(known)
}
