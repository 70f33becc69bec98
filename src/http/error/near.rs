//! Names that resemble one that does not exist.

/// The most names to suggest.
const MAX_NEAR: usize = 3;

/// The names of `candidates` that resemble `name`, the nearest first, at most three.
///
/// A name resembles another if it is the same but for case, begins with it, or is a few edits away: one for every three
/// characters of `name`, and at least one.
pub fn near_matches<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let most_edits = (wanted.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let there = candidate.to_lowercase();
            let edits = strsim::levenshtein(&wanted, &there);
            let begins = !wanted.is_empty() && (there.starts_with(&wanted) || wanted.starts_with(&there));
            (begins || edits <= most_edits).then_some((edits, candidate))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(MAX_NEAR).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// `: did you mean `a`, `b`?`, or nothing.
pub(in crate::http) fn hint(near: &[String]) -> String {
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
}
