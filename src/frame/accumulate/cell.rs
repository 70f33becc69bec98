//! What is remembered of the values of one bucket of one series, by aggregate.

use std::marker::PhantomData;

/// The state of one cell. Values handed in are finite.
///
/// `add` and `merge` give the same state in any order, for sums but for rounding.
pub(super) trait Cell: Copy {
    /// The state before the first value.
    const EMPTY: Self;

    /// Takes one value in.
    fn add(&mut self, time_us: i64, value: f64);

    /// Takes in all that another cell has taken in.
    fn merge(&mut self, other: Self);

    /// Whether no value was taken in.
    fn is_empty(&self) -> bool;

    /// The aggregate; NaN where it is missing.
    fn value(&self) -> f64;
}

/// A sum by Neumaier's compensation (1974): its error does not grow with the number of values, so that the order of
/// rows and the places where time is sliced do not show in the answer but for the last bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    /// NaN before the first value, infinite once the sum has left what a float64 holds.
    sum: f64,
    /// What rounding has lost so far.
    lost: f64,
}

impl Cell for Sum {
    const EMPTY: Self = Self { sum: f64::NAN, lost: 0.0 };

    #[inline]
    fn add(&mut self, _: i64, value: f64) {
        if self.sum.is_nan() {
            self.sum = value;
            return;
        }
        let sum = self.sum + value;
        if !sum.is_finite() {
            *self = Self { sum: f64::INFINITY, lost: 0.0 };
            return;
        }
        let (great, small) = if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
        self.lost += (great - sum) + small;
        self.sum = sum;
    }

    #[inline]
    fn merge(&mut self, other: Self) {
        if !other.is_empty() {
            self.add(0, other.sum);
            self.lost += other.lost;
        }
    }

    fn is_empty(&self) -> bool {
        self.sum.is_nan()
    }

    fn value(&self) -> f64 {
        let sum = self.sum + self.lost;
        if sum.is_finite() { sum } else { f64::NAN }
    }
}

/// A sum and how many values are in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    sum: Sum,
    count: Count,
}

impl Cell for Mean {
    const EMPTY: Self = Self { sum: Sum::EMPTY, count: Count::EMPTY };

    #[inline]
    fn add(&mut self, time_us: i64, value: f64) {
        self.sum.add(time_us, value);
        self.count.add(time_us, value);
    }

    #[inline]
    fn merge(&mut self, other: Self) {
        self.sum.merge(other.sum);
        self.count.merge(other.count);
    }

    fn is_empty(&self) -> bool {
        self.count.is_empty()
    }

    fn value(&self) -> f64 {
        self.sum.value() / self.count.value()
    }
}

/// How many values there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count(u64);

impl Cell for Count {
    const EMPTY: Self = Self(0);

    #[inline]
    fn add(&mut self, _: i64, _: f64) {
        self.0 += 1;
    }

    #[inline]
    fn merge(&mut self, other: Self) {
        self.0 += other.0;
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn value(&self) -> f64 {
        if self.is_empty() { f64::NAN } else { self.0 as f64 }
    }
}

/// Which of two rows, each a time and a value, a cell keeps.
///
/// Values are compared in one total order, with -0 below 0, so that the choice never depends on the order of rows.
pub(super) trait Choice: Copy {
    /// Whether the new row takes the place of the old one.
    fn prefers(new: (i64, f64), old: (i64, f64)) -> bool;
}

/// Prefers the earlier row, of rows at the same time the greater value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Earliest;

/// Prefers the later row, of rows at the same time the greater value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latest;

/// Prefers the lesser value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least;

/// Prefers the greater value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Greatest;

impl Choice for Earliest {
    #[inline]
    fn prefers(new: (i64, f64), old: (i64, f64)) -> bool {
        new.0 < old.0 || (new.0 == old.0 && Greatest::prefers(new, old))
    }
}

impl Choice for Latest {
    #[inline]
    fn prefers(new: (i64, f64), old: (i64, f64)) -> bool {
        new.0 > old.0 || (new.0 == old.0 && Greatest::prefers(new, old))
    }
}

impl Choice for Least {
    #[inline]
    fn prefers(new: (i64, f64), old: (i64, f64)) -> bool {
        new.1.total_cmp(&old.1).is_lt()
    }
}

impl Choice for Greatest {
    #[inline]
    fn prefers(new: (i64, f64), old: (i64, f64)) -> bool {
        new.1.total_cmp(&old.1).is_gt()
    }
}

/// The preferred row, with its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<C> {
    time_us: i64,
    /// NaN before the first.
    value: f64,
    choice: PhantomData<C>,
}

impl<C: Choice> Cell for Row<C> {
    const EMPTY: Self = Self { time_us: 0, value: f64::NAN, choice: PhantomData };

    #[inline]
    fn add(&mut self, time_us: i64, value: f64) {
        if self.is_empty() || C::prefers((time_us, value), (self.time_us, self.value)) {
            (self.time_us, self.value) = (time_us, value);
        }
    }

    #[inline]
    fn merge(&mut self, other: Self) {
        if !other.is_empty() {
            self.add(other.time_us, other.value);
        }
    }

    fn is_empty(&self) -> bool {
        self.value.is_nan()
    }

    fn value(&self) -> f64 {
        self.value
    }
}

/// The preferred value, without its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<C> {
    /// NaN before the first.
    value: f64,
    choice: PhantomData<C>,
}

impl<C: Choice> Cell for Value<C> {
    const EMPTY: Self = Self { value: f64::NAN, choice: PhantomData };

    #[inline]
    fn add(&mut self, _: i64, value: f64) {
        if self.is_empty() || C::prefers((0, value), (0, self.value)) {
            self.value = value;
        }
    }

    #[inline]
    fn merge(&mut self, other: Self) {
        if !other.is_empty() {
            self.add(0, other.value);
        }
    }

    fn is_empty(&self) -> bool {
        self.value.is_nan()
    }

    fn value(&self) -> f64 {
        self.value
    }
}
