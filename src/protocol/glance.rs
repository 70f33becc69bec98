//! Lines whose series is known already.

use std::{borrow::Cow, ops::Range};

use super::{
    cursor::{Cursor, Part},
    line::FieldValue,
    parse::time,
    time::Precision,
};

/// A line of which only the series' part is told apart. Nothing in it has been checked: whoever knows the series' part
/// from a line that was read whole, measurement and tags, knows that it is right.
#[derive(Debug, Clone)]
pub struct Glance<'a> {
    /// The line without its line break.
    text: &'a str,
    /// Where the series' part ends.
    head: usize,
    number: u32,
    start: usize,
    /// The line break in the body.
    end: usize,
    precision: Precision,
}

/// The time of a line that was read at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlanceTime {
    /// Microseconds since 1970 UTC; none if the line has none.
    pub us: Option<i64>,
    /// Digits below a microsecond, of the time or of a field, were rounded down.
    pub rounded: bool,
}

impl<'a> Glance<'a> {
    pub(super) fn new(text: &'a str, head: usize, number: u32, start: usize, end: usize, precision: Precision) -> Self {
        Self { text, head, number, start, end, precision }
    }

    /// The bytes of the measurement and the tags as they were written; two series can have the same only if they are one.
    #[must_use]
    #[inline]
    pub fn series_part(&self) -> &'a [u8] {
        &self.text.as_bytes()[..self.head]
    }

    /// Which line of the body it is; the first is 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Where the line stands in the body, without its line break.
    #[must_use]
    pub fn bytes(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Reads the fields and the time. `field` gets each field's name and value, and says whether it knows the field; that
    /// no name comes twice is for it to see.
    ///
    /// None if a field is not known or anything is unusual, be it wrong or not: the line must then be read whole, and what
    /// `field` got means nothing.
    #[inline]
    pub fn read(&self, mut field: impl FnMut(&'a str, FieldValue<'a>) -> bool) -> Option<GlanceTime> {
        let mut cursor = Cursor::new(self.text, self.head);
        cursor.skip_spaces();
        let mut rounded = false;
        loop {
            let Ok(Cow::Borrowed(name)) = cursor.name(Part::FieldKey) else { return None };
            if cursor.peek() != Some(b'=') {
                return None;
            }
            cursor.at += 1;
            let (value, lost_digits) = cursor.field_value().ok()?;
            rounded |= lost_digits;
            if !field(name, value) {
                return None;
            }
            if cursor.peek() != Some(b',') {
                break;
            }
            cursor.at += 1;
        }
        cursor.skip_spaces();
        let moment = time(&mut cursor, self.precision).ok()?;
        rounded |= moment.is_some_and(|moment| moment.rounded);
        Some(GlanceTime { us: moment.map(|moment| moment.us), rounded })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{Limits, Lines};

    proptest! {
        #[test]
        fn what_is_read_at_a_glance_is_what_reading_says(
            body in r#"([ \t]{0,2}(m|m,a=b|m,a=\\ b|#c|m,b=x|f="a)? {0,2}(f=(1|-1.5|2i|t|"x"|"x\ny"|"\\"y"|1700n|q)(,g=1)?)?( {1,2}-?[0-9]{1,16})? ?[\r]?\n){0,6}"#,
        ) {
            let mut lines = Lines::new(body.as_bytes(), Precision::Nanoseconds, Limits::default());
            loop {
                let glance = lines.glance();
                let Some(read) = lines.next() else { break };
                let Some(glance) = glance else { continue };
                let mut fields = Vec::new();
                let Some(time) = glance.read(|name, value| { fields.push((name, value)); true }) else { continue };
                // What was seen may be no line at all (a comment), or one whose series' part is wrong.
                let Ok(line) = read else { continue };
                if line.number != glance.number() { continue }
                let expected: Vec<_> = line.fields.iter().map(|(name, value)| (&**name, value.clone())).collect();
                prop_assert_eq!(fields, expected);
                prop_assert_eq!((time.us, time.rounded), (line.time_us, line.rounded));
                prop_assert_eq!(glance.bytes(), line.bytes);
            }
        }
    }

    #[test]
    fn lines_are_passed_one_by_one() {
        let mut lines =
            Lines::new(b"m,a=b f=1 1\nm\\ x f=2\nm,a=b f=3,g=\"\xc3\xa9\"\r\n", Precision::Seconds, Limits::default());
        let first = lines.glance().unwrap();
        assert_eq!((first.series_part(), first.number()), (&b"m,a=b"[..], 1));
        assert_eq!(first.read(|name, _| name == "f"), Some(GlanceTime { us: Some(1_000_000), rounded: false }));
        assert_eq!(first.read(|name, _| name != "f"), None);
        lines.pass(&first);
        assert!(lines.glance().is_none(), "escapes");
        assert_eq!(lines.next().unwrap().unwrap().number, 2);
        let third = lines.glance().unwrap();
        assert_eq!((third.number(), third.bytes()), (3, 21..21 + 16));
        assert_eq!(third.read(|_, _| true), Some(GlanceTime { us: None, rounded: false }));
        lines.pass(&third);
        assert!(lines.glance().is_none() && lines.next().is_none());
        for indented in [&b"  +f=\"a \\\"b=\"\n  /f=\n\""[..], b"\t m f=1\n\t f=1 1"] {
            assert!(Lines::new(indented, Precision::Seconds, Limits::default()).glance().is_none());
        }
        assert!(Lines::new(b"m f=1\xff", Precision::Seconds, Limits::default()).glance().is_none());
    }
}
