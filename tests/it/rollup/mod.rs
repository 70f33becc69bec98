//! Bars and last values against what SQL computes from the same rows, whoever wrote them and whatever was in the way.

mod changes;
mod documented;
mod faults;
mod fresh;
mod growth;
mod latest;
mod loads;
mod oracle;
mod processes;
mod routes;
mod support;
mod taken;
