//! One binary of tests against a real TimescaleDB; each test has a database of its own.

mod read;
mod support;
