//! Questions and their answers.

mod asof;
mod consistency;
mod correlate;
pub(crate) mod fixture;
mod oracle;
mod plan;
mod refusals;
mod routes;
mod series;
mod windows;
