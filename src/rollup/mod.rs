//! Rollups: bars of each measurement at 1 minute, 5 minutes, 1 hour and 1 day, and the last value of each series.
//!
//! ```text
//! chunkwise.change -> observe -> pending ranges -> make -> <store>.<measurement>__bars_1m ... __bars_1d, __latest
//! rows, or narrower bars -> bars, newest (pure) ----^
//!
//! <store>.<measurement>__live_1m    what is made, and from the watermark on what the newest rows say
//! <namespace>.<measurement>_bars_1m the same with tags, for people; likewise _latest
//! ```
//!
//! **Watermark.** A level's table holds the buckets that begin before the level's watermark; it moves when buckets are over,
//! ten seconds later, and no farther than there are rows; while a load of old rows goes on, no farther than to the five
//! minutes of the newest: a load makes new bars, and none anew. The rest is computed by the views, a wider level's from the
//! narrower ones', so that of the rows only the last minute or two are looked at. What changes before the watermark is in the
//! change log, is pending until it is made anew, and shows in the views after it: some two seconds later. Of what another
//! client's INSERT or COPY brought it is known at once where it probably is, and some thirteen seconds later for sure.
//!
//! **Memory.** Rows that this process has written a moment ago are not read: `fresh.rs` knows of which time all are in memory.
//!
//! **Retention.** Bars outlive rows: time whose chunk was dropped is never made anew, whatever is written there later.

mod ahead;
mod bars;
mod cut;
mod fresh;
mod job;
mod last_values;
mod level;
mod make;
mod metric;
mod newest;
mod observe;
mod read;
mod shape;
mod source;
mod sql;
mod state;
mod summarize;
mod tables;
mod together;
mod views;
mod wider;

pub use bars::{Bar, Bars, BucketBars, Finished, Key, Number, Weighted, Weighting};
pub use job::{AllSettings, Rollups};
pub use level::{Level, UnknownLevel};
pub use read::{RollupError, copied_rows, take_live, take_rows};
pub use shape::{BarField, LatestField, RollupSettings, Shape};
pub use sql::{Shown, shown};
pub use state::State;
