//! Which revision a release is built from: benchmarks tell it. A debug build tells none, and is not made anew by a commit.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=BUILD_REVISION");
    if env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return;
    }
    // Where there is no history, whoever builds may say it.
    let revision = env::var("BUILD_REVISION").ok().or_else(|| git(&["describe", "--always", "--dirty", "--abbrev=12"]));
    if let Some(revision) = revision {
        // `cargo run` hands it on to the program, to which all that begins with CHUNKWISE_ is a setting.
        println!("cargo::rustc-env=BUILD_REVISION={revision}");
    }
    // Each commit is noted there.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
        println!("cargo::rerun-if-changed=src");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
