//! The program from outside, on real prices: what is loaded by one command is asked for by others and over HTTP.

mod asof;
mod commands;
mod formats;
mod golden;
mod gone;
mod kinds;
mod listings;
mod load;
mod parquet;
mod pruning;
mod questions;
pub(crate) mod real;
mod reports;
mod service;
