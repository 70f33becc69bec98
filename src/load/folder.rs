//! Folders: the files in them that can be loaded.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::dialect::is_loadable;

/// What paths lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Files to load: those that were named, whatever they are called, and those of named folders that are called like
    /// ones that can be loaded. In the order in which they were named, a folder's by name.
    pub files: Vec<PathBuf>,
    /// What else is in the folders, folders among it: nothing below them is looked at. Hidden files are not mentioned.
    pub skipped: Vec<PathBuf>,
}

/// Replaces folders by the files in them. Blocks.
///
/// # Errors
/// A folder that cannot be read, with its path.
pub fn find_files(paths: &[PathBuf]) -> Result<Found, (PathBuf, io::Error)> {
    let mut found = Found::default();
    for path in paths {
        if !path.is_dir() {
            found.files.push(path.clone());
            continue;
        }
        for inner in entries(path).map_err(|error| (path.clone(), error))? {
            let fits = is_loadable(&inner) && !inner.is_dir();
            if fits { &mut found.files } else { &mut found.skipped }.push(inner);
        }
    }
    Ok(found)
}

/// What is in a folder, by name, without what is hidden.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_what_can_be_loaded_by_name_and_says_what_it_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b.csv", "a.lp.gz", "c.TSV.zst", "notes.txt", ".hidden.csv", "d.parquet"] {
            fs::write(at(name), "x").unwrap();
        }
        fs::create_dir(at("deeper.csv")).unwrap();
        let named = at("notes.txt");
        let found = find_files(&[named.clone(), folder.path().to_owned()]).unwrap();
        assert_eq!(found.files, [named, at("a.lp.gz"), at("b.csv"), at("c.TSV.zst"), at("d.parquet")]);
        assert_eq!(found.skipped, [at("deeper.csv"), at("notes.txt")]);
    }
}
