//! Whole files: the three real ones under `tests/data`, hostile ones, and loads that are cut off.

mod growth;
mod hostile;
mod parquet;
mod real_data;
mod resume;
mod tsbs;

use std::{fs, io::Write, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::*;

/// A folder with one file in it.
struct Written {
    path: PathBuf,
    _folder: TempDir,
}

impl Written {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Self { path, _folder: folder }
    }

    fn plan(&self, options: &LoadOptions) -> Result<Plan, LoadError> {
        Plan::infer(&self.path, options)
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn wide(tag: &str) -> LoadOptions {
    LoadOptions { wide: Some(WideOptions::new(tag, None)), ..LoadOptions::default() }
}

fn csv(plan: &Plan) -> &CsvPlan {
    match &plan.content {
        PlannedContent::Csv(csv) => csv,
        other => panic!("planned as {other:?}"),
    }
}

fn census(plan: &Plan) -> Census {
    plan.dry_run(|_| {}).unwrap()
}

/// All rows of a file as text, to be compared: time, tags, fields.
fn rows_of(plan: &Plan) -> Vec<String> {
    let mut shown = Vec::new();
    for raw in plan.parts().unwrap() {
        let Content::Rows(rows) = plan.read(raw.unwrap()).unwrap().content else { panic!("planned as line protocol") };
        for row in 0..rows.len() {
            let tags = rows.tags.iter().map(|tag| format!(" {}={}", tag.name, tag.values.get(row).unwrap_or("-")));
            let fields = rows.fields.iter().map(|field| {
                let value = match &field.values {
                    Values::Numbers(numbers) => numbers[row].to_string(),
                    Values::Integers(integers) => format!("{:?}", integers[row]),
                    Values::Booleans(booleans) => format!("{:?}", booleans[row]),
                    Values::Texts(texts) => format!("{:?}", texts.get(row)),
                    Values::Times(times) => format!("{:?}", times[row]),
                };
                format!(" {}={value}", field.name)
            });
            shown.push(format!("{}{}", rows.times_us[row] / 1_000_000, tags.chain(fields).collect::<String>()));
        }
    }
    shown
}
