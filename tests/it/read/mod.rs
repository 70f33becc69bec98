//! Questions and their answers.

mod asof;
mod consistency;
mod correlate;
mod fixture;
mod oracle;
mod plan;
mod refusals;
mod routes;
mod series;
mod windows;
