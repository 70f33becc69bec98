use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::{
    frame::Shape,
    question::{Fill, Grid, Timestamp, Transform, Width},
};

const HOUR_US: i64 = 3_600 * Width::SECOND_US;
const DAY_US: i64 = Width::DAY_US;

fn calendar(text: &str) -> Calendar {
    Calendar::new(text.parse().unwrap(), Tz::UTC)
}

fn range(from_us: i64, to_us: i64) -> TimeRange {
    TimeRange { from: Timestamp::from_us(from_us).unwrap(), to: Timestamp::from_us(to_us).unwrap() }
}

fn span(from_us: i64, to_us: i64) -> Span {
    Span { from_us, to_us }
}

fn history(grid: Grid, fill: Fill, transform: Transform) -> History {
    Shape { grid, fill, transform }.history()
}

fn level() -> History {
    history(Grid::Regular, Fill::None, Transform::Level)
}

fn hourly_chunks(count: i64) -> Vec<Chunk> {
    (0..count).map(|id| Chunk { id, from_us: id * HOUR_US, to_us: (id + 1) * HOUR_US }).collect()
}

#[test]
fn ranges_are_aligned_to_buckets_and_those_that_touch_become_one() {
    let day = calendar("1d");
    let ranges = [range(1, DAY_US + 1), range(5 * DAY_US, 6 * DAY_US), range(2 * DAY_US, 3 * DAY_US), range(10, 20)];
    assert_eq!(spans(&ranges, &day), [span(DAY_US, 3 * DAY_US), span(5 * DAY_US, 6 * DAY_US)]);
    assert_eq!(spans(&[range(10, 20)], &day), [], "no bucket starts there");
}

#[test]
fn slices_end_where_chunks_do_and_share_a_bucket_that_lies_across() {
    let width = calendar("45m");
    let first_us = width.ceil(0);
    let spans = vec![span(first_us, width.ceil(3 * HOUR_US))];
    let plan = Plan::new(&width, level(), spans, &[], &hourly_chunks(10), 1000).unwrap();
    let seams: Vec<_> = plan.slices.iter().map(|slice| slice.span.to_us).collect();
    assert_eq!(seams, [HOUR_US, 2 * HOUR_US, 3 * HOUR_US, plan.spans[0].to_us][..plan.slices.len()]);
    let shared = plan.slices.windows(2).filter(|pair| pair[0].buckets.end == pair[1].buckets.start + 1).count();
    assert!(shared >= 2, "{:?}", plan.slices);
    assert_eq!(plan.chunks, 10);
}

#[test]
fn time_without_chunks_is_not_read_but_has_columns() {
    let hour = calendar("1h");
    let chunks = [hourly_chunks(10)[2], hourly_chunks(10)[8]];
    let plan = Plan::new(&hour, level(), vec![span(0, 6 * HOUR_US)], &[], &chunks, 1000).unwrap();
    assert_eq!(plan.slices.len(), 1);
    assert_eq!(plan.slices[0].span, span(2 * HOUR_US, 3 * HOUR_US));
    assert_eq!((plan.columns(), plan.touched.as_slice(), plan.chunks), (6, &[2][..], 2));
}

#[test]
fn a_distant_neighbour_is_a_piece_of_its_own() {
    let hour = calendar("1h");
    let needs = history(Grid::Observed, Fill::None, Transform::Diff);
    let plan =
        Plan::new(&hour, needs, vec![span(90 * HOUR_US, 92 * HOUR_US)], &[Some(3 * HOUR_US)], &hourly_chunks(100), 99)
            .unwrap();
    let pieces: Vec<_> = plan.pieces.iter().map(|piece| (piece.span, piece.first_column)).collect();
    assert_eq!(pieces, [(span(3 * HOUR_US, 4 * HOUR_US), 0), (span(90 * HOUR_US, 92 * HOUR_US), 1)]);
    assert_eq!(plan.times_us(), [3 * HOUR_US, 90 * HOUR_US, 91 * HOUR_US]);
    assert_eq!(plan.span_columns().next(), Some(1..3));
    assert_eq!(plan.touched, [3, 90, 91]);
}

#[test]
fn carried_values_reach_back_from_the_neighbour() {
    let hour = calendar("1h");
    let fill = Fill::Locf { max_age: Width::Fixed(2 * HOUR_US) };
    let needs = history(Grid::Observed, fill, Transform::Diff);
    let plan = Plan::new(&hour, needs, vec![span(9 * HOUR_US, 10 * HOUR_US)], &[Some(5 * HOUR_US)], &[], 99).unwrap();
    assert_eq!(plan.pieces[0].span, span(3 * HOUR_US, 6 * HOUR_US));
    let own = history(Grid::Own, fill, Transform::Diff);
    let plan = Plan::new(&hour, own, vec![span(99 * HOUR_US, 100 * HOUR_US)], &[None], &[], 99).unwrap();
    assert_eq!(plan.pieces[0].span, span((99 - 34) * HOUR_US, 100 * HOUR_US));
}

