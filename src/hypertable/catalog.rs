//! The catalog in the database, and its copy in memory.

use std::sync::{Arc, RwLock};

use hashbrown::HashMap;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{ColumnType, Field, Measurement, Tag};

const SELECT: &str = "SELECT m.id, m.namespace, m.name, m.relation, m.epoch,
       (extract(epoch FROM m.retention) * 1000000)::int8 AS retention_us, m.space_partitions,
       c.name AS column_label, c.column_name, c.position, c.role, c.type AS kind
FROM chunkwise.measurement m LEFT JOIN chunkwise.measurement_column c ON c.measurement_id = m.id";

/// Reads one measurement.
///
/// # Errors
/// The database's.
pub async fn load_measurement(
    connection: &mut PgConnection,
    namespace: &str,
    name: &str,
) -> Result<Option<Measurement>, sqlx::Error> {
    let sql = format!("{SELECT} WHERE m.namespace = $1 AND m.name = $2 ORDER BY c.position");
    let rows = sqlx::query(&sql).bind(namespace).bind(name).fetch_all(connection).await?;
    Ok(gather(&rows)?.pop())
}

/// Reads all measurements of a namespace, by name.
///
/// # Errors
/// The database's.
pub async fn load_measurements(
    connection: &mut PgConnection,
    namespace: &str,
) -> Result<Vec<Measurement>, sqlx::Error> {
    let sql = format!("{SELECT} WHERE m.namespace = $1 ORDER BY m.name, m.id, c.position");
    let rows = sqlx::query(&sql).bind(namespace).fetch_all(connection).await?;
    gather(&rows)
}

fn gather(rows: &[PgRow]) -> Result<Vec<Measurement>, sqlx::Error> {
    let mut measurements: Vec<Measurement> = Vec::new();
    for row in rows {
        let id: i32 = row.try_get("id")?;
        if measurements.last().is_none_or(|last| last.id != id) {
            let (namespace, name) = (row.try_get("namespace")?, row.try_get("name")?);
            let (relation, epoch) = (row.try_get("relation")?, row.try_get("epoch")?);
            let mut measurement = Measurement::new(id, namespace, name, relation, epoch);
            measurement.retention_us = row.try_get("retention_us")?;
            measurement.space_partitions = row.try_get("space_partitions")?;
            measurements.push(measurement);
        }
        let (Some(measurement), Some(name)) =
            (measurements.last_mut(), row.try_get::<Option<String>, _>("column_label")?)
        else {
            continue;
        };
        let column: String = row.try_get("column_name")?;
        let position: i32 = row.try_get("position")?;
        if row.try_get::<&str, _>("role")? == "tag" {
            measurement.add_tag(Tag { name, column, position });
        } else {
            let kind: ColumnType =
                row.try_get::<&str, _>("kind")?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            measurement.add_field(Field { name, column, kind, position });
        }
    }
    Ok(measurements)
}

type ByName = HashMap<String, Arc<Measurement>>;

/// Measurements that writers know already, by namespace and name. A stale entry is harmless: an unknown column is looked
/// up again before it is made, and every write checks its measurement's epoch.
#[derive(Debug, Default)]
pub struct Catalog {
    namespaces: RwLock<HashMap<String, ByName>>,
}

impl Catalog {
    /// The measurement, if it is known here.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Measurement>> {
        let namespaces = self.namespaces.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        namespaces.get(namespace)?.get(name).cloned()
    }

    /// The names of a namespace's measurements that are known here.
    #[must_use]
    pub fn names(&self, namespace: &str) -> Vec<String> {
        let namespaces = self.namespaces.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        namespaces.get(namespace).map(|measurements| measurements.keys().cloned().collect()).unwrap_or_default()
    }

    /// Remembers a measurement as it is now.
    pub fn put(&self, measurement: Measurement) -> Arc<Measurement> {
        let measurement = Arc::new(measurement);
        let mut namespaces = self.namespaces.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        namespaces
            .entry(measurement.namespace.clone())
            .or_default()
            .insert(measurement.name.clone(), Arc::clone(&measurement));
        measurement
    }

    /// Takes over what was set of the measurements that are known here: a retention raises no epoch.
    ///
    /// # Errors
    /// The database's.
    pub async fn refresh(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let settings: Vec<(i32, String, String, Option<i64>)> = sqlx::query_as(
            "SELECT id, namespace, name, (extract(epoch FROM retention) * 1000000)::int8 FROM chunkwise.measurement",
        )
        .fetch_all(connection)
        .await?;
        let mut namespaces = self.namespaces.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (id, namespace, name, retention_us) in settings {
            let known = namespaces.get_mut(&namespace).and_then(|measurements| measurements.get_mut(&name));
            if let Some(known) = known.filter(|known| known.id == id && known.retention_us != retention_us) {
                Arc::make_mut(known).retention_us = retention_us;
            }
        }
        Ok(())
    }

    /// Forgets a measurement that turned out to be gone or made anew.
    pub fn forget(&self, namespace: &str, name: &str) {
        let mut namespaces = self.namespaces.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(measurements) = namespaces.get_mut(namespace) {
            measurements.remove(name);
        }
    }
}
