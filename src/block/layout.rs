//! Which panels there are: chunks' slices of time, cut into stretches of buckets. Pure.

use serde::{Deserialize, Serialize};

use crate::{
    frame::Calendar,
    hypertable::Chunk,
    question::{MAX_RANGES, Width},
    window::Span,
};

/// Buckets of a panel of many series. A panel of so many, which is still being written to, is made anew in a moment, and
/// sums over so many buckets may run in float32.
pub(super) const BUCKETS: usize = 64;
/// With fewer series than this a panel has more buckets, so that there are not too many panels.
const MANY_SERIES: usize = 8_192;
/// No panel has more buckets than this.
const MOST_BUCKETS: usize = 1_024;

/// The time of a panel, and which chunks hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) span: Span,
    /// Ascending; several with space partitions.
    pub(super) chunks: Vec<i64>,
}

/// The panels of a measurement for one width of buckets.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    width_us: i64,
    panel_us: i64,
    /// Ascending and apart, each a whole number of buckets.
    slices: Vec<Place>,
}

impl Layout {
    /// The panels of these chunks; `None` where buckets are not cut as panels need it: in UTC, of a length that divides a
    /// day, with every chunk beginning and ending between two of them.
    pub(super) fn new(chunks: &[Chunk], width: Width, calendar: &Calendar, series: usize) -> Option<Self> {
        let width_us = width.fixed_us().filter(|us| *us > 0 && Width::DAY_US % us == 0 && calendar.is_utc())?;
        let mut slices: Vec<Place> = Vec::new();
        let mut ordered = chunks.to_vec();
        ordered.sort_unstable_by_key(|chunk| (chunk.from_us, chunk.to_us, chunk.id));
        for chunk in ordered {
            let span = Span { from_us: chunk.from_us, to_us: chunk.to_us };
            match slices.last_mut() {
                Some(last) if last.span == span => last.chunks.push(chunk.id),
                Some(last) if span.from_us < last.span.to_us => return None,
                _ => slices.push(Place { span, chunks: vec![chunk.id] }),
            }
        }
        let is_whole = |us: i64| calendar.floor(us) == us && calendar.next(us) == us.saturating_add(width_us);
        if !slices.iter().all(|slice| is_whole(slice.span.from_us) && is_whole(slice.span.to_us)) {
            return None;
        }
        let panel_us = width_us * i64::try_from(Self::panel_buckets(series)).unwrap_or(1);
        Some(Self { width_us, panel_us, slices })
    }

    /// The most buckets of a panel of so many series.
    pub(super) fn panel_buckets(series: usize) -> usize {
        let more =
            MANY_SERIES.checked_div(series.max(1).checked_next_power_of_two().unwrap_or(usize::MAX)).unwrap_or(1);
        (BUCKETS * more.max(1)).min(MOST_BUCKETS)
    }

    /// The length of a bucket.
    pub(super) fn width_us(&self) -> i64 {
        self.width_us
    }

    /// How many buckets a stretch of whole buckets has.
    pub(super) fn buckets(&self, span: Span) -> usize {
        usize::try_from((span.to_us - span.from_us) / self.width_us).unwrap_or(0)
    }

    /// How many buckets the panels have that overlap these spans, which are few.
    pub(super) fn buckets_within(&self, spans: &[Span]) -> usize {
        debug_assert!(spans.len() <= MAX_RANGES, "a question's spans");
        let mut buckets = 0_usize;
        for slice in &self.slices {
            for span in spans {
                let from_us = slice.span.from_us.max(span.from_us.saturating_sub(self.panel_us));
                let to_us = slice.span.to_us.min(span.to_us.saturating_add(self.panel_us));
                buckets = buckets.saturating_add(self.buckets(Span { from_us, to_us: to_us.max(from_us) }));
            }
        }
        buckets
    }

    /// The panels that overlap these spans, ascending.
    pub(super) fn panels(&self, spans: &[Span]) -> Vec<Place> {
        let overlaps = |place: &Span| spans.iter().any(|span| place.from_us < span.to_us && span.from_us < place.to_us);
        let mut panels = Vec::new();
        for slice in self.slices.iter().filter(|slice| overlaps(&slice.span)) {
            let mut from_us = slice.span.from_us;
            while from_us < slice.span.to_us {
                let span = Span { from_us, to_us: from_us.saturating_add(self.panel_us).min(slice.span.to_us) };
                if overlaps(&span) {
                    panels.push(Place { span, chunks: slice.chunks.clone() });
                }
                from_us = span.to_us;
            }
        }
        panels
    }