#[test]
fn the_limit_of_buckets_is_for_all_pieces_together() {
    let hour = calendar("1h");
    let spans = vec![span(0, 3 * HOUR_US), span(10 * HOUR_US, 13 * HOUR_US)];
    assert_eq!(Plan::new(&hour, level(), spans.clone(), &[], &[], 6).unwrap().columns(), 6);
    let error = Plan::new(&hour, level(), spans, &[], &[], 5).unwrap_err();
    assert_eq!(error, TooManyBuckets { would_be: 6, limit: 5 });
}

#[test]
fn a_question_without_buckets_reads_nothing() {
    let plan = Plan::new(&calendar("1d"), level(), vec![], &[], &hourly_chunks(3), 10).unwrap();
    assert_eq!((plan.columns(), plan.slices.len(), plan.touched.len(), plan.longest_slice()), (0, 0, 0, 0));
}

#[test]
fn many_chunks_are_read_by_few_statements() {
    let hour = calendar("1h");
    let plan = Plan::new(&hour, level(), vec![span(0, 1000 * HOUR_US)], &[], &hourly_chunks(1000), 1000).unwrap();
    assert_eq!((plan.slices.len(), plan.touched.len()), (32, 1000));
}

#[test]
fn a_long_slice_is_shared_out_between_buckets() {
    let hour = calendar("1h");
    let chunk = Chunk { id: 1, from_us: HOUR_US / 2, to_us: 100 * HOUR_US };
    let plan = Plan::new(&hour, level(), vec![span(0, 10 * HOUR_US)], &[], &[chunk], 1000).unwrap().split(4);
    let slices: Vec<_> = plan.slices.iter().map(|slice| (slice.span, slice.buckets.clone())).collect();
    assert_eq!(slices[0], (span(HOUR_US / 2, 3 * HOUR_US), 0..3));
    assert_eq!(slices[3], (span(9 * HOUR_US, 10 * HOUR_US), 9..10));
    let single = Plan::new(&hour, level(), vec![span(0, HOUR_US)], &[], &[chunk], 1000).unwrap();
    assert_eq!(single.clone().split(4), single, "a bucket is not cut");
}

proptest! {
    #[test]
    fn every_moment_with_a_chunk_is_read_once_and_no_other(
        ranges in proptest::collection::vec((0..5_000_i64, 1..800_i64), 1..6),
        bounds in proptest::collection::btree_set(0..6_000_i64, 0..30),
        gaps in proptest::collection::vec(any::<bool>(), 30),
        width in 1..300_i64,
        wanted in 1..20_usize,
    ) {
        const MINUTE_US: i64 = 60 * Width::SECOND_US;
        let calendar = Calendar::new(Width::Fixed(width * MINUTE_US), Tz::UTC);
        let ranges: Vec<_> =
            ranges.iter().map(|(from, length)| range(from * MINUTE_US, (from + length) * MINUTE_US)).collect();
        let bounds: Vec<i64> = bounds.into_iter().collect();
        let chunks: Vec<Chunk> = bounds.windows(2).zip(&gaps).zip(0..).filter(|((_, gap), _)| !**gap)
            .map(|((pair, _), id)| Chunk { id, from_us: pair[0] * MINUTE_US, to_us: pair[1] * MINUTE_US })
            .collect();
        let plan = Plan::new(&calendar, level(), spans(&ranges, &calendar), &[], &chunks, 100_000).unwrap();
        let plan = if wanted > 1 { plan.split(wanted) } else { plan };
        for minute in (0..6_000).step_by(7) {
            let t_us = minute * MINUTE_US;
            let start = calendar.floor(t_us);
            let asked = ranges.iter().any(|range| (range.from.us()..range.to.us()).contains(&start));
            let chunk = chunks.iter().find(|chunk| (chunk.from_us..chunk.to_us).contains(&t_us));
            let reads: Vec<_> =
                plan.slices.iter().filter(|slice| (slice.span.from_us..slice.span.to_us).contains(&t_us)).collect();
            if chunk.is_some() {
                prop_assert_eq!(reads.len(), usize::from(asked));
            } else {
                prop_assert!(asked || reads.is_empty());
            }
            for slice in reads {
                let bucket = plan.pieces[slice.piece].starts.index_of(t_us).unwrap();
                prop_assert!(slice.buckets.contains(&bucket));
            }
            if asked && let Some(chunk) = chunk {
                prop_assert!(plan.touched.contains(&chunk.id));
            }
        }
    }
}
