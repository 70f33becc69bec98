//! How far what is made of rows may go, and how much of it is made in one transaction. Pure.

use super::Level;
use crate::hypertable::changes::{Stretch, merged};

/// Bars are made when their bucket has been over for so long, and last values of rows that are so old: what comes later
/// than that is made anew, which costs more.
pub(super) const LAG_US: i64 = 10_000_000;
/// Where nothing newer is there, a watermark is at a multiple of this: the next level, five minutes mostly, goes along.
pub(super) const REACH_US: i64 = Level::FiveMinutes.width_us();

/// Whether a measurement is being written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// A moment ago something came. A load of old rows is followed in steps of this.
    GoesOn { reach_us: i64 },
    /// Nothing comes.
    Rests,
}

/// Where the watermark of what is made of rows may go, in steps of `width_us`: not beyond the newest row, so that the next
/// ones of a load of years are new to it and nothing is made anew for them; and while the load goes on not into the five
/// minutes of that row, or the longer time in which it is followed, where the next ones mostly are.
pub(super) fn end(newest_us: i64, now_us: i64, width_us: i64, writing: Writing) -> i64 {
    if newest_us == i64::MIN {
        return newest_us;
    }
    let over_us = now_us - LAG_US;
    let over_us = over_us - over_us.rem_euclid(width_us);
    let newest = Stretch { from_us: newest_us, to_us: newest_us.saturating_add(1) }.widened(width_us.max(REACH_US));
    match writing {
        Writing::GoesOn { reach_us } if newest.to_us <= over_us => newest.from_us - newest.from_us.rem_euclid(reach_us),
        Writing::GoesOn { .. } | Writing::Rests => over_us.min(newest.to_us),
    }
}

/// A slice of time of a table, and about how many rows it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sized {
    pub(super) extent: Stretch,
    pub(super) rows: u64,
}

/// A transaction reads about so many rows: a second or two, and some hundred megabytes at most.
pub(super) const ROWS: u64 = 500_000;
/// Or so many separate stretches.
const STRETCHES: usize = 64;

/// What a step is about that moves a watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What has rows.
    pub(super) stretches: Vec<Stretch>,
    /// Where the watermark is to be then.
    pub(super) to_us: i64,
}

impl Part {
    /// The first of what lies between two times.
    pub(super) fn first(between: Stretch, chunks: &[Sized], width_us: i64) -> Self {
        let (stretches, rest) = cut(&merged(vec![between]), chunks, width_us);
        let to_us = match (stretches.last(), rest.is_empty()) {
            (Some(last), false) => last.to_us,
            _ => between.to_us,
        };
        Self { stretches, to_us }
    }
}

/// The first part of `whole` (ascending, apart, of whole buckets of `width_us`) that has chunks and about [`ROWS`] rows, and
/// what is left behind it. Where there is no chunk there is nothing to make: those parts are in neither.
pub(super) fn cut(whole: &[Stretch], chunks: &[Sized], width_us: i64) -> (Vec<Stretch>, Vec<Stretch>) {
    let mut now: Vec<Stretch> = Vec::new();
    let mut left = ROWS;
    for (at, stretch) in whole.iter().enumerate() {
        let behind = |from_us: i64| -> Vec<Stretch> {
            let rest = Stretch { from_us, to_us: stretch.to_us };
            std::iter::once(rest).filter(|rest| !rest.is_empty()).chain(whole[at + 1..].iter().copied()).collect()
        };
        for chunk in chunks {
            let within = stretch.intersection(chunk.extent);
            // Buckets that chunks cut are made whole, once.
            let mut part = within.widened(width_us).intersection(*stretch);
            if let Some(last) = now.last() {
                part.from_us = part.from_us.max(last.to_us);
            }
            if within.is_empty() {
                continue;
            }
            let rows = share(*chunk, within);
            if part.is_empty() {
                left = left.saturating_sub(rows);
                continue;
            }
            if left == 0 || now.len() >= STRETCHES {
                let rest = behind(part.from_us);
                return (now, rest);
            }
            if rows > left {
                let span = within.to_us.saturating_sub(within.from_us);
                let taken = (left as f64 / rows as f64 * span as f64).max(1.0);
                #[expect(clippy::cast_possible_truncation, reason = "a part of an i64")]
                let to_us = part.from_us.max(within.from_us).saturating_add(taken as i64);
                part.to_us = Stretch { from_us: part.from_us, to_us }.widened(width_us).to_us.min(part.to_us);
            }
            match now.last_mut() {
                Some(last) if last.to_us == part.from_us => last.to_us = part.to_us,
                _ => now.push(part),
            }
            if rows > left {
                let rest = behind(part.to_us);
                return (now, rest);
            }
            left -= rows;
        }
    }
    (now, Vec::new())
}

