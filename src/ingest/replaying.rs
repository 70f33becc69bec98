//! The service as the spool's reader needs it: without keeping it alive.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::{Counters, Ingest, lanes::Sender, room::Rooms, service::Core};
use crate::db::Database;

/// How often the end of the service is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// A service that may end.
#[derive(Debug)]
pub(super) struct Replaying {
    pub(super) core: Arc<Core>,
    pub(super) counters: Arc<Counters>,
    pub(super) queue: Weak<Sender>,
    pub(super) rooms: Rooms,
}

impl Replaying {
    pub(super) fn database(&self) -> &Database {
        &self.core.database
    }

    pub(super) fn goes_on(&self) -> bool {
        self.queue.strong_count() > 0
    }

    /// Returns when the service has ended.
    pub(super) async fn ended(&self) {
        while self.goes_on() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The service, if it goes on: without a spool, for what is read from it must not go back there.
    pub(super) fn ingest(&self) -> Option<Ingest> {
        Some(Ingest {
            core: Arc::clone(&self.core),
            counters: Arc::clone(&self.counters),
            queue: self.queue.upgrade()?,
            rooms: self.rooms.clone(),
            spooling: None,
            tasks: Arc::default(),
        })
    }
}
