//! Rows in buckets. Pure.
//!
//! ```text
//! rows of the storage, or bars of a narrower level, in any order
//!    -> a bar for each (series, bucket, field): first, last, min, max, sum, count
//!    -> in order of series and time
//! ```
//!
//! What comes out depends on the set of rows alone, not on their order: of equal times the greater value counts, for the
//! first as for the last, and sums carry what rounding lost.

use hashbrown::HashMap;

/// A value as a number that is ordered as the values are: a float's bits turned so, an integer itself, a truth value as 0 or
/// 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(i64);

/// How a field's values become keys, and what its bars' first, last, least and greatest value are in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// float8.
    Float,
    /// int8; truth values too.
    Int,
}

impl Number {
    /// The key of a value as the database sends it; `None` where it is missing: NULL, NaN, an infinity.
    #[inline]
    #[must_use]
    pub fn key(self, value: Option<&[u8]>) -> Option<Key> {
        let bits = i64::from_be_bytes(value?.try_into().ok()?);
        match self {
            Self::Int => Some(Key(bits)),
            Self::Float => Key::of_float(f64::from_bits(bits.cast_unsigned())),
        }
    }

    /// The value of a key as the database takes it.
    #[must_use]
    pub fn bytes(self, key: Key) -> [u8; 8] {
        match self {
            Self::Int => key.0.to_be_bytes(),
            Self::Float => key.float().to_be_bytes(),
        }
    }

    /// The value of a key as a number.
    #[inline]
    #[must_use]
    pub fn value(self, key: Key) -> f64 {
        match self {
            // As PostgreSQL's cast does it.
            Self::Int => key.0 as f64,
            Self::Float => key.float(),
        }
    }
}

impl Key {
    /// Of a float; 0 and -0 are one.
    #[inline]
    #[must_use]
    pub fn of_float(value: f64) -> Option<Self> {
        let bits = (value + 0.0).to_bits().cast_signed();
        value.is_finite().then_some(Self(bits ^ ((bits >> 63) & i64::MAX)))
    }

    /// Of an integer.
    #[must_use]
    pub fn of_int(value: i64) -> Self {
        Self(value)
    }

    /// The integer of an integer's key.
    #[must_use]
    pub fn int(self) -> i64 {
        self.0
    }

    /// The float of a float's key.
    #[inline]
    #[must_use]
    pub fn float(self) -> f64 {
        f64::from_bits((self.0 ^ ((self.0 >> 63) & i64::MAX)).cast_unsigned())
    }
}

/// One field of one series in one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    first_us: i64,
    last_us: i64,
    /// The earliest value.
    pub first: Key,
    /// The latest.
    pub last: Key,
    /// The least.
    pub min: Key,
    /// The greatest.
    pub max: Key,
    sum: f64,
    lost: f64,
    /// How many there are.
    pub count: i64,
}

impl Bar {
    /// No value.
    pub const EMPTY: Self = Self {
        first_us: 0,
        last_us: 0,
        first: Key(0),
        last: Key(0),
        min: Key(0),
        max: Key(0),
        sum: 0.0,
        lost: 0.0,
        count: 0,
    };

    /// A bar of a narrower level as it stands in its table; `time_us` is its bucket's start.
    #[must_use]
    pub fn stored(time_us: i64, [first, last, min, max]: [Key; 4], sum: f64, count: i64) -> Self {
        Self { first_us: time_us, last_us: time_us, first, last, min, max, sum, lost: 0.0, count }
    }

    /// The sum of the values.
    #[must_use]
    pub fn sum(&self) -> f64 {
        let sum = self.sum + self.lost;
        // Beyond what a float64 holds the compensation is no number.
        if sum.is_nan() { self.sum } else { sum }
    }

    #[inline]
    fn add_value(&mut self, time_us: i64, key: Key, value: f64) {
        if self.count == 0 {
            *self = Self::stored(time_us, [key; 4], value, 1);
            return;
        }
        self.take_first(time_us, key);
        self.take_last(time_us, key);
        self.min = self.min.min(key);
        self.max = self.max.max(key);
        self.add_sum(value);
        self.count += 1;
    }

    fn merge(&mut self, other: &Self) {
        if self.count == 0 || other.count == 0 {
            if other.count > 0 {
                *self = *other;
            }
            return;
        }
        self.take_first(other.first_us, other.first);
        self.take_last(other.last_us, other.last);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.add_sum(other.sum);
        self.lost += other.lost;
        self.count += other.count;
    }

    #[inline]
    fn take_first(&mut self, time_us: i64, key: Key) {
        if time_us < self.first_us || (time_us == self.first_us && key > self.first) {
            (self.first_us, self.first) = (time_us, key);
        }
    }

    #[inline]
    fn take_last(&mut self, time_us: i64, key: Key) {
        if time_us > self.last_us || (time_us == self.last_us && key > self.last) {
            (self.last_us, self.last) = (time_us, key);
        }
    }

    /// Neumaier's compensation: the error does not grow with the number of values.
    #[inline]
    fn add_sum(&mut self, value: f64) {
        let sum = self.sum + value;
        let (great, small) = if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
        self.lost += (great - sum) + small;
        self.sum = sum;
    }
}

/// What a mean weighted by another field is made of: the sum of value times weight, and the sum of the weights of those
/// values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weighted {
    /// The sum of products.
    pub product: f64,
    /// The sum of weights.
    pub weight: f64,
}

/// Which of the fields is weighted by which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighting {
    /// The place of the field with the values.
    pub value: usize,
    /// The place of the field with the weights.
    pub weight: usize,
}

