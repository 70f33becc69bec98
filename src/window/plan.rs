//! Which time to read. Pure.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{
    frame::{Calendar, History, Neighbour, Starts, TooManyBuckets},
    hypertable::Chunk,
    question::TimeRange,
};

#[cfg(test)]
mod tests;

/// More slices than this are not made: each is a statement of its own, and they are there to be shared out.
const MAX_SLICES: usize = 32;

/// A half-open stretch of time, microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first moment.
    pub from_us: i64,
    /// The first moment after.
    pub to_us: i64,
}

impl Span {
    pub(super) fn is_empty(self) -> bool {
        self.from_us >= self.to_us
    }

    /// What two stretches have in common; may be empty.
    pub(super) fn intersection(self, other: Self) -> Self {
        Self { from_us: self.from_us.max(other.from_us), to_us: self.to_us.min(other.to_us) }
    }
}

/// The stretches of whole buckets that start within the ranges, ascending; those that overlap or touch are one.
///
/// They reach to the end of their last bucket, as a bucket belongs to a range over all its rows if its start does.
#[must_use]
pub fn spans(ranges: &[TimeRange], calendar: &Calendar) -> Vec<Span> {
    let whole = ranges
        .iter()
        .map(|range| Span { from_us: calendar.ceil(range.from.us()), to_us: calendar.ceil(range.to.us()) });
    merged(whole.collect())
}

/// These stretches, ascending, those that overlap or touch made one.
#[must_use]
pub fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| !span.is_empty());
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.from_us <= last.to_us => last.to_us = last.to_us.max(span.to_us),
            _ => merged.push(span),
        }
    }
    merged
}

/// A stretch of consecutive buckets, all of which are columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The time of the buckets.
    pub span: Span,
    /// The buckets.
    pub starts: Starts,
    /// The column of its first bucket among those of all pieces.
    pub first_column: usize,
}

/// A part of a piece that is read by one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The time to read.
    pub span: Span,
    /// Which piece it is of.
    pub piece: usize,
    /// Which buckets of the piece it holds or cuts.
    pub buckets: Range<usize>,
}

/// What to read to answer a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The question's own time.
    pub spans: Vec<Span>,
    /// Spans and what their first buckets depend on, ascending, apart from each other.
    pub pieces: Vec<Piece>,
    /// The parts of pieces for which there are chunks, ascending.
    pub slices: Vec<Slice>,
    /// Chunks that overlap a piece, by number.
    pub touched: Vec<i64>,
    /// How many chunks there are in all.
    pub chunks: usize,
}

impl Plan {
    /// Plans the reading of `spans` with the `history` that their first buckets need.
    ///
    /// `previous_observed[i]` is the start of the last observed bucket before `spans[i]`; only looked at where the
    /// neighbour is [`Neighbour::PreviousObserved`]. Nothing is allocated for more than `max_buckets`.
    ///
    /// # Errors
    /// [`TooManyBuckets`]: at least so many.
    pub fn new(
        calendar: &Calendar,
        history: History,
        spans: Vec<Span>,
        previous_observed: &[Option<i64>],
        chunks: &[Chunk],
        max_buckets: usize,
    ) -> Result<Self, TooManyBuckets> {
        let mut times = Vec::with_capacity(spans.len() * 2);
        for (index, span) in spans.iter().enumerate() {
            let previous = previous_observed.get(index).copied().flatten();
            let from_us = history.read_from_us(calendar, span.from_us, previous);
            match (history.neighbour, previous) {
                // Nothing was observed between the neighbour and the span: only the neighbour itself is read.
                (Neighbour::PreviousObserved, Some(previous_us)) => {
                    times.extend([Span { from_us, to_us: calendar.next(previous_us) }, *span]);
                }
                _ => times.push(Span { from_us, to_us: span.to_us }),
            }
        }

        let mut pieces: Vec<Piece> = Vec::with_capacity(times.len());
        let mut columns = 0;
        for span in merged(times) {
            let starts = calendar
                .starts(span.from_us, span.to_us, max_buckets - columns)
                .map_err(|over| TooManyBuckets { would_be: over.would_be + columns as u64, limit: max_buckets })?;
            let first_column = columns;
            columns += starts.len();
            pieces.push(Piece { span, starts, first_column });
        }
        let overlaps = |chunk: &&Chunk| pieces.iter().any(|piece| !piece.span.intersection(extent(chunk)).is_empty());
        let touched = chunks.iter().filter(overlaps).map(|chunk| chunk.id).collect();
        Ok(Self { slices: slices(&pieces, chunks), spans, pieces, touched, chunks: chunks.len() })
    }

