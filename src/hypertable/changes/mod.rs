//! The change log's readers: which time of a measurement has changed since my last look.
//!
//! ```text
//! writers, triggers -> chunkwise.change          a row for each transaction: measurement, time range or "anywhere", xid
//! look(since)       -> Look                      what was not visible at the last look and is now, merged
//! news(since)       -> News                      the same entry by entry, for who has several states side by side
//! narrow            -> "anywhere" becomes chunks  by the server's counters, some seconds later; until then, where it
//!                                                probably is, by the last pages of chunks
//! prune             -> old entries go            those that a snapshot sees that is more than a day old
//! ```
//!
//! A reader keeps the snapshot of its last look ([`Seen`]), not the number of the last entry: an analyst's transaction that
//! takes an hour has an old number when it commits, and holds nobody up until then. Who reads for a table in this database
//! keeps its [`Seen`] there too, in the transaction that makes use of what it saw ([`load`], [`store`]); who reads for
//! something else keeps it there, with what [`Seen`] says of the server. Who reads on a replica is told as seen only what
//! surely was: a replica does not say which transactions were under way.
//!
//! An entry of unknown range (another client's INSERT or COPY) is [`Look::unknown`] until it is narrowed. A reader may take
//! it as every chunk of the measurement, or wait and ask for it with [`resolve`] or,
//! together with what is new, with [`news`].

mod look;
mod narrow;
mod probable;
mod prune;
mod snapshot;
mod stretch;

pub use look::{Entry, Extent, Look, News, Seen, Unknown, here, load, look, news, peek, resolve, store, with_news};
pub use narrow::{Narrowed, SETTLE_AFTER, narrow};
pub use prune::{mark, prune};
pub use snapshot::PgSnapshot;
pub use stretch::{Stretch, merged, without};

/// Microseconds since 1970 of a timestamptz expression, as int8: the ends of 64 bits for the infinities, which a driver
/// cannot read.
#[must_use]
pub fn us_of(expression: &str) -> String {
    format!(
        "(CASE WHEN isfinite({expression}) THEN (extract(epoch FROM {expression}) * 1000000)::int8
               WHEN {expression} < 'epoch' THEN -9223372036854775808 ELSE 9223372036854775807 END)"
    )
}