/// Bars under way.
#[derive(Debug)]
pub struct Bars {
    numbers: Vec<Number>,
    weighting: Option<Weighting>,
    places: HashMap<(i64, i64), usize>,
    /// Rows mostly come sorted by series: the next one mostly goes where the last one went.
    latest: Option<((i64, i64), usize)>,
    /// A bar a field at each place.
    bars: Vec<Bar>,
    weighted: Vec<Weighted>,
    most: usize,
}

impl Bars {
    /// None yet: a bar for each of the fields.
    #[must_use]
    pub fn new(numbers: Vec<Number>, weighting: Option<Weighting>) -> Self {
        let (bars, weighted) = (Vec::new(), Vec::new());
        Self { numbers, weighting, places: HashMap::new(), latest: None, bars, weighted, most: usize::MAX }
    }

    /// Whoever fills it is to stop when there are more buckets of series than this.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Whether there are no more than there may be.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.len() <= self.most
    }

    /// Takes a row into the bucket that starts at `bucket_us`: the key of each field's value, in their order; `None` where
    /// it has none.
    #[inline]
    pub fn add(&mut self, bucket_us: i64, time_us: i64, series_id: i64, keys: &[Option<Key>]) {
        if keys.iter().all(Option::is_none) {
            return;
        }
        let place = self.place(bucket_us, series_id);
        let fields = self.numbers.len();
        let bars = &mut self.bars[place * fields..(place + 1) * fields];
        for ((bar, key), number) in bars.iter_mut().zip(keys).zip(&self.numbers) {
            if let Some(key) = *key {
                bar.add_value(time_us, key, number.value(key));
            }
        }
        if let Some(Weighting { value, weight }) = self.weighting
            && let (Some(price), Some(size)) = (keys[value], keys[weight])
        {
            let (price, size) = (self.numbers[value].value(price), self.numbers[weight].value(size));
            let weighted = &mut self.weighted[place];
            weighted.product += price * size;
            weighted.weight += size;
        }
    }

    /// Takes in bars of a narrower level, one for each field.
    pub fn merge(&mut self, bucket_us: i64, series_id: i64, bars: &[Bar], weighted: Weighted) {
        let place = self.place(bucket_us, series_id);
        let fields = self.numbers.len();
        for (bar, other) in self.bars[place * fields..(place + 1) * fields].iter_mut().zip(bars) {
            bar.merge(other);
        }
        let sums = &mut self.weighted[place];
        sums.product += weighted.product;
        sums.weight += weighted.weight;
    }

    #[inline]
    fn place(&mut self, bucket_us: i64, series_id: i64) -> usize {
        let bucket = (series_id, bucket_us);
        if let Some((latest, place)) = self.latest
            && latest == bucket
        {
            return place;
        }
        let next = self.weighted.len();
        let place = *self.places.entry(bucket).or_insert(next);
        if place == next {
            self.bars.resize(self.bars.len() + self.numbers.len(), Bar::EMPTY);
            self.weighted.push(Weighted::default());
        }
        self.latest = Some((bucket, place));
        place
    }

    /// How many buckets of series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.weighted.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weighted.is_empty()
    }

    /// The buckets of all series, in order of series and time.
    #[must_use]
    pub fn finish(self) -> Finished {
        let mut order: Vec<((i64, i64), usize)> = self.places.into_iter().collect();
        order.sort_unstable();
        let Self { numbers, weighting, bars, weighted, .. } = self;
        Finished { numbers, weighting, order, bars, weighted }
    }
}

/// Bars in order of series and time.
#[derive(Debug)]
pub struct Finished {
    numbers: Vec<Number>,
    weighting: Option<Weighting>,
    order: Vec<((i64, i64), usize)>,
    bars: Vec<Bar>,
    weighted: Vec<Weighted>,
}

/// The bars of one series in one bucket.
#[derive(Debug, Clone, Copy)]
pub struct BucketBars<'a> {
    /// The series.
    pub series_id: i64,
    /// The bucket's start, microseconds since 1970.
    pub time_us: i64,
    /// One for each field; its count is 0 where there was no value.
    pub bars: &'a [Bar],
    /// See [`Weighting`].
    pub weighted: Weighted,
}

impl Finished {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// What the fields' values are.
    #[must_use]
    pub fn numbers(&self) -> &[Number] {
        &self.numbers
    }

    /// The one at a place of the order.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<BucketBars<'_>> {
        let &((series_id, time_us), place) = self.order.get(at)?;
        let fields = self.numbers.len();
        let bars = self.bars.get(place * fields..(place + 1) * fields)?;
        Some(BucketBars { series_id, time_us, bars, weighted: *self.weighted.get(place)? })
    }

    /// Wider bars of those whose bucket begins within some time, to the bit as they come of these when they are read from
    /// their table; `bucket` gives the start of the wider bucket.
    #[must_use]
    pub fn wider(&self, within: impl Fn(i64) -> bool, bucket: impl Fn(i64) -> i64) -> Self {
        let mut wider = Bars::new(self.numbers.clone(), self.weighting);
        let mut stored: Vec<Bar> = Vec::with_capacity(self.numbers.len());
        for BucketBars { series_id, time_us, bars, weighted } in self.iter().filter(|bars| within(bars.time_us)) {
            stored.clear();
            stored.extend(bars.iter().map(|bar| match bar.count {
                0 => Bar::EMPTY,
                count => Bar::stored(time_us, [bar.first, bar.last, bar.min, bar.max], bar.sum(), count),
            }));
            wider.merge(bucket(time_us), series_id, &stored, weighted);
        }
        wider.finish()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = BucketBars<'_>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

#[cfg(test)]
mod tests;
