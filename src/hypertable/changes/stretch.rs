//! Stretches of time. Pure.

/// A half-open stretch of time, microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The first moment.
    pub from_us: i64,
    /// The first moment after.
    pub to_us: i64,
}

impl Stretch {
    /// All time.
    pub const ALL: Self = Self { from_us: i64::MIN, to_us: i64::MAX };

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.from_us >= self.to_us
    }

    /// What two stretches have in common; may be empty.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self { from_us: self.from_us.max(other.from_us), to_us: self.to_us.min(other.to_us) }
    }

    /// The least stretch of whole buckets of this width, counted from 1970, that holds it.
    #[must_use]
    pub fn widened(self, width_us: i64) -> Self {
        let width_us = width_us.max(1);
        let floor = |us: i64| us.checked_sub(us.rem_euclid(width_us)).unwrap_or(i64::MIN);
        let to_us = match floor(self.to_us) {
            whole if whole == self.to_us => whole,
            cut => cut.checked_add(width_us).unwrap_or(i64::MAX),
        };
        Self { from_us: floor(self.from_us), to_us }
    }

    /// The greatest stretch of whole buckets of this width that lies within it; may be empty.
    #[must_use]
    pub fn narrowed(self, width_us: i64) -> Self {
        let width_us = width_us.max(1);
        let to_us = self.to_us.checked_sub(self.to_us.rem_euclid(width_us)).unwrap_or(i64::MIN);
        let from_us = match self.from_us.rem_euclid(width_us) {
            0 => self.from_us,
            cut => self.from_us.saturating_add(width_us - cut),
        };
        Self { from_us, to_us }
    }
}

/// The stretches in ascending order; those that overlap or touch are one, and empty ones are left out.
#[must_use]
pub fn merged(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.retain(|stretch| !stretch.is_empty());
    stretches.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match merged.last_mut() {
            Some(last) if stretch.from_us <= last.to_us => last.to_us = last.to_us.max(stretch.to_us),
            _ => merged.push(stretch),
        }
    }
    merged
}

/// What is left of stretches without others, ascending and apart.
#[must_use]
pub fn without(stretches: &[Stretch], others: &[Stretch]) -> Vec<Stretch> {
    let others = merged(others.to_vec());
    let mut left = Vec::new();
    for mut stretch in merged(stretches.to_vec()) {
        let whole = stretch;
        for other in others.iter().filter(|other| !other.intersection(whole).is_empty()) {
            left.push(Stretch { from_us: stretch.from_us, to_us: other.from_us });
            stretch.from_us = stretch.from_us.max(other.to_us);
        }
        left.push(stretch);
    }
    merged(left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stretch(from_us: i64, to_us: i64) -> Stretch {
        Stretch { from_us, to_us }
    }

    #[test]
    fn what_overlaps_or_touches_is_one() {
        assert_eq!(
            merged(vec![stretch(5, 7), stretch(0, 2), stretch(2, 3), stretch(6, 9), stretch(4, 4)]),
            [stretch(0, 3), stretch(5, 9)]
        );
    }

    #[test]
    fn all_time_stays_all_time() {
        assert_eq!(Stretch::ALL.widened(60), Stretch::ALL);
        assert_eq!(stretch(-61, -1).widened(60), stretch(-120, 0));
        assert_eq!(stretch(0, 60).widened(60), stretch(0, 60));
    }

    proptest! {
        #[test]
        fn merging_loses_and_adds_no_moment(
            pairs in proptest::collection::vec((-30_i64..30, 0_i64..9), 0..12),
            width in 1_i64..9,
        ) {
            let stretches: Vec<Stretch> = pairs.iter().map(|&(from, length)| stretch(from, from + length)).collect();
            let holds = |stretches: &[Stretch], us: i64| stretches.iter().any(|s| s.from_us <= us && us < s.to_us);
            let whole = merged(stretches.clone());
            for us in -40..50 {
                prop_assert_eq!(holds(&stretches, us), holds(&whole, us));
            }
            for pair in whole.windows(2) {
                prop_assert!(pair[0].to_us < pair[1].from_us);
            }
            for stretch in stretches.into_iter().filter(|stretch| !stretch.is_empty()) {
                let wide = stretch.widened(width);
                prop_assert!(wide.from_us <= stretch.from_us && stretch.to_us <= wide.to_us);
                prop_assert!(stretch.from_us - wide.from_us < width && wide.to_us - stretch.to_us < width);
                prop_assert_eq!((wide.from_us.rem_euclid(width), wide.to_us.rem_euclid(width)), (0, 0));
                let whole = stretch.narrowed(width);
                let buckets = (-50..60).filter(|us| us % width == 0);
                for us in buckets {
                    let is_whole = stretch.from_us <= us && us + width <= stretch.to_us;
                    prop_assert_eq!(holds(&[whole], us), is_whole, "{}", us);
                }
            }
        }

        #[test]
        fn what_is_left_is_in_the_ones_and_not_in_the_others(
            pairs in proptest::collection::vec((-30_i64..30, 0_i64..9), 0..8),
            others in proptest::collection::vec((-30_i64..30, 0_i64..9), 0..8),
        ) {
            let made = |pairs: Vec<(i64, i64)>| pairs.iter().map(|&(from, length)| stretch(from, from + length)).collect();
            let (stretches, others): (Vec<Stretch>, Vec<Stretch>) = (made(pairs), made(others));
            let holds = |stretches: &[Stretch], us: i64| stretches.iter().any(|s| s.from_us <= us && us < s.to_us);
            let left = without(&stretches, &others);
            for us in -40..50 {
                prop_assert_eq!(holds(&left, us), holds(&stretches, us) && !holds(&others, us), "{}", us);
            }
        }
    }
}
