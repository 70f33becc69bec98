//! What telnet clients are told, in OpenTSDB's words.

use std::fmt;

use crate::ingest::CounterValues;

/// So much is said about one body; a client that floods is told how it goes on by silence.
const MOST_BYTES: usize = 4 << 10;

/// Adds a line, unless enough was said.
fn say(replies: &mut String, line: fmt::Arguments<'_>) {
    if replies.len() < MOST_BYTES {
        replies.push_str(&fmt::format(line));
        replies.push('\n');
    }
}

/// A data point was refused; `kind` is `illegal argument` or `invalid value`.
pub(super) fn refused(replies: &mut String, kind: &str, reason: &str) {
    say(replies, format_args!("put: {kind}: {reason}"));
}

pub(super) fn version(replies: &mut String) {
    say(replies, format_args!("chunkwise {} speaks OpenTSDB's put", env!("CARGO_PKG_VERSION")));
}

/// Lines by what became of them, over all protocols, in the form that OpenTSDB's `stats` has.
pub(super) fn stats(replies: &mut String, counters: CounterValues) {
    let now = chrono::Utc::now().timestamp();
    let CounterValues { received, committed, spooled, refused, dead_lettered, duplicate, failed, .. } = counters;
    for (outcome, lines) in [
        ("received", received),
        ("committed", committed),
        ("spooled", spooled),
        ("refused", refused),
        ("dead_lettered", dead_lettered),
        ("duplicate", duplicate),
        ("failed", failed),
    ] {
        say(replies, format_args!("chunkwise.ingest.lines {now} {lines} outcome={outcome}"));
    }
}

pub(super) fn help(replies: &mut String) {
    say(replies, format_args!("available commands: put stats version help exit"));
}

pub(super) fn unknown(replies: &mut String, word: &str) {
    let word: String = word.chars().take(32).flat_map(char::escape_default).collect();
    say(replies, format_args!("unknown command: {word}.  Try `help'."));
}
