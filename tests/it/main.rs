//! Integration tests, one binary; a comment says what belongs into each module.

// The source tree itself: who imports whom, how long files are, where `unsafe` is.
mod layout;
// What tests stand on.
mod support;
// Lines over HTTP to committed rows.
mod write;
