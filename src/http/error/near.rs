//! Names that resemble one that does not exist.

/// The most names to suggest.
const MAX_NEAR: usize = 3;

/// The names of `candidates` that resemble `name`, the nearest first, at most three.
///
/// A name resembles another if it is the same but for case, begins with it, or is a few edits away: one for every three
/// characters of `name`, and at least one.
pub fn near_matches<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let there: Vec<char> = candidate.to_lowercase().chars().collect();
            let edits = edits(&wanted, &there);
            let begins = !wanted.is_empty() && (there.starts_with(&wanted) || wanted.starts_with(&there));
            (begins || edits <= (wanted.len() / 3).max(1)).then_some((edits, candidate))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(MAX_NEAR).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// Levenshtein's distance, row by row.
fn edits(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

/// `: did you mean `a`, `b`?`, or nothing.
pub(super) fn hint(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => {
            format!(": did you mean {}?", near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_case_and_beginnings_are_near() {
        let there = ["prices", "price_bars", "ticks", "Sensors"];
        assert_eq!(near_matches("pricse", there), ["prices"]);
        assert_eq!(near_matches("price", there), ["prices", "price_bars"]);
        assert_eq!(near_matches("sensors", there), ["Sensors"]);
        assert_eq!(near_matches("volume", there), [""; 0]);
        assert_eq!(near_matches("", there), [""; 0]);
    }

    #[test]
    fn edits_are_insertions_deletions_and_substitutions() {
        let count = |a: &str, b: &str| edits(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        for (a, b, expected) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0)] {
            assert_eq!(count(a, b), expected, "{a} -> {b}");
        }
    }
}
