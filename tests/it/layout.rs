//! The architecture's rules that a compiler does not check.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each module of the library may import from the others, in the order of the flow. What is absent here is the
/// architecture: questions never reach the write path, correlation never learns what a chunk is, and no part of the
/// library reads the configuration.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("question", &[]),
    ("protocol", &[]),
    ("local", &[]),
    ("config", &["question", "protocol"]),
    ("spool", &["protocol"]),
    ("db", &[]),
    ("jobs", &["db"]),
    ("hypertable", &["db", "question"]),
    // When a chunk is sealed and dropped is for jobs and commands; writing and reading do not depend on it.
    ("life", &["db", "jobs", "hypertable", "question"]),
    ("series", &["protocol", "question", "hypertable", "db"]),
    // On the owner's connection, and apart from `ingest`: `http` has its routes, and the two meet in the database.
    ("removal", &["question", "db", "jobs", "hypertable", "series"]),
    ("batch", &["protocol", "hypertable", "series"]),
    ("copy", &["protocol", "batch", "hypertable"]),
    // Follows the change log, not the writers: of what others commit it learns there too. Of `batch` it knows what was written
    // a moment ago.
    ("rollup", &["batch", "copy", "hypertable", "db", "jobs"]),
    ("ingest", &["protocol", "series", "batch", "copy", "hypertable", "db", "question", "spool"]),
    // It sends as a client does, and verifies what the tables hold.
    ("feed", &["copy", "hypertable", "db", "ingest"]),
    // Of `hypertable` only the ladder of chunk intervals.
    ("load", &["protocol", "question", "hypertable"]),
    ("frame", &["question"]),
    // Rows in, rows out: it knows neither questions nor SQL.
    ("asof", &[]),
    ("window", &["hypertable", "series", "question", "frame", "asof", "copy", "db"]),
    ("correlation", &["frame", "question"]),
    // Keeps what it has read and derived; of `correlation` it knows the layout that the kernel takes.
    ("block", &["window", "frame", "correlation", "series", "hypertable", "question", "db"]),
    (
        "query",
        &[
            "block",
            "window",
            "frame",
            "asof",
            "correlation",
            "series",
            "hypertable",
            "rollup",
            "copy",
            "question",
            "db",
        ],
    ),
    ("format", &["query", "asof", "frame", "question"]),
    (
        "http",
        &["query", "format", "removal", "question", "series", "hypertable", "window", "frame", "correlation", "db"],
    ),
    // Looks at every part from outside, and no part knows it.
    ("bench", &["feed", "db", "hypertable", "batch", "copy", "life", "correlation", "block"]),
];

const MAX_LINES: usize = 400;
/// Files that have a good reason to be longer, with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, by its path from the repository's root.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    files_ending(folder, &["rs"])
}

fn files_ending(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    fn visit(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, endings, files);
            } else if path.extension().is_some_and(|extension| endings.iter().any(|ending| extension == *ending)) {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    visit(&root().join(folder), endings, &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The code without line comments, which may name any module.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .fold(String::new(), |code, line| code + line + "\n")
}

/// The modules that the code names after `crate::`, also within braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_names(group)),
            None => found.extend(first_word(rest)),
        }
    }
    found
}

fn first_word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The first words of a brace's direct members.
fn group_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut member) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                names.extend(first_word(group[member..at].trim_start()));
                member = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

/// The module of the library that a file belongs to; `None` for the library's root and the binary.
fn module(path: &str) -> Option<&str> {
    let path = path.strip_prefix("src/")?;
    let name = path.split('/').next()?.trim_end_matches(".rs");
    (!matches!(name, "lib" | "bin")).then_some(name)
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    let modules: BTreeSet<String> = MAY_IMPORT.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (path, text) in rust_files("src") {
        let Some(name) = module(&path) else { continue };
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == name) else {
            wrong.push(format!("{path}: say in MAY_IMPORT what `{name}` may import"));
            continue;
        };
        for import in imports(&code(&text)) {
            if modules.contains(&import) && import != name && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{path}: `{name}` must not import `{import}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_themselves_have_no_cycle() {
    // In the order of the table every module imports only what stands before it.
    for (index, (name, allowed)) in MAY_IMPORT.iter().enumerate() {
        for import in *allowed {
            assert!(MAY_IMPORT[..index].iter().any(|(earlier, _)| earlier == import), "{name} imports {import}");
        }
    }
}

#[test]
fn files_stay_under_four_hundred_lines() {
    let is_excused = |path: &str| LONG_FILES.iter().any(|(long, _)| *long == path);
    let files = ["src", "tests", "benches"].into_iter().flat_map(rust_files);
    let files = files.chain(files_ending("web", &["js", "css", "html"]));
    let long: Vec<_> = files
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, path)| *lines > MAX_LINES && !is_excused(path))
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn the_web_page_makes_no_markup_of_text() {
    // The page's policy forbids all of these too; here it shows before a browser does.
    const NEVER: [&str; 10] = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
        "createContextualFragment",
        "style=",
        "onclick=",
    ];
    let files = files_ending("web", &["js", "html"]);
    assert!(!files.is_empty());
    for (path, text) in files {
        for never in NEVER {
            assert!(!text.contains(never), "{path}: {never}");
        }
        let elsewhere = text.match_indices("http").map(|(at, _)| &text[at..]).find(|rest| rest.starts_with("http"));
        let names = "http://www.w3.org/2000/svg";
        assert!(elsewhere.is_none_or(|rest| rest.starts_with(names)), "{path}: loads from elsewhere");
    }
}

#[test]
fn unsafe_code_is_only_in_kernels_and_mappings() {
    // And where files of blocks are mapped, which no safe interface can promise.
    let is_excused = |path: &str| path.contains("kernel") || path == "src/block/cells.rs";
    let files = rust_files("src").into_iter().filter(|(path, _)| !is_excused(path));
    let unsafe_files: Vec<_> = files.filter(|(_, text)| has_unsafe(&code(text))).map(|(path, _)| path).collect();
    assert!(unsafe_files.is_empty(), "{unsafe_files:?}");
}

/// Whether the word begins a block, an item or an attribute; `'unsafe-inline'` in a header's text does not.
fn has_unsafe(code: &str) -> bool {
    const NEXT: [&str; 6] = ["{", "(", "fn ", "impl", "trait ", "extern "];
    code.match_indices("unsafe").any(|(at, word)| {
        let rest = code[at + word.len()..].trim_start();
        !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && NEXT.iter().any(|next| rest.starts_with(next))
    })
}

#[test]
fn the_scanner_sees_every_way_to_import() {
    let text = "
        use crate::{
            frame::{Frame, Calendar},
            question, // not crate::http
        };
        /// See [`crate::ingest`].
        fn f() -> crate::db::Database { crate::window::plan() }
        pub(crate) mod x;
    ";
    let names: Vec<_> = imports(&code(text)).into_iter().collect();
    assert_eq!(names, ["db", "frame", "question", "window"]);
    for text in
        ["unsafe { x() }", "unsafe\n{ x() }", "pub unsafe fn f()", "unsafe impl Send for X {}", "#[unsafe(no_mangle)]"]
    {
        assert!(has_unsafe(text), "{text}");
    }
    assert!(!has_unsafe("#![deny(unsafe_code)]") && !has_unsafe("style-src 'unsafe-inline'"));
    assert_eq!(module("src/frame/mod.rs"), Some("frame"));
    assert_eq!(module("src/batch.rs"), Some("batch"));
    assert_eq!(module("src/bin/chunkwise/main.rs"), None);
}
