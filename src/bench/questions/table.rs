//! The table that is asked: made by COPY, behind the service that has made the series.

use std::{path::Path, sync::Arc};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::{Connection, Executor, PgConnection};

use super::QuestionBenchOptions;
use crate::{
    batch::{Batch, BatchColumn, Value},
    bench::{
        BenchError, RowTimes, START_US, Transport,
        lines::{Lines, MEASUREMENT},
        load,
        scratch::ScratchDatabase,
        service::{Role, Service},
        sink::ServiceSink,
    },
    copy::Encoder,
    hypertable::ColumnType,
};

/// From bucket to bucket.
pub(super) const BUCKET_US: i64 = 60_000_000;
pub(super) const BUCKET: &str = "1m";
/// The field that is asked for.
pub(super) const FIELD: &str = "price";
/// A chunk of the table.
pub(super) const CHUNK_BUCKETS: u32 = 250;
/// Of a COPY, about.
const COPY_ROWS: usize = 200_000;
const CONNECTIONS: usize = 2;
/// Lines a request.
const REQUEST_ROWS: usize = 10_000;

/// The table, and what asks it.
#[derive(Debug)]
pub(super) struct Stage<'b> {
    pub(super) scratch: &'b ScratchDatabase,
    program: &'b Path,
    pub(super) options: &'b QuestionBenchOptions,
    /// The first bucket's time, which is a chunk's too.
    pub(super) first_us: i64,
    pub(super) lines: Arc<Lines>,
    pub(super) blocks: tempfile::TempDir,
    /// The series' ids, ascending.
    pub(super) ids: Arc<Vec<i64>>,
}

impl<'b> Stage<'b> {
    /// Makes series, rows and statistics.
    pub(super) async fn set(
        scratch: &'b ScratchDatabase,
        program: &'b Path,
        options: &'b QuestionBenchOptions,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, BenchError> {
        let interval_us = i64::from(CHUNK_BUCKETS) * BUCKET_US;
        let first_us = START_US + (interval_us - START_US.rem_euclid(interval_us));
        let distinct = (options.series as usize * 2).max(200_000);
        // What comes in later is behind the buckets that are asked for.
        let behind = RowTimes { first_us: first_us + i64::from(options.buckets) * BUCKET_US, ..RowTimes::DENSE };
        let lines = Arc::new(Lines::line_protocol(options.series, distinct)?.at(behind));
        let blocks = tempfile::tempdir().map_err(BenchError::NotStarted)?;
        let mut stage = Self { scratch, program, options, first_us, lines, blocks, ids: Arc::default() };
        tell("series are made");
        let service = stage.serve(Role::Ingest).await?;
        let sinks = stage.sinks(&service, CONNECTIONS).await?;
        load::closed(sinks, 0, distinct as u64, REQUEST_ROWS).await?;
        service.stop().await;
        let mut connection = scratch.connect().await?;
        connection.execute("TRUNCATE public_store.ticks").await?;
        let ids: Vec<i64> = sqlx::query_scalar("SELECT series_id FROM public_store.ticks__series ORDER BY 1")
            .fetch_all(&mut connection)
            .await?;
        let rows = ids.len() as u64 * u64::from(options.buckets);
        tell(&format!("{rows} rows are written"));
        stage.ids = Arc::new(ids);
        let half = options.buckets.div_ceil(2);
        let mut writers = tokio::task::JoinSet::new();
        for buckets in [0..half, half..options.buckets] {
            let (connection, ids) = (scratch.connect().await?, Arc::clone(&stage.ids));
            writers.spawn(fill(connection, ids, first_us, buckets));
        }
        while let Some(written) = writers.join_next().await {
            written??;
        }
        tell("statistics are made");
        connection.execute("VACUUM (ANALYZE) public_store.ticks").await?;
        Ok(stage)
    }

    /// A service on the table, whose blocks are the benchmark's own.
    pub(super) async fn serve(&self, role: Role) -> Result<Service, BenchError> {
        let interval_s = i64::from(CHUNK_BUCKETS) * BUCKET_US / 1_000_000;
        let settings = [
            ("CHUNKWISE_ROLLUPS", "[]".to_owned()),
            ("CHUNKWISE_CHUNK__SEAL_AFTER", "365d".to_owned()),
            ("CHUNKWISE_MEASUREMENT__TICKS__CHUNK_INTERVAL", format!("{interval_s}s")),
            ("CHUNKWISE_DATA_DIR", self.blocks.path().display().to_string()),
        ];
        Service::start(role, self.program, &self.scratch.options(), &[Transport::Http], &settings).await
    }

    pub(super) async fn sinks(&self, service: &Service, connections: usize) -> Result<Vec<ServiceSink>, BenchError> {
        ServiceSink::several(service, Transport::Http, connections, &self.lines).await
    }

    /// A bucket's start as RFC 3339's integer milliseconds.
    pub(super) fn bucket_ms(&self, bucket: u32) -> i64 {
        (self.first_us + i64::from(bucket) * BUCKET_US) / 1_000
    }

    /// Values that a question over all buckets computes with.
    pub(super) fn cells(&self) -> usize {
        self.options.series as usize * self.options.buckets as usize
    }

    /// The measurement's name in questions.
    pub(super) fn measurement() -> &'static str {
        MEASUREMENT
    }
}

/// Prices of a market that all series follow more or less, bucket after bucket, as a feed would send them.
async fn fill(
    mut connection: PgConnection,
    ids: Arc<Vec<i64>>,
    first_us: i64,
    buckets: std::ops::Range<u32>,
) -> Result<(), BenchError> {
    let mut random = ChaCha8Rng::seed_from_u64(u64::from(buckets.start) + 1);
    let mut prices = vec![100.0_f64; ids.len()];
    let a_copy = u32::try_from(COPY_ROWS / ids.len().max(1)).unwrap_or(u32::MAX).max(1);
    let mut piece = Vec::new();
    for start in buckets.clone().step_by(a_copy as usize) {
        let mut batch = Batch::new(vec![BatchColumn { name: FIELD.to_owned(), kind: ColumnType::Float8 }]);
        for bucket in start..buckets.end.min(start + a_copy) {
            let market: f64 = random.random_range(-1.0..1.0);
            let time_us = first_us + i64::from(bucket) * BUCKET_US;
            for (place, (price, id)) in prices.iter_mut().zip(ids.iter()).enumerate() {
                let share = (place % 10) as f64 / 10.0;
                let change = share * market + (1.0 - share) * random.random_range(-1.0..1.0);
                *price *= 1.0 + 1e-3 * change;
                batch
                    .push_row(time_us, *id, &[(0, Value::Float8(*price))])
                    .expect("a finite price, the only column, is a row");
            }
        }
        let mut encoder = Encoder::new(&batch).expect("three columns are not too many");
        let mut transaction = connection.begin().await?;
        let statement = "COPY public_store.ticks (\"time\", series_id, price) FROM STDIN (FORMAT binary)";
        let mut copy = transaction.copy_in_raw(statement).await?;
        while encoder.next_piece(&mut piece).expect("numbers are not too long") {
            copy.send(piece.as_slice()).await?;
        }
        copy.finish().await?;
        transaction.commit().await?;
    }
    Ok(connection.close().await?)
}