/// The widest of these levels whose buckets have no more than a transaction's rows, where there are so many rows in so many
/// microseconds.
pub(super) fn widest(levels: &[Level], rows: impl IntoIterator<Item = (u64, i64)>) -> Option<Level> {
    let densities = rows.into_iter().map(|(rows, time_us)| rows as f64 / time_us.max(1) as f64);
    let densest = densities.fold(0.0, f64::max);
    levels.iter().copied().rfind(|level| level.width_us() as f64 * densest <= ROWS as f64)
}

/// The rows of a chunk that lie within a part of it, if they lie evenly.
pub(super) fn share(chunk: Sized, within: Stretch) -> u64 {
    if within.is_empty() {
        return 0;
    }
    let length = |stretch: Stretch| stretch.to_us.saturating_sub(stretch.from_us).max(1) as f64;
    let rows = chunk.rows as f64 * (length(within) / length(chunk.extent));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the chunk's rows")]
    let rows = rows as u64;
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stretch(from_us: i64, to_us: i64) -> Stretch {
        Stretch { from_us, to_us }
    }

    #[test]
    fn a_load_of_old_rows_is_followed_to_the_five_minutes_of_the_newest_and_into_them_when_it_ends() {
        let minute = Level::Minute.width_us();
        let at = |minutes: i64, seconds: i64| minutes * minute + seconds * 1_000_000;
        let (now, newest) = (at(1_000, 30), at(7, 1));
        let goes_on = |minutes: i64| Writing::GoesOn { reach_us: minutes * minute };
        assert_eq!(end(newest, now, minute, goes_on(5)), at(5, 0));
        assert_eq!(end(newest + 60 * minute, now, minute, goes_on(60)), at(60, 0));
        assert_eq!(end(newest, now, minute, Writing::Rests), at(10, 0));
        // A feed of this moment: each minute when it is over, whoever writes; and one that is some minutes late.
        assert_eq!(end(at(991, 0), now, minute, goes_on(60)), at(960, 0));
        for writing in [goes_on(5), goes_on(60), Writing::Rests] {
            assert_eq!(end(now, now, minute, writing), at(1_000, 0));
            assert_eq!(end(at(999, 59), at(1_000, 5), minute, writing), at(999, 0));
            assert_eq!(end(i64::MIN, now, minute, writing), i64::MIN);
        }
    }

    #[test]
    fn a_large_chunk_is_cut_between_buckets_and_empty_time_is_passed_over() {
        let chunks =
            [Sized { extent: stretch(0, 1_000), rows: ROWS * 4 }, Sized { extent: stretch(5_000, 6_000), rows: 1 }];
        let (now, later) = cut(&[stretch(-100, 9_000)], &chunks, 100);
        assert_eq!((now, later), (vec![stretch(0, 300)], vec![stretch(300, 9_000)]));
        let (now, later) = cut(&[stretch(900, 9_000)], &chunks, 100);
        assert_eq!((now, later), (vec![stretch(900, 1_000), stretch(5_000, 6_000)], vec![]));
        assert_eq!(cut(&[stretch(2_000, 3_000)], &chunks, 100), (vec![], vec![]));
    }

    #[test]
    fn a_bucket_is_made_whole_even_if_chunks_are_shorter() {
        let chunks = [0, 30, 60, 90].map(|from| Sized { extent: stretch(from, from + 30), rows: ROWS / 2 });
        let (now, later) = cut(&[stretch(0, 200)], &chunks, 100);
        assert_eq!((now, later), (vec![stretch(0, 100)], vec![stretch(100, 200)]));
    }

    proptest! {
        #[test]
        fn step_by_step_every_moment_of_every_chunk_is_made_once(
            pairs in proptest::collection::vec((-20_i64..20, 1_i64..9), 1..6),
            chunks in proptest::collection::vec((1_i64..7, 0_u64..4), 1..9),
            width in 1_i64..6,
        ) {
            let mut at = -40;
            let chunks: Vec<Sized> = chunks
                .iter()
                .map(|&(length, rows)| {
                    at += length * 2;
                    Sized { extent: stretch(at - length, at), rows: rows * ROWS / 2 }
                })
                .collect();
            let whole = merged(pairs.iter().map(|&(from, length)| stretch(from, from + length).widened(width)).collect());
            let (mut left, mut made) = (whole.clone(), Vec::new());
            for step in 0.. {
                prop_assert!(step < 500, "it comes to an end");
                let (now, later) = cut(&left, &chunks, width);
                made.extend(now);
                if later.is_empty() {
                    break;
                }
                left = later;
            }
            let times = |stretches: &[Stretch], us| stretches.iter().filter(|s| s.from_us <= us && us < s.to_us).count();
            for us in -60..120 {
                let wanted = times(&whole, us) == 1 && chunks.iter().any(|c| c.extent.from_us <= us && us < c.extent.to_us);
                prop_assert!(times(&made, us) <= 1 && (!wanted || times(&made, us) == 1), "{}", us);
                prop_assert!(times(&made, us) <= times(&whole, us));
            }
            for part in made {
                prop_assert_eq!((part.from_us.rem_euclid(width), part.to_us.rem_euclid(width)), (0, 0));
            }
        }
    }
}
