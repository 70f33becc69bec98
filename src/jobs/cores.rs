//! What jobs have of the machine while rows come in.

use std::{sync::Arc, thread, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Half of this machine's cores, which jobs of one process share: the other half is for those who ingest. With two cores,
/// sealing and rollups take turns, as long as neither has to wait too long for the other.
///
/// Each of them alone leaves writers a core; together, as it comes, they left them next to none for half a second, and an
/// acknowledgement in a hundred took three times as long.
#[derive(Debug, Clone)]
pub struct SharedCores(Arc<Semaphore>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Core {
    _held: OwnedSemaphorePermit,
}

impl Default for SharedCores {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((cores / 2).max(1))))
    }
}

impl SharedCores {
    /// Takes one; waits for it, but no longer than this: then the work goes on without.
    pub async fn take(&self, most: Duration) -> Option<Core> {
        let held = tokio::time::timeout(most, Arc::clone(&self.0).acquire_owned()).await.ok()?.ok()?;
        Some(Core { _held: held })
    }
}