    /// The panel that holds this time, if there is a chunk for it.
    pub(super) fn panel_at(&self, us: i64) -> Option<Place> {
        self.panels(&[Span { from_us: us, to_us: us.saturating_add(1) }]).pop()
    }

    /// The end of the last chunk that begins before this time, or the time itself where it lies within one: no row before it
    /// is later.
    pub(super) fn last_before(&self, us: i64) -> Option<i64> {
        let slice = self.slices.iter().rfind(|slice| slice.span.from_us < us)?;
        Some(slice.span.to_us.min(us))
    }

    /// Whether there is a chunk for every moment of these spans.
    pub(super) fn has_no_holes(&self, spans: &[Span]) -> bool {
        spans.iter().all(|span| {
            let mut at_us = span.from_us;
            for slice in &self.slices {
                if slice.span.from_us <= at_us && at_us < slice.span.to_us {
                    at_us = slice.span.to_us;
                }
            }
            at_us >= span.to_us
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    const HOUR_US: i64 = 3_600 * Width::SECOND_US;
    const MINUTE: Width = Width::Fixed(60 * Width::SECOND_US);

    fn layout(hours: &[(i64, i64)], width: Width, series: usize) -> Option<Layout> {
        let chunks: Vec<Chunk> = (0..)
            .zip(hours)
            .map(|(id, (from, to))| Chunk { id, from_us: from * HOUR_US, to_us: to * HOUR_US })
            .collect();
        Layout::new(&chunks, width, &Calendar::new(width, Tz::UTC), series)
    }

    #[test]
    fn panels_end_where_chunks_do() {
        let layout = layout(&[(0, 2), (0, 2), (4, 6)], MINUTE, 100_000).unwrap();
        let hour = |hour: i64, minutes: [i64; 2]| {
            let [from_us, to_us] = minutes.map(|minute| hour * HOUR_US + minute * HOUR_US / 60);
            Span { from_us, to_us }
        };
        let all = layout.panels(&[Span { from_us: 0, to_us: 6 * HOUR_US }]);
        let spans: Vec<Span> = all.iter().map(|place| place.span).collect();
        assert_eq!(spans, [hour(0, [0, 64]), hour(0, [64, 120]), hour(4, [0, 64]), hour(4, [64, 120])]);
        assert_eq!((all[0].chunks.as_slice(), all[2].chunks.as_slice()), ([0, 1].as_slice(), [2].as_slice()));
        assert_eq!(layout.panel_at(2 * HOUR_US - 1).unwrap().span, spans[1]);
        assert_eq!(layout.panel_at(3 * HOUR_US), None);
        assert_eq!(layout.last_before(4 * HOUR_US), Some(2 * HOUR_US));
        assert_eq!(layout.last_before(HOUR_US / 2), Some(HOUR_US / 2));
        assert!(layout.has_no_holes(&[hour(0, [5, 120]), hour(4, [0, 60])]));
        assert!(!layout.has_no_holes(&[Span { from_us: 0, to_us: 5 * HOUR_US }]));
    }

    #[test]
    fn buckets_that_lie_across_chunks_have_no_panels() {
        assert!(layout(&[(0, 1)], Width::Fixed(45 * 60 * Width::SECOND_US), 1).is_none());
        assert!(layout(&[(0, 1)], Width::DAY, 1).is_none());
        assert!(layout(&[(0, 24)], Width::DAY, 1).is_some());
        assert!(layout(&[(0, 24)], Width::Fixed(7 * Width::DAY_US), 1).is_none());
        assert!(layout(&[(0, 2), (1, 3)], MINUTE, 1).is_none(), "chunks that overlap without being the same");
    }

    #[test]
    fn few_series_have_longer_panels() {
        let buckets = |series| {
            let layout = layout(&[(0, 240)], MINUTE, series).unwrap();
            layout.buckets(layout.panels(&[Span { from_us: 0, to_us: 1 }])[0].span)
        };
        assert_eq!([0, 10, 300, 5_000, 100_000].map(buckets), [1_024, 1_024, 1_024, 64, 64]);
    }
}
