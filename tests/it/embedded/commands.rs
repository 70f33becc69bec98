//! `chunkwise db`

use sqlx::Executor;

use super::{alone, folder::DataFolder};

#[tokio::test]
async fn the_server_is_started_found_used_examined_and_stopped() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let none = folder.db("status");
    assert_eq!(none.code, 3);
    assert!(none.text().starts_with("there is none"), "{none:?}");
    assert_eq!(folder.db("url").code, 3);

    let started = folder.db("start");
    assert_eq!(started.code, 0, "{started:?}");
    let server = folder.server().unwrap();
    let again = folder.db("start");
    assert_eq!((again.code, again.text()), (0, started.text()), "the second start finds the first's server");
    assert_eq!(folder.server(), Some(server));

    let migrated = folder.db("migrate");
    assert!(migrated.text().starts_with("applied "), "{migrated:?}");
    assert!(folder.db("migrate").text().starts_with("up to date"));
    search_path_is_public(&folder).await;

    let psql = folder.db_with("psql", &["--", "-At", "-c", "select 1 + 1"]);
    assert_eq!((psql.code, psql.text()), (0, "2\n"), "{}", psql.stderr);
    let doctor = folder.db("doctor");
    assert_eq!(doctor.code, 0, "{}", doctor.text());
    assert!(doctor.text().contains("timescaledb") && !doctor.text().contains("FAIL"), "{}", doctor.text());

    let stopped = folder.db("stop");
    assert_eq!((stopped.code, stopped.text()), (0, "stopped\n"), "{}", stopped.stderr);
    let stopped = folder.db("stop");
    assert_eq!((stopped.code, stopped.text()), (0, "was not running\n"), "{}", stopped.stderr);
    assert_eq!(folder.db("status").code, 3);
    assert_eq!(folder.db("url").code, 3);
}

/// The role is named like chunkwise's own schema, which PostgreSQL's default search path puts first.
async fn search_path_is_public(folder: &DataFolder) {
    let mut connection = folder.connect().await;
    connection.execute("CREATE TABLE mine (id int)").await.unwrap();
    let schema: String = sqlx::query_scalar("SELECT schemaname::text FROM pg_tables WHERE tablename = 'mine'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(schema, "public");
    assert_eq!(folder.count("SELECT count(*) FROM mine").await, 0);
}
