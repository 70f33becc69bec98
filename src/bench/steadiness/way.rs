//! The three ways that rows are kept, and the tables of those that are not chunkwise's.

use serde::{Deserialize, Serialize};
use sqlx::{Executor, PgConnection};

use crate::bench::BenchError;

/// How rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    /// A table of PostgreSQL with the usual index, by COPY.
    Plain,
    /// A hypertable with the same index, by COPY.
    Hypertable,
    /// The service, over HTTP, and its chunks sealed as soon as rows have passed them.
    Chunkwise,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Hypertable, Self::Chunkwise];

    /// The order of a step: each is first as often as the others.
    pub(super) fn of_step(step: u64) -> [Self; 3] {
        let mut ways = Self::ALL;
        ways.rotate_left(usize::try_from(step % 3).unwrap_or(0));
        ways
    }

    /// Its name in figures and in the state.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Hypertable => "hypertable",
            Self::Chunkwise => "chunkwise",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Plain => "bench_plain",
            Self::Hypertable => "bench_hypertable",
            Self::Chunkwise => "public_store.ticks",
        }
    }

    /// Makes a table that is not chunkwise's own.
    pub(super) async fn create(self, connection: &mut PgConnection, interval_us: i64) -> Result<(), BenchError> {
        let table = self.table();
        let columns = "(\"time\" timestamptz NOT NULL, series_id int8 NOT NULL, price float8, size float8)";
        connection.execute(format!("CREATE TABLE {table} {columns}").as_str()).await?;
        if self == Self::Hypertable {
            let by_time = format!("by_range('time', {interval_us}::int8)");
            let sql = format!("SELECT create_hypertable('{table}', {by_time}, create_default_indexes => false)");
            connection.execute(sql.as_str()).await?;
        }
        connection.execute(format!("CREATE INDEX ON {table} (series_id, \"time\" DESC)").as_str()).await?;
        Ok(())
    }

    /// Its rows and its bytes on disk with all indexes.
    pub(super) async fn size(self, connection: &mut PgConnection) -> Result<(u64, i64), BenchError> {
        let table = self.table();
        let size = match self {
            Self::Plain => "pg_total_relation_size",
            Self::Hypertable | Self::Chunkwise => "hypertable_size",
        };
        let sql = format!("SELECT count(*), {size}('{table}'::regclass) FROM {table}");
        let (rows, bytes): (i64, i64) = sqlx::query_as(&sql).fetch_one(connection).await?;
        Ok((rows.unsigned_abs(), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_first_in_its_turn() {
        let first: Vec<_> = (0..6).map(|step| Way::of_step(step)[0]).collect();
        assert_eq!(first, [Way::ALL, Way::ALL].concat());
        assert!(Way::ALL.into_iter().all(|way| Way::of_name(way.name()) == Some(way)));
    }
}
