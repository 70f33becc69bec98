//! Answers questions: plans, reads, aligns, computes. What REST and the command line have in common.
mod answer;
pub use answer::*;
