//! What the cells of one column in the sample look like.

use hashbrown::HashSet;

use super::{
    cell::{is_missing, read_boolean, read_number},
    iso::parse_iso,
};

/// The cells of a column in the sample, counted by what they can be read as.
#[derive(Debug, Default)]
pub(super) struct Profile<'a> {
    /// Cells that are not missing.
    pub(super) cells: usize,
    pub(super) numbers: usize,
    pub(super) booleans: usize,
    pub(super) iso_times: usize,
    /// Of the ISO times, those that are a date alone.
    pub(super) dates: usize,
    /// `09:30`, `09:30:00`.
    pub(super) times_of_day: usize,
    /// Digits grouped or with a decimal comma, a currency or a percent sign: numbers to a person.
    pub(super) decorated_numbers: usize,
    /// The values that are not missing.
    pub(super) distinct: HashSet<&'a [u8]>,
    /// The first cell that is not missing.
    pub(super) example: &'a [u8],
}

impl<'a> Profile<'a> {
    pub(super) fn add(&mut self, cell: &'a [u8]) {
        let cell = cell.trim_ascii();
        if is_missing(cell) {
            return;
        }
        if self.cells == 0 {
            self.example = cell;
        }
        self.cells += 1;
        self.distinct.insert(cell);
        if read_number(cell).is_ok() {
            self.numbers += 1;
        } else if read_boolean(cell).is_ok() {
            self.booleans += 1;
        } else if let Some(time) = parse_iso(cell) {
            self.iso_times += 1;
            self.dates += usize::from(time.date_only);
        } else if is_time_of_day(cell) {
            self.times_of_day += 1;
        } else if is_decorated_number(cell) {
            self.decorated_numbers += 1;
        }
    }

    /// Whether `count` is three quarters of the cells or more: a few bad ones do not turn a column of numbers into text,
    /// they are refused.
    pub(super) fn mostly(&self, count: usize) -> bool {
        self.cells > 0 && count * 4 >= self.cells * 3
    }

    pub(super) fn example(&self) -> String {
        super::refusal::excerpt(self.example)
    }
}

fn is_time_of_day(cell: &[u8]) -> bool {
    // Read behind any date, so that one reader knows what a time of the day is.
    cell.contains(&b':') && parse_iso(&[b"2000-01-01 ", cell].concat()).is_some()
}

fn is_decorated_number(cell: &[u8]) -> bool {
    let digits = cell.iter().filter(|byte| byte.is_ascii_digit()).count();
    let text = String::from_utf8_lossy(cell);
    digits > 0
        && text.chars().all(|c| c.is_ascii_digit() || "+-.,' %$€£¥\u{a0}".contains(c))
        && text.contains([',', '%', '$', '€', '£', '¥'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile<'a>(cells: &[&'a str]) -> Profile<'a> {
        let mut profile = Profile::default();
        cells.iter().for_each(|cell| profile.add(cell.as_bytes()));
        profile
    }

    #[test]
    fn each_cell_is_counted_as_one_thing() {
        let p = profile(&["", "NA", "1.5", "true", "2020-01-01", "2020-01-01 09:30", "09:30", "1,5", "AAPL", "AAPL"]);
        assert_eq!((p.cells, p.numbers, p.booleans, p.iso_times, p.dates), (8, 1, 1, 2, 1));
        assert_eq!((p.times_of_day, p.decorated_numbers, p.distinct.len(), p.example), (1, 1, 7, &b"1.5"[..]));
    }

    #[test]
    fn a_quarter_of_bad_cells_leaves_a_column_of_numbers_one() {
        let p = profile(&["1", "2", "oops", "4"]);
        assert!(p.mostly(p.numbers));
        let p = profile(&["1", "oops", "A", "4"]);
        assert!(!p.mostly(p.numbers));
        assert!(!profile(&[]).mostly(0), "nothing is known of an empty column");
    }

    #[test]
    fn numbers_in_other_spellings_are_noticed() {
        for cell in ["1,5", "1.234,50", "$12.50", "12%", "€ 3"] {
            assert!(is_decorated_number(cell.as_bytes()), "{cell}");
        }
        for cell in ["-", "2020-01-01", "AAPL", "B, C"] {
            assert!(!is_decorated_number(cell.as_bytes()), "{cell}");
        }
    }
}
