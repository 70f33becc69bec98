//! The memory that requests may take, all of them together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::IngestError;
use crate::protocol::Line;

/// Bytes are counted in these, because a semaphore counts in 32 bits.
const UNIT_BYTES: usize = 1024;

/// What lines become takes at most so many times their bytes: the shortest line, `m v=1` and a line break, is six bytes,
/// and a row of it is a time, a series and a value of eight bytes each, twelve bytes of its place in the order, and
/// the line itself.
const ROWS_FACTOR: usize = 8;

/// A request's share of the memory, given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    rooms: Rooms,
    held: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Makes the share at least so large.
    ///
    /// # Errors
    /// [`IngestError::Overloaded`] if there is not so much now, [`IngestError::TooLarge`] if there never could be. The
    /// share stays as it was.
    pub fn cover(&mut self, bytes: usize) -> Result<(), IngestError> {
        let units = self.rooms.units(bytes)?;
        let held = self.held.as_ref().map_or(0, |held| held.num_permits());
        let missing = units.saturating_sub(u32::try_from(held).unwrap_or(u32::MAX));
        if missing == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.rooms.free).try_acquire_many_owned(missing).map_err(|_| IngestError::Overloaded)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }

    /// Makes the share large enough for a body of so many bytes and all that is made of it.
    ///
    /// # Errors
    /// As of [`cover`](Self::cover).
    pub fn cover_rows(&mut self, body_bytes: usize) -> Result<(), IngestError> {
        self.cover(self.rooms.with_rows(body_bytes)?)
    }

    /// Makes the share large enough for a body of so many bytes, so many lines that were read from it and are kept, and so
    /// many bytes that were made of these.
    ///
    /// # Errors
    /// As of [`cover`](Self::cover).
    pub(super) fn cover_lines(
        &mut self,
        body_bytes: usize,
        lines: usize,
        made_bytes: usize,
    ) -> Result<(), IngestError> {
        self.cover(body_bytes + lines * size_of::<Line<'_>>() + made_bytes)
    }

    /// Gives back what a body of so many bytes does not need: the room was reserved for a larger one.
    pub fn shrink(&mut self, body_bytes: usize) {
        let Ok(needed) = self.rooms.with_rows(body_bytes).map(|bytes| bytes.div_ceil(UNIT_BYTES)) else { return };
        if let Some(held) = &mut self.held {
            drop(held.split(held.num_permits().saturating_sub(needed)));
        }
    }
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

    /// A share of nothing yet.
    pub(super) fn open(&self) -> Room {
        Room { rooms: self.clone(), held: None }
    }

    /// Room for a body and all that is made of it.
    pub(super) async fn reserve(&self, body_bytes: usize) -> Result<Room, IngestError> {
        let units = self.units(self.with_rows(body_bytes)?)?;
        // The semaphore is never closed.
        let permit = Arc::clone(&self.free).acquire_many_owned(units).await.map_err(|_| IngestError::Overloaded)?;
        Ok(Room { rooms: self.clone(), held: Some(permit) })
    }

    /// The same, if there is room now.
    pub(super) fn try_reserve(&self, body_bytes: usize) -> Result<Room, IngestError> {
        let mut room = self.open();
        room.cover_rows(body_bytes)?;
        Ok(room)
    }

    /// What is taken now, in bytes.
    pub(super) fn taken_bytes(&self) -> usize {
        self.limit_bytes.saturating_sub(self.free.available_permits() * UNIT_BYTES)
    }

    /// A body that could take more than everything takes everything.
    fn with_rows(&self, body_bytes: usize) -> Result<usize, IngestError> {
        self.units(body_bytes)?;
        Ok(body_bytes.saturating_mul(ROWS_FACTOR).min(self.limit_bytes))
    }

    fn units(&self, bytes: usize) -> Result<u32, IngestError> {
        if bytes > self.limit_bytes {
            return Err(IngestError::TooLarge { bytes, limit_bytes: self.limit_bytes });
        }
        u32::try_from(bytes.div_ceil(UNIT_BYTES))
            .map_err(|_| IngestError::TooLarge { bytes, limit_bytes: self.limit_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_as_far_as_there_is_room_and_comes_back() {
        let rooms = Rooms::new(100 * UNIT_BYTES);
        let mut first = rooms.open();
        first.cover(60 * UNIT_BYTES).unwrap();
        first.cover(10).unwrap();
        assert_eq!(rooms.taken_bytes(), 60 * UNIT_BYTES);
        let mut second = rooms.open();
        assert!(matches!(second.cover(41 * UNIT_BYTES), Err(IngestError::Overloaded)));
        assert!(matches!(second.cover(101 * UNIT_BYTES), Err(IngestError::TooLarge { .. })));
        second.cover(40 * UNIT_BYTES).unwrap();
        drop(first);
        second.cover(100 * UNIT_BYTES).unwrap();
        assert!(matches!(rooms.try_reserve(1), Err(IngestError::Overloaded)));
        drop(second);
        assert_eq!(rooms.taken_bytes(), 0);
        let whole = rooms.try_reserve(50 * UNIT_BYTES).unwrap();
        assert_eq!(rooms.taken_bytes(), 100 * UNIT_BYTES, "its rows may take all that there is");
        drop(whole);
        let mut large = rooms.try_reserve(10 * UNIT_BYTES).unwrap();
        large.shrink(UNIT_BYTES);
        assert_eq!(rooms.taken_bytes(), ROWS_FACTOR * UNIT_BYTES);
        drop(large);
        assert!(matches!(rooms.try_reserve(101 * UNIT_BYTES), Err(IngestError::TooLarge { .. })));
    }
}
