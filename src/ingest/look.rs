//! Lines that are read at a glance, wherever they come from.

use crate::{
    protocol::{FieldValue, Glance},
    spool::{Behind, LineGlance},
};

/// A line of which only the series' part has been told apart.
pub(super) trait Look<'b> {
    /// What reading it gives besides its time.
    type Read;

    fn number(&self) -> u32;
    fn series_part(&self) -> &'b [u8];
    /// Reads the fields, for `field` to say whether it knows them, and the time. None if the line must be read whole.
    fn read(&self, field: impl FnMut(&'b str, FieldValue<'b>) -> bool) -> Option<(Option<i64>, Self::Read)>;
}

impl<'b> Look<'b> for Glance<'b> {
    type Read = ();

    #[inline]
    fn number(&self) -> u32 {
        self.number()
    }

    #[inline]
    fn series_part(&self) -> &'b [u8] {
        self.series_part()
    }

    #[inline]
    fn read(&self, field: impl FnMut(&'b str, FieldValue<'b>) -> bool) -> Option<(Option<i64>, ())> {
        self.read(field).map(|time| (time.us, ()))
    }
}

impl<'b> Look<'b> for LineGlance<'b> {
    type Read = Behind;

    #[inline]
    fn number(&self) -> u32 {
        self.number()
    }

    #[inline]
    fn series_part(&self) -> &'b [u8] {
        self.series_part()
    }

    #[inline]
    fn read(&self, field: impl FnMut(&'b str, FieldValue<'b>) -> bool) -> Option<(Option<i64>, Behind)> {
        self.read(field).map(|behind| (Some(self.time_us()), behind))
    }
}
