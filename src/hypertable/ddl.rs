//! The statements that make and grow a measurement's tables. Pure: text in, text out.

use super::{ColumnType, Field, Measurement, Tag, quote_ident, quote_literal, schema::store_schema};

/// So many tags of a measurement get an index; more would make each new series dearer than it is worth.
const MAX_INDEXED_TAGS: usize = 8;

/// The two schemas of a namespace but `public`, whose own a migration makes.
pub(super) fn create_namespace(namespace: &str) -> [String; 2] {
    [store_schema(namespace).as_str(), namespace].map(|schema| format!("CREATE SCHEMA {}", quote_ident(schema)))
}

/// Storage, series table and triggers of a measurement that has no columns of its own yet.
///
/// The storage has BRIN on time only: a B-tree that is kept up row by row is what an insert costs.
pub(super) fn create_measurement(measurement: &Measurement, interval_us: i64) -> Vec<String> {
    let storage = measurement.storage();
    let series = measurement.series_table();
    let id = measurement.id;
    let trigger = |event: &str, referencing: &str, function: &str| {
        format!(
            "CREATE TRIGGER chunkwise_{} AFTER {event} ON {storage} {referencing}
             FOR EACH STATEMENT EXECUTE FUNCTION chunkwise.{function}('{id}')",
            event.to_lowercase()
        )
    };
    let mut statements = vec![
        format!("CREATE TABLE {storage} (\"time\" timestamptz NOT NULL, series_id int8 NOT NULL)"),
        format!(
            "SELECT create_hypertable({}, by_range('time', {interval_us}::int8), create_default_indexes => false)",
            quote_literal(&storage)
        ),
        format!("CREATE INDEX ON {storage} USING brin (\"time\") WITH (pages_per_range = 32)"),
        format!(
            "CREATE TABLE {series} (
                 series_id int8 PRIMARY KEY DEFAULT nextval('chunkwise.series_id'),
                 tag_hash  uuid NOT NULL UNIQUE)"
        ),
        trigger("UPDATE", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows", "note_update"),
        trigger("DELETE", "REFERENCING OLD TABLE AS old_rows", "note_delete"),
        trigger("INSERT", "", "note_anywhere"),
        trigger("TRUNCATE", "", "note_anywhere"),
    ];
    if let Some(partitions) = measurement.space_partitions {
        let literal = quote_literal(&storage);
        statements.insert(2, format!("SELECT add_dimension({literal}, by_hash('series_id', {partitions}))"));
    }
    statements
}

/// A new tag: a column of the series table, and an index for the first few.
pub(super) fn add_tag(measurement: &Measurement, tag: &Tag) -> Vec<String> {
    let series = measurement.series_table();
    let column = quote_ident(&tag.column);
    let mut statements = vec![format!("ALTER TABLE {series} ADD COLUMN {column} text")];
    if measurement.tags.len() < MAX_INDEXED_TAGS {
        statements.push(format!("CREATE INDEX ON {series} ({column})"));
    }
    statements
}

/// A new field: a column of the storage table.
pub(super) fn add_field(measurement: &Measurement, column: &str, kind: ColumnType) -> String {
    format!("ALTER TABLE {} ADD COLUMN {} {}", measurement.storage(), quote_ident(column), kind.sql())
}

/// A column that the catalog has and the table lacks. Without an index where it is a tag's: that was dropped with it.
pub(super) fn mend_column(table: &str, column: &str, kind: ColumnType) -> String {
    format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {} {}", quote_ident(column), kind.sql())
}

/// What is left of a measurement whose storage is gone. What somebody built upon it is in the way, and stays.
pub(super) fn drop_remains(measurement: &Measurement) -> Vec<String> {
    let [store, relation] = measurement.storage_names();
    let named =
        |schema: &str, end: &str| format!("{}.{}", quote_ident(schema), quote_ident(&format!("{relation}{end}")));
    let mut statements = Vec::new();
    // What `rollup` makes, wider levels first: they are made of the others.
    for end in ["latest", "bars_1d", "bars_1h", "bars_5m", "bars_1m"] {
        let live = format!("__live_{}", end.trim_start_matches("bars_"));
        statements.push(format!("DROP VIEW IF EXISTS {}", named(&measurement.namespace, &format!("_{end}"))));
        statements.push(format!("DROP VIEW IF EXISTS {}", named(&store, &live)));
        statements.push(format!("DROP TABLE IF EXISTS {}", named(&store, &format!("__{end}"))));
    }
    statements.push(format!("DROP VIEW IF EXISTS {}", measurement.view()));
    statements.push(format!("DROP TABLE IF EXISTS {}", measurement.series_table()));
    statements
}

/// The analysts' view as it is now. Columns are only ever appended, so it can be replaced under views that use it.
pub(super) fn replace_view(measurement: &Measurement) -> String {
    let tags = measurement.tags.iter().map(|Tag { column, position, .. }| (*position, "s", column));
    let fields = measurement.fields.iter().map(|Field { column, position, .. }| (*position, "d", column));
    let mut columns: Vec<_> = tags.chain(fields).collect();
    columns.sort_unstable();
    let columns: String =
        columns.iter().map(|(_, table, column)| format!(", {table}.{}", quote_ident(column))).collect();
    format!(
        "CREATE OR REPLACE VIEW {} AS SELECT d.\"time\"{columns} FROM {} d JOIN {} s ON s.series_id = d.series_id",
        measurement.view(),
        measurement.storage(),
        measurement.series_table()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_shows_columns_in_order_of_arrival() {
        let mut ticks = Measurement::new(7, "public".into(), "ticks".into(), "ticks".into(), 1);
        ticks.add_tag(Tag { name: "symbol".into(), column: "symbol".into(), position: 1 });
        ticks.add_field(Field { name: "price".into(), column: "price".into(), kind: ColumnType::Float8, position: 2 });
        ticks.add_tag(Tag { name: "ex".into(), column: "ex".into(), position: 3 });
        assert_eq!(
            replace_view(&ticks),
            "CREATE OR REPLACE VIEW \"public\".\"ticks\" AS SELECT d.\"time\", s.\"symbol\", d.\"price\", s.\"ex\" \
             FROM \"public_store\".\"ticks\" d JOIN \"public_store\".\"ticks__series\" s ON s.series_id = d.series_id"
        );
    }

    #[test]
    fn space_partitions_are_chosen_while_the_table_is_empty() {
        let mut ticks = Measurement::new(7, "public".into(), "ticks".into(), "ticks".into(), 1);
        assert!(create_measurement(&ticks, 1).iter().all(|statement| !statement.contains("add_dimension")));
        ticks.space_partitions = Some(4);
        let statements = create_measurement(&ticks, 1);
        assert!(statements[1].contains("create_hypertable"), "{statements:?}");
        assert!(statements[2].contains("by_hash('series_id', 4)"), "{statements:?}");
    }

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        let hostile = Measurement::new(1, "public".into(), "x".into(), "x\"; DROP TABLE y; --'".into(), 1);
        for statement in create_measurement(&hostile, 1) {
            let inside = statement.contains("\"x\"\"; DROP TABLE y; --'\"")
                || statement.contains("\"x\"\"; DROP TABLE y; --'__series\"")
                || statement.contains("\"x\"\"; DROP TABLE y; --''\"");
            assert!(inside, "{statement}");
        }
    }
}
