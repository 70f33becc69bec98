//! Files as `chunkwise load` reads them: the plan from the beginning, then the parts.

#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use chunkwise::load::{Content, LoadOptions, Part, Plan, Rows, Values};
use libfuzzer_sys::fuzz_target;

/// One file, written anew each time; in memory where the system keeps such a folder.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix("chunkwise-fuzz-").tempdir_in(folder).expect("a folder can be made");
    // It stays when the process ends, empty but for one small file.
    folder.keep().join("file.csv")
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).expect("the file can be written");
    let Ok(plan) = Plan::infer(&FILE, &LoadOptions::default()) else { return };
    assert!(!plan.to_string().is_empty());
    let first = read(&plan);
    for part in &first {
        if let Content::Rows(rows) = &part.content {
            check(rows, part);
        }
        assert_eq!(part.lines().flatten().count(), part.lines().filter(Result::is_ok).count());
    }
    assert!(shown(&first) == shown(&read(&plan)), "a file is the same parts each time");
});

/// As text, because what is missing is NaN and equal to nothing; rows as lines, because texts have an index, whose order is
/// another one each time.
fn shown(parts: &[Part]) -> String {
    let part = |part: &Part| format!("{:?}", (&part.place, &part.bytes, &part.tally, part.lines().collect::<Vec<_>>()));
    parts.iter().map(part).collect()
}

fn read(plan: &Plan) -> Vec<Part> {
    let Ok(parts) = plan.parts() else { return Vec::new() };
    parts.map_while(Result::ok).map_while(|raw| plan.read(raw).ok()).collect()
}

fn check(rows: &Rows, part: &Part) {
    let count = rows.len();
    assert_eq!((rows.rounded.len(), rows.lines.len(), rows.spans.len()), (count, count, count));
    assert!(rows.tags.iter().all(|tag| tag.values.len() == count));
    for field in &rows.fields {
        let values = match &field.values {
            Values::Numbers(values) => values.len(),
            Values::Integers(values) => values.len(),
            Values::Booleans(values) => values.len(),
            Values::Texts(values) => values.len(),
            Values::Times(values) => values.len(),
        };
        assert_eq!(values, count);
    }
    assert!(rows.spans.iter().all(|&(start, end)| start <= end && end as usize <= part.bytes.len()));
    assert_eq!(rows.to_lines().len(), count, "each row has a value");
}
