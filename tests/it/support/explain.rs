//! What the server means to read.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::PgConnection;

/// The tables that a statement's plan scans, chunks among them, by name.
pub(crate) async fn scanned(connection: &mut PgConnection, sql: &str) -> BTreeSet<String> {
    let plan: Value = sqlx::query_scalar(&format!("EXPLAIN (FORMAT json) {sql}")).fetch_one(connection).await.unwrap();
    let mut found = BTreeSet::new();
    relations(&plan, &mut found);
    found
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
