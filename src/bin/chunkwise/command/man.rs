//! `chunkwise man`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use crate::{cli::Cli, output};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise man | man -l -
  chunkwise man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write a page for each subcommand into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> anyhow::Result<()> {
    match &args.dir {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
            .with_context(|| format!("writing manual pages to {}", folder.display())),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            output::print(&page)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_subcommand() {
        let folder = tempfile::tempdir().unwrap();
        run(&ManArgs { dir: Some(folder.path().join("man1")) }).unwrap();
        for page in ["chunkwise.1", "chunkwise-correlate.1", "chunkwise-db-doctor.1"] {
            assert!(folder.path().join("man1").join(page).is_file(), "{page}");
        }
    }
}
