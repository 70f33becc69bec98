//! What the server means to read.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::PgConnection;

/// The tables that a statement's plan scans, chunks among them, by name. A chunk's part in the columnstore is the chunk.
pub(crate) async fn scanned(connection: &mut PgConnection, sql: &str) -> BTreeSet<String> {
    let plan: Value = sqlx::query_scalar(&format!("EXPLAIN (FORMAT json) {sql}")).fetch_one(connection).await.unwrap();
    let mut found = BTreeSet::new();
    relations(&plan, &mut found);
    found.retain(|name| !is_columnstore(name));
    found
}

/// Whether a table is the columnstore's part of a chunk, by the names that TimescaleDB gives and gave it.
pub(crate) fn is_columnstore(name: &str) -> bool {
    name.starts_with("compress_hyper_") || name.ends_with("_compressed")
}

fn relations(node: &Value, found: &mut BTreeSet<String>) {
    match node {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("Relation Name") {
                found.insert(name.clone());
            }
            fields.values().for_each(|value| relations(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| relations(value, found)),
        _ => {}
    }
}
