//! What somebody has built upon a measurement.

use sqlx::PgConnection;

use crate::hypertable::Measurement;

/// Views, functions and foreign keys that are not chunkwise's and depend on a relation of the measurement, directly or through
/// others, by name. Relations with generated names (`ticks__series`, `ticks_bars_1m`, `ticks_latest`) are chunkwise's.
pub(super) async fn foreign(
    connection: &mut PgConnection,
    measurement: &Measurement,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH RECURSIVE own AS (
             SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ($1, $2) AND c.relkind IN ('r', 'v', 'm', 'p')
               AND (c.relname = $3 OR starts_with(c.relname, $3 || '__') OR starts_with(c.relname, $3 || '_bars_')
                    OR c.relname = $3 || '_latest')
         ), upon AS (
             SELECT oid FROM own
             UNION
             SELECT r.ev_class FROM upon JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = upon.oid
             JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
         )
         SELECT CASE c.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || c.oid::regclass
         FROM upon JOIN pg_class c USING (oid) WHERE oid NOT IN (SELECT oid FROM own)
         UNION
         SELECT 'function ' || d.objid::regprocedure FROM upon
         JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = upon.oid
         WHERE d.classid = 'pg_proc'::regclass
         UNION
         SELECT 'foreign key ' || quote_ident(k.conname) || ' of ' || k.conrelid::regclass FROM pg_constraint k
         WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM own) AND k.conrelid NOT IN (SELECT oid FROM own)
         ORDER BY 1",
    )
    .bind(&measurement.namespace)
    .bind(&measurement.storage_names()[0])
    .bind(&measurement.relation)
    .fetch_all(connection)
    .await
}

/// The measurement's relations in the order in which they can be dropped, views first: what each is in SQL, and its quoted name.
pub(super) async fn own(
    connection: &mut PgConnection,
    measurement: &Measurement,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
                format('%I.%I', n.nspname, c.relname)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ($1, $2) AND c.relkind IN ('r', 'v', 'm', 'p')
           AND (c.relname = $3 OR starts_with(c.relname, $3 || '__') OR starts_with(c.relname, $3 || '_bars_')
                OR c.relname = $3 || '_latest')
         ORDER BY c.relkind IN ('r', 'p'), c.relname = $3, c.relname",
    )
    .bind(&measurement.namespace)
    .bind(&measurement.storage_names()[0])
    .bind(&measurement.relation)
    .fetch_all(connection)
    .await
}
