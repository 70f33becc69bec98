//! What the writer's role may do with a measurement. What the reader may comes by default privileges, with each new table.

use sqlx::{Executor, PgConnection};

use super::{Measurement, quote_ident, schema::store_schema};
use crate::db::WRITER;

/// Lets the writer's role into a namespace that this transaction has made. Not into one that is there: two sessions that give
/// a right on the same schema fail one another.
pub(super) async fn admit_to_namespace(connection: &mut PgConnection, namespace: &str) -> Result<(), sqlx::Error> {
    let schema = quote_ident(&store_schema(namespace));
    give(connection, &[format!("GRANT USAGE ON SCHEMA {schema} TO {WRITER}")]).await
}

/// Gives the writer's role its rights on a measurement that this transaction has made.
pub(super) async fn admit_to_measurement(
    connection: &mut PgConnection,
    measurement: &Measurement,
) -> Result<(), sqlx::Error> {
    give(connection, &of_measurement(measurement)).await
}

fn of_measurement(measurement: &Measurement) -> [String; 2] {
    [
        format!("GRANT INSERT ON {} TO {WRITER}", measurement.storage()),
        format!("GRANT SELECT, INSERT ON {} TO {WRITER}", measurement.series_table()),
    ]
}

/// Where there is that role.
async fn give(connection: &mut PgConnection, grants: &[String]) -> Result<(), sqlx::Error> {
    let is_there: bool =
        sqlx::query_scalar("SELECT to_regrole($1) IS NOT NULL").bind(WRITER).fetch_one(&mut *connection).await?;
    if is_there {
        for grant in grants {
            (&mut *connection).execute(grant.as_str()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        let hostile = Measurement::new(1, "public".into(), "x".into(), "x\"; DROP TABLE y; --".into(), 1);
        for statement in of_measurement(&hostile) {
            assert!(statement.contains("\"public_store\".\"x\"\"; DROP TABLE y; --"), "{statement}");
        }
    }
}
