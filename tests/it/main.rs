//! Integration tests, one binary; a comment says what belongs into each module.

// The source tree itself: who imports whom, how long files are, where `unsafe` is.
mod layout;
