//! The shape of chunks in answers; see `answers`.

#![expect(dead_code, reason = "only the shapes are used, by the derived schemas")]

use utoipa::ToSchema;

#[derive(ToSchema)]
pub(super) struct Chunks {
    chunks: Vec<Chunk>,
}

#[derive(ToSchema)]
pub(super) struct Chunk {
    measurement: String,
    name: String,
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    state: ChunkState,
    /// Which of its slice's chunks it is; null without space partitions.
    #[schema(required)]
    partition: Option<Partition>,
    compressed: bool,
    /// An estimate.
    rows: u64,
    bytes: u64,
    index_bytes: u64,
    /// Cached arrays of this chunk.
    blocks: u64,
    /// What chunkwise did with the chunk, and when.
    events: Vec<ChunkEvent>,
}

#[derive(ToSchema)]
struct Partition {
    /// From 1.
    number: i32,
    of: i32,
}

#[derive(ToSchema)]
struct ChunkEvent {
    /// `sealed`, `resealed` (late rows were folded in) or `dropped`.
    event: String,
    #[schema(format = DateTime)]
    began: String,
    took_ms: f64,
    /// Of the chunk, with its indexes.
    #[schema(required)]
    bytes_before: Option<i64>,
    #[schema(required)]
    bytes_after: Option<i64>,
    #[schema(required)]
    note: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum ChunkState {
    /// Rows are appended.
    Hot,
    /// Its time is over.
    Sealed,
}
