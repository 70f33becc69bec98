//! Measurements as tables: names, the catalog, schema growth, chunks.
//!
//! ```text
//! public.ticks            the view that people read: time, then tags and fields in their order of arrival
//! public_store.ticks      the hypertable: time, series_id, one column a field
//! public_store.ticks__series   series_id, tag_hash, one column a tag
//! chunkwise.measurement, chunkwise.measurement_column   what is what
//! ```
//!
//! Everything here runs on the owner's connection, or reads the catalog on any. Names from outside are bound values or
//! quoted identifiers, never spliced.

mod catalog;
pub mod changes;
mod chunk;
mod column;
mod ddl;
mod growth;
mod interval;
mod lock;
mod mend;
mod name;
mod rights;
mod schema;
mod settings;
mod sleeping;
mod time;

pub use catalog::{Catalog, load_measurement, load_measurements};
pub use chunk::{Chunk, ChunkDetail, ChunkEvent, Partition, chunks_of_others, list_chunk_details, list_chunks};
pub(crate) use chunk::{hashes, partition};
pub use column::{ColumnType, UnknownColumnType};
pub use growth::{Growth, GrowthError, Perseverance, SchemaLimits, Wanted, lock_growth};
pub use interval::{
    CHUNK_BYTES, CHUNK_ROWS, DEFAULT_INTERVAL_US, LADDER_US, Rate, interval_for, row_bytes, rows_per_us,
};
pub use lock::lock_out_writers;
pub use mend::is_retyped;
pub use name::{NameError, check_name, check_namespace, quote_ident, quote_literal};
pub use schema::{Field, Measurement, Member, Tag};
pub use settings::{Change, RowOrder, SettingsChange, UnknownRowOrder, change_settings, put_defaults};
pub use sleeping::{Sleeping, learn_sleeping};
pub use time::{moment, time_literal};
