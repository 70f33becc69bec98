//! Files that grow, are changed, and loads that are cut off in between: each row is written once.

use std::path::Path;

use hashbrown::HashMap;
use proptest::prelude::*;

use super::*;
use crate::load::{cutting::PartLimits, source::Source};

/// What a database has: extents by key, and all records that were written.
#[derive(Default)]
struct Ledger {
    extents: HashMap<PartKey, Extent>,
    written: Vec<String>,
}

/// How a load goes.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The file's length by then, in bytes.
    length: usize,
    growth: Growth,
    /// The load is cut off before this part; the one before it may be missing while it is there.
    parts: usize,
    loses_one_before: bool,
}

impl Ledger {
    /// Loads the file as it is, in parts of three records. Tells whether a part was found to differ.
    fn load(&mut self, path: &Path, run: Run) -> bool {
        let options = LoadOptions { growth: run.growth, ..LoadOptions::default() };
        let Ok(plan) = Plan::infer(path, &options) else { return false };
        let opened = match run.growth {
            Growth::Complete => Source::open(path).unwrap(),
            Growth::Growing => Source::follow(path, StopSign::raised()).unwrap(),
        };
        let limits = PartLimits { records: 3, bytes: 1_000 };
        let mut parts = plan.text_parts(opened, Some(limits)).unwrap();
        let (mut pending, mut differs) = (Vec::new(), false);
        while let Some(raw) = parts.next_part(&mut |key| Ok(self.extents.get(&key).copied())).unwrap() {
            differs |= raw.place.history == History::Differs;
            if raw.place.history == History::Written {
                continue;
            }
            let is_short = raw.place.is_short;
            pending.push(raw);
            if pending.len() > run.parts {
                break;
            }
            if is_short {
                // Nothing is written beside a short part.
                pending.drain(..).for_each(|raw| self.commit(raw));
            }
        }
        pending.truncate(run.parts);
        if run.loses_one_before && pending.len() > 1 {
            pending.remove(pending.len() - 2);
        }
        pending.into_iter().for_each(|raw| self.commit(raw));
        differs
    }

    fn commit(&mut self, raw: RawPart) {
        let RawRecords::Text(text) = raw.records else { panic!("no text") };
        assert!(self.extents.insert(raw.place.key, raw.place.extent).is_none(), "a key is used twice");
        let lines = String::from_utf8(text).unwrap();
        self.written.extend(lines.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
}

const ALL: usize = usize::MAX;

fn whole(length: usize) -> Run {
    Run { length, growth: Growth::Complete, parts: ALL, loses_one_before: false }
}

fn text(rows: usize) -> String {
    let rows = (0..rows).map(|row| format!("{},{row}\n", 1_600_000_000 + row));
    std::iter::once("time,v\n".to_owned()).chain(rows).collect()
}

fn records(text: &str) -> Vec<String> {
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn of_a_file_that_has_grown_only_what_is_new_is_written() {
    let file = Written::new("a.csv", text(4));
    let mut ledger = Ledger::default();
    for rows in [4, 4, 5, 11, 11] {
        fs::write(&file.path, text(rows)).unwrap();
        assert!(!ledger.load(&file.path, whole(0)));
        assert_eq!(ledger.written, records(&text(rows)));
    }
}

#[test]
fn a_last_line_without_a_line_break_is_loaded_and_may_get_one_later() {
    let file = Written::new("a.csv", text(5).trim_end());
    let mut ledger = Ledger::default();
    ledger.load(&file.path, whole(0));
    fs::write(&file.path, text(9)).unwrap();
    ledger.load(&file.path, whole(0));
    assert_eq!(ledger.written, records(&text(9)));
}

#[test]
fn a_last_line_that_was_half_written_costs_itself_alone() {
    let file = Written::new("a.csv", text(5).trim_end());
    let mut ledger = Ledger::default();
    ledger.load(&file.path, whole(0));
    let completed = format!("{}2\n", text(5).trim_end());
    fs::write(&file.path, &completed).unwrap();
    assert!(ledger.load(&file.path, whole(0)), "it is told");
    assert_eq!(ledger.written, [records(&text(5)), vec!["1600000004,42".to_owned()]].concat());
}

#[test]
fn a_changed_part_and_those_behind_it_are_new_and_that_only_once() {
    let file = Written::new("a.csv", text(9));
    let mut ledger = Ledger::default();
    ledger.load(&file.path, whole(0));
    let changed = text(9).replace(",4\n", ",400\n");
    fs::write(&file.path, &changed).unwrap();
    for differs in [true, false] {
        assert_eq!(ledger.load(&file.path, whole(0)), differs);
        assert_eq!(ledger.written, [records(&text(9)), records(&changed)[3..].to_vec()].concat());
    }
}

#[test]
fn files_that_begin_with_the_same_line_do_not_hide_each_other() {
    let mut ledger = Ledger::default();
    let mut expected = Vec::new();
    for name in ["x", "y", "z"] {
        let text = format!("time,v\n1,0\n2,{}\n", name.len() + expected.len());
        let file = Written::new("a.csv", &text);
        ledger.load(&file.path, whole(0));
        ledger.load(&file.path, whole(0));
        expected.extend(records(&text));
        assert_eq!(ledger.written, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However the file grows between the loads, whether it is followed, and wherever they are cut off.
    #[test]
    fn each_row_of_a_growing_file_is_written_once(
        rows in 1usize..30,
        runs in proptest::collection::vec((0.0f64..1.0, any::<bool>(), 0usize..6, any::<bool>()), 0..8),
    ) {
        let text = text(rows);
        let file = Written::new("a.csv", "");
        let mut ledger = Ledger::default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
        let mut runs: Vec<Run> = runs.into_iter().map(|(share, followed, parts, loses_one_before)| {
            let length = (text.len() as f64 * share) as usize;
            // A load of a complete file finds complete lines.
            let complete = text[..length].rfind('\n').map_or(0, |end| end + 1);
            let (length, growth) = if followed { (length, Growth::Growing) } else { (complete, Growth::Complete) };
            Run { length, growth, parts, loses_one_before }
        }).collect();
        runs.sort_by_key(|run| run.length);
        runs.push(whole(text.len()));
        for run in runs {
            fs::write(&file.path, &text[..run.length]).unwrap();
            prop_assert!(!ledger.load(&file.path, run));
        }
        let mut written = ledger.written;
        written.sort();
        prop_assert_eq!(written, records(&text));
    }
}
