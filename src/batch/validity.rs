//! Which cells of a column there are.

/// A bit for each cell: set where there is a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Validity {
    words: Vec<u64>,
    len: usize,
}

const BITS: usize = u64::BITS as usize;

impl Validity {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, valid: bool) {
        if self.len.is_multiple_of(BITS) {
            self.words.push(0);
        }
        self.words[self.len / BITS] |= u64::from(valid) << (self.len % BITS);
        self.len += 1;
    }

    /// Takes the last bit away; there must be one.
    pub(super) fn pop(&mut self) {
        self.len -= 1;
        self.words[self.len / BITS] &= !(1 << (self.len % BITS));
        self.words.truncate(self.len.div_ceil(BITS));
    }

    /// Adds bits that are not set, up to `len` bits; does nothing where there are as many.
    pub(super) fn pad(&mut self, len: usize) {
        self.len = self.len.max(len);
        self.words.resize(self.len.div_ceil(BITS), 0);
    }

    /// The bit at `at`; not set behind the end.
    pub(super) fn get(&self, at: usize) -> bool {
        self.words.get(at / BITS).is_some_and(|word| word >> (at % BITS) & 1 == 1)
    }

    /// Adds the bits of `other`, a word at a time.
    pub(super) fn append(&mut self, other: &Self) {
        let shift = self.len % BITS;
        let first = self.len / BITS;
        self.pad(self.len + other.len);
        for (i, &word) in other.words.iter().enumerate() {
            // Bits behind an end are never set, so what is shifted out past the last word is nothing.
            self.words[first + i] |= word << shift;
            if let Some(next) = self.words.get_mut(first + i + 1).filter(|_| shift > 0) {
                *next |= word >> (BITS - shift);
            }
        }
    }

    /// The places of the bits that are set, ascending. A place fits 32 bits: it is a batch's row.
    pub(super) fn ones(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0_u32..).flat_map(|(&word, at)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(at * u64::BITS + bit)
            })
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn of(bits: &[bool]) -> Validity {
        let mut validity = Validity::default();
        bits.iter().for_each(|&bit| validity.push(bit));
        validity
    }

    proptest! {
        #[test]
        fn bits_are_kept_padded_and_joined_as_a_list_would(
            a in vec(any::<bool>(), 0..200),
            b in vec(any::<bool>(), 0..200),
            pad in 0..300_usize,
        ) {
            let mut validity = of(&a);
            validity.append(&of(&b));
            validity.pad(pad);
            validity.append(&of(&a));
            let mut expected = [&a[..], &b[..]].concat();
            expected.resize(expected.len().max(pad), false);
            expected.extend(&a);
            prop_assert_eq!(validity.len(), expected.len());
            for at in 0..expected.len() + 70 {
                prop_assert_eq!(validity.get(at), expected.get(at).is_some_and(|&bit| bit), "{}", at);
            }
            let ones = expected.iter().zip(0_u32..).filter_map(|(&bit, at)| bit.then_some(at));
            prop_assert_eq!(validity.ones().collect::<Vec<_>>(), ones.collect::<Vec<_>>());
        }
    }
}
