//! Arrays -> correlations. Pure.
//!
//! For the `n` buckets that two series x and y both have (pairwise complete, as pandas' `DataFrame.corr`):
//!
//! ```text
//! Pearson    r = sum (x - mean x)(y - mean y) / sqrt(sum (x - mean x)^2  sum (y - mean y)^2)
//! Spearman   Pearson's r of the average ranks of x and y within the pairs
//! p-value    two-sided, of t = r sqrt((n - 2) / (1 - r^2)) under Student's t with n - 2 degrees of freedom
//! interval   tanh(atanh r -+ 1.96 / sqrt(n - 3))
//! q-value    the least p m / rank of all p-values at least as great, with m p-values
//! ewma       Pearson's r with the weight 2^(-age / half-life) a pair, its age in buckets
//! ```
//!
//! Besides one against many there are all pairs ([`matrix`](fn@matrix), [`top_pairs`]), windows that move
//! ([`rolling`](fn@rolling)), lags ([`lagged`]) and raw rows without buckets ([`by_ticks`]).
//!
//! r is undefined, NaN, with fewer pairs than asked for or where all values of a side are equal there. Equal means
//! exactly equal: no tolerance takes a quiet series for a constant one.
//!
//! Sources: two passes with the mean's rounding corrected, Chan, Golub and LeVeque, "Algorithms for Computing the
//! Sample Variance", The American Statistician 37 (1983); intervals, R. A. Fisher, Biometrika 10 (1915) and Metron 1
//! (1921); q-values, Y. Benjamini and Y. Hochberg, "Controlling the False Discovery Rate", J. R. Statist. Soc. B 57
//! (1995).

mod kernel;
mod matrix;
mod one_vs_all;
mod panels;
mod ranking;
mod rolling;
mod significance;
mod stop;
mod ticks;

pub use matrix::{Matrix, Overlaps, Pair, matrix, similar_together, top_pairs, top_pairs_bytes};
pub use one_vs_all::{OneVsAll, lagged, one_vs_all, one_vs_one};
pub use panels::{OneVsPanels, Panel, one_vs_panels};
pub use ranking::rank;
pub use rolling::{rolling, window_ends};
pub use significance::{ci95, p_value, q_values};
pub use stop::{Stop, StopOnDrop};
pub use ticks::{TickCorrelation, Ticks, by_ticks};