    /// Cuts slices into smaller ones, between buckets, until there are `wanted` if they have so many buckets.
    #[must_use]
    pub fn split(mut self, wanted: usize) -> Self {
        let parts = wanted.div_ceil(self.slices.len().max(1));
        let pieces = &self.pieces;
        self.slices = self
            .slices
            .iter()
            .flat_map(|slice| {
                let starts = pieces.get(slice.piece).map(|piece| &piece.starts);
                let step = slice.buckets.len().div_ceil(parts).max(1);
                slice.buckets.clone().step_by(step).map(move |first| {
                    let end = slice.buckets.end.min(first + step);
                    let at = |bucket| starts.and_then(|starts| starts.get(bucket));
                    let span = Span {
                        from_us: at(first).map_or(slice.span.from_us, |start| start.max(slice.span.from_us)),
                        to_us: at(end).map_or(slice.span.to_us, |start| start.min(slice.span.to_us)),
                    };
                    Slice { span, piece: slice.piece, buckets: first..end }
                })
            })
            .collect();
        self
    }

    /// How many columns all pieces have together.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.first_column + piece.starts.len())
    }

    /// The column of the bucket that holds this time.
    #[must_use]
    pub fn column_at(&self, us: i64) -> Option<usize> {
        self.pieces.iter().find_map(|piece| Some(piece.starts.index_of(us)? + piece.first_column))
    }

    /// The start of each column's bucket, ascending.
    #[must_use]
    pub fn times_us(&self) -> Vec<i64> {
        self.pieces.iter().flat_map(|piece| piece.starts.iter()).collect()
    }

    /// The columns of each span.
    pub(super) fn span_columns(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.spans.iter().filter_map(|span| {
            let piece = self.pieces.iter().find(|piece| piece.starts.index_of(span.from_us).is_some())?;
            let first = piece.starts.index_of(span.from_us)? + piece.first_column;
            let last = piece.starts.index_of(span.to_us - 1)? + piece.first_column;
            Some(first..last + 1)
        })
    }

    /// The piece that a column is of.
    pub(super) fn piece_of(&self, column: usize) -> Option<&Piece> {
        let index = self.pieces.partition_point(|piece| piece.first_column + piece.starts.len() <= column);
        self.pieces.get(index)
    }

    /// The most buckets that a slice has.
    #[must_use]
    pub fn longest_slice(&self) -> usize {
        self.slices.iter().map(|slice| slice.buckets.len()).max().unwrap_or(0)
    }
}

pub(super) fn extent(chunk: &Chunk) -> Span {
    Span { from_us: chunk.from_us, to_us: chunk.to_us }
}

/// Cuts pieces at the chunks' bounds; leaves out where there is no chunk; then puts neighbours together again if they are
/// too many.
fn slices(pieces: &[Piece], chunks: &[Chunk]) -> Vec<Slice> {
    // Space partitions have the same extent.
    let extents = merged_extents(chunks);
    let cut: Vec<(usize, Span)> = pieces
        .iter()
        .enumerate()
        .flat_map(|(index, piece)| extents.iter().map(move |extent| (index, piece.span.intersection(*extent))))
        .filter(|(_, span)| !span.is_empty())
        .collect();
    let together = cut.len().div_ceil(MAX_SLICES).max(1);
    cut.chunk_by(|a, b| a.0 == b.0)
        .flat_map(|of_piece| of_piece.chunks(together))
        .filter_map(|group| {
            let (&(piece, first), &(_, last)) = (group.first()?, group.last()?);
            let span = Span { from_us: first.from_us, to_us: last.to_us };
            let starts = &pieces.get(piece)?.starts;
            let buckets = starts.index_of(span.from_us)?..starts.index_of(span.to_us - 1)? + 1;
            Some(Slice { span, piece, buckets })
        })
        .collect()
}

/// The time of chunks, ascending and apart, cut where a chunk begins.
fn merged_extents(chunks: &[Chunk]) -> Vec<Span> {
    let mut extents: Vec<Span> = chunks.iter().map(extent).collect();
    extents.sort_unstable();
    let mut apart: Vec<Span> = Vec::with_capacity(extents.len());
    for mut extent in extents {
        if let Some(last) = apart.last() {
            extent.from_us = extent.from_us.max(last.to_us);
        }
        if !extent.is_empty() {
            apart.push(extent);
        }
    }
    apart
}
