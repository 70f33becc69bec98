//! chunkwise: a time-series store on TimescaleDB. Feeds stream in, windows come out as arrays, correlations come back.
//!
//! Everything goes by the **chunk**, TimescaleDB's slice of a table by time: rows are appended to the chunk that is live, a
//! question first picks the chunks that it touches and reads them in parallel, old data goes chunk by chunk.
//!
//! ```text
//! bytes -> protocol -> (spool) -> series -> batch -> copy -> hypertable    ingestion service
//! hypertable -> window -> frame -> correlation -> format -> http          query service
//! ```
//!
//! The modules in the order in which data meet them:
//!
//! | | |
//! |---|---|
//! | [`protocol`] | bytes -> lines, each error with its place |
//! | [`load`], [`feed`] | files -> lines; a seed -> made-up lines |
//! | [`ingest`] | lines -> committed rows: listeners, subscriptions, ledger, writers |
//! | [`spool`] | lines -> a log on disk, for when the database is away; and back |
//! | [`series`] | tag sets -> series ids, and back from a selector to series |
//! | [`batch`] | rows by column, sorted for COPY |
//! | [`copy`] | PostgreSQL's binary COPY, both ways |
//! | [`hypertable`] | measurements as tables: names, catalog, growth, chunks |
//! | [`life`] | chunks: sealed, dropped, made longer or shorter |
//! | [`rollup`] | the change log -> bars and last values, and the views that show them |
//! | [`question`] | what clients ask, typed and checked |
//! | [`asof`] | rows of two measurements -> pairs of rows by time |
//! | [`window`] | a question -> chunks -> SQL -> rows, under one snapshot |
//! | [`frame`] | rows -> arrays on common buckets: grid, fill, transform |
//! | [`correlation`] | arrays -> r, n, p, intervals, ranks |
//! | [`block`] | frames of chunks, kept for correlations |
//! | [`query`] | a question -> an answer: what REST and the shell have in common |
//! | [`format`](mod@format) | an answer -> JSON, npy, npz, Arrow, CSV |
//! | [`removal`] | measurements, series and rows, taken away |
//! | [`http`] | routes of questions, errors, who may call |
//! | [`db`] | sessions by role, migrations |
//! | [`jobs`] | what one process at a time does again and again |
//! | [`bench`](mod@bench) | the whole against a real database, beside controls |
//! | [`local`] | the TimescaleDB that chunkwise starts for itself |
//! | [`config`] | file, environment, flags -> settings, for the binary to hand out |
//!
//! What is true everywhere:
//!
//! - Imports point along the flow, one way; a test holds the table of who may import whom.
//! - `protocol`, `batch`, the codecs of `copy`, `question`, `frame`, `correlation` and `format` are pure: slices in, values
//!   out, no clock, no I/O.
//! - Times are `i64` microseconds since 1970 UTC and end in `_us`; sizes end in `_bytes` or `_rows`.
//! - Arrays have a row for each series and a column for each bucket; missing is NaN.
//! - A request is acknowledged as committed after the COMMIT that carries all of it, its ledger row included, or as spooled
//!   after the sync of the file that holds it.
//! - Names from outside reach SQL as bound values or quoted identifiers only; the database's own text never reaches a client.
//!
//! `ARCHITECTURE.md` has the walkthroughs and the decisions.

pub mod asof;
pub mod batch;
pub mod bench;
pub mod block;
pub mod config;
pub mod copy;
pub mod correlation;
pub mod db;
pub mod feed;
pub mod format;
pub mod frame;
pub mod http;
pub mod hypertable;
pub mod ingest;
pub mod jobs;
pub mod life;
pub mod load;
pub mod local;
pub mod protocol;
pub mod query;
pub mod question;
pub mod removal;
pub mod rollup;
pub mod series;
pub mod spool;
pub mod window;
