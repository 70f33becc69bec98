//! The memory that requests may take, all of them together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::IngestError;

/// Bytes are counted in these, because a semaphore counts in 32 bits.
const UNIT_BYTES: usize = 1024;

/// A request's share of the memory, given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

/// What there is to share.
#[derive(Debug, Clone)]
pub(super) struct Rooms {
    free: Arc<Semaphore>,
    limit_bytes: usize,
}

impl Rooms {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(limit_bytes.div_ceil(UNIT_BYTES))), limit_bytes }
    }

    pub(super) async fn reserve(&self, bytes: usize) -> Result<Room, IngestError> {
        let units = self.units(bytes)?;
        // The semaphore is never closed.
        let permit = Arc::clone(&self.free).acquire_many_owned(units).await.map_err(|_| IngestError::Overloaded)?;
        Ok(Room { _permit: permit })
    }

    pub(super) fn try_reserve(&self, bytes: usize) -> Result<Room, IngestError> {
        let units = self.units(bytes)?;
        let permit = Arc::clone(&self.free).try_acquire_many_owned(units).map_err(|_| IngestError::Overloaded)?;
        Ok(Room { _permit: permit })
    }

    fn units(&self, bytes: usize) -> Result<u32, IngestError> {
        if bytes > self.limit_bytes {
            return Err(IngestError::TooLarge { bytes, limit_bytes: self.limit_bytes });
        }
        u32::try_from(bytes.div_ceil(UNIT_BYTES))
            .map_err(|_| IngestError::TooLarge { bytes, limit_bytes: self.limit_bytes })
    }
}
