//! Names of columns that come from tags, made unlike all others of the same table.

use std::collections::{HashMap, HashSet};

use crate::query::AnswerRows;

/// Names the tags' columns: as the tags, with the prefix `tag_` where a column of the answer has that name.
///
/// Where the prefixed name is another tag's, the prefix is repeated, so that all names differ.
pub(super) fn tag_columns(tag_names: &[String], answer_columns: &[&str]) -> Vec<String> {
    let tags: HashSet<&str> = tag_names.iter().map(String::as_str).collect();
    tag_names
        .iter()
        .map(|tag| {
            let mut name = tag.clone();
            while answer_columns.contains(&name.as_str()) || (name != *tag && tags.contains(name.as_str())) {
                name.insert_str(0, "tag_");
            }
            name
        })
        .collect()
}

/// Names one column a series: the tag's value where the measurement has one tag, else `k=v,k=v` of the tags that the
/// series has, else `series_id=3`.
///
/// All that would share a name, or have that of the column `time`, get ` (series_id)` behind it.
pub(super) fn wide_columns(rows: &AnswerRows) -> Vec<String> {
    let plain: Vec<String> = rows
        .series
        .iter()
        .map(|series| {
            let pairs = rows.tag_names.iter().zip(&series.tags).filter_map(|(k, v)| v.as_deref().map(|v| (k, v)));
            let name = match rows.tag_names.len() {
                1 => pairs.map(|(_, v)| v.to_owned()).collect(),
                _ => pairs.map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","),
            };
            if name.is_empty() { format!("series_id={}", series.series_id) } else { name }
        })
        .collect();

    let mut uses: HashMap<&str, usize> = HashMap::from([("time", 1)]);
    for name in &plain {
        *uses.entry(name).or_default() += 1;
    }
    let mut taken: HashSet<String> =
        uses.iter().filter(|(_, count)| **count == 1).map(|(name, _)| (*name).to_owned()).collect();
    taken.insert("time".to_owned());
    plain
        .iter()
        .zip(&rows.series)
        .map(|(plain, series)| {
            let mut name = plain.clone();
            if uses[plain.as_str()] > 1 {
                loop {
                    name = format!("{name} ({})", series.series_id);
                    if taken.insert(name.clone()) {
                        break;
                    }
                }
            }
            name
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::query::{SelectedSeries, TaggedSeries};

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn rows(tag_names: &[&str], series: &[(i64, &[Option<&str>])]) -> AnswerRows {
        Arc::new(SelectedSeries {
            tag_names: texts(tag_names),
            series: series
                .iter()
                .map(|(series_id, tags)| TaggedSeries {
                    series_id: *series_id,
                    tags: tags.iter().map(|tag| tag.map(str::to_owned)).collect(),
                })
                .collect(),
            version: String::new(),
        })
    }

    #[test]
    fn a_tag_named_like_a_column_is_prefixed_and_never_meets_another_tag() {
        let columns = ["series_id", "time", "value"];
        assert_eq!(tag_columns(&texts(&["symbol", "time"]), &columns), ["symbol", "tag_time"]);
        assert_eq!(tag_columns(&texts(&["time", "tag_time"]), &columns), ["tag_tag_time", "tag_time"]);
        assert_eq!(tag_columns(&texts(&["r"]), &columns), ["r"], "r is no column of a window");
    }

    #[test]
    fn wide_columns_are_named_by_one_tags_value_or_by_all_pairs() {
        assert_eq!(wide_columns(&rows(&["s"], &[(1, &[Some("A")]), (2, &[Some("B")])])), ["A", "B"]);
        let two = rows(&["s", "x"], &[(1, &[Some("A"), Some("N")]), (2, &[None, Some("N")]), (3, &[None, None])]);
        assert_eq!(wide_columns(&two), ["s=A,x=N", "x=N", "series_id=3"]);
    }

    #[test]
    fn wide_columns_that_collide_get_the_series_id() {
        let same = rows(&["s"], &[(1, &[Some("A")]), (2, &[Some("A")]), (3, &[Some("A (1)")]), (4, &[Some("time")])]);
        assert_eq!(wide_columns(&same), ["A (1) (1)", "A (2)", "A (1)", "time (4)"]);
    }
}
