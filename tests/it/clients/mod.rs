//! Clients as others wrote them, unmodified: each writes to the program, and the rows are looked at in SQL. What a client
//! must be told is checked by its script, `write_*.py`.

mod collectd;
mod influxdb;
mod opentsdb;
mod questdb;

use sqlx::Executor;

use crate::support::TestDatabase;

/// The rows that a query finds, each as JSON, times in UTC.
async fn rows(database: &TestDatabase, sql: &str) -> Vec<String> {
    let mut connection = database.connect().await;
    connection.execute("SET TIME ZONE 'UTC'").await.unwrap();
    sqlx::query_scalar(&format!("SELECT row_to_json(found)::text FROM ({sql}) AS found"))
        .fetch_all(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// A view's columns in alphabetical order, each with its type.
async fn columns(database: &TestDatabase, view: &str) -> String {
    let sql = format!(
        "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname)
         FROM pg_attribute WHERE attrelid = '{view}'::regclass AND attnum > 0 AND NOT attisdropped"
    );
    database.scalar(&sql).await
}
