//! Reports that are kept: each run's in the data folder, where `up` and `serve` show it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chunkwise::{bench::Report, config::Config};

use crate::{
    output::{self, Output},
    service::reports_folder,
};

/// Keeps a report. The figures are told in any case, so that it cannot be kept is a warning.
pub(super) fn keep(benchmark: &str, report: &Report, config: &Config) {
    match write(benchmark, report, config) {
        Ok(file) => output::tell(format_args!("kept as {}; the web page shows it", file.display())),
        Err(error) => tracing::warn!(error = format!("{error:#}"), "the report is not kept for the web page"),
    }
}

fn write(benchmark: &str, report: &Report, config: &Config) -> anyhow::Result<PathBuf> {
    let folder = reports_folder(config)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let file = free(&folder, &name(benchmark, &report.environment.date));
    Output::new(Some(file.clone())).write(&serde_json::to_vec_pretty(report)?)?;
    Ok(file)
}

/// `queries-20261127T051233Z`, of a date as RFC 3339 has it in UTC.
fn name(benchmark: &str, date: &str) -> String {
    let time: String = date.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{benchmark}-{time}")
}

/// The first of the names that no other run of the same second has.
fn free(folder: &Path, name: &str) -> PathBuf {
    let first = folder.join(format!("{name}.json"));
    let others = (2_u32..).map(|number| folder.join(format!("{name}-{number}.json")));
    std::iter::once(first.clone()).chain(others).find(|file| !file.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_benchmark_and_time_and_is_nobody_else_s() {
        let folder = tempfile::tempdir().unwrap();
        let name = name("queries", "2026-11-27T05:12:33Z");
        assert_eq!(name, "queries-20261127T051233Z");
        for file in
            ["queries-20261127T051233Z.json", "queries-20261127T051233Z-2.json", "queries-20261127T051233Z-3.json"]
        {
            let path = free(folder.path(), &name);
            assert_eq!(path, folder.path().join(file));
            std::fs::write(path, "{}").unwrap();
        }
    }
}
