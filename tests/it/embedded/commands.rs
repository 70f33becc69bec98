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

    roles_are_examined(&folder);

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

/// The roles belong to the server: on one of its own a test can spoil them.
fn roles_are_examined(folder: &DataFolder) {
    let execute = |sql: &str| assert_eq!(folder.db_with("psql", &["--", "-qc", sql]).code, 0, "{sql}");
    let told = || {
        let doctor = folder.db("doctor");
        assert_eq!(doctor.code, 0, "{}", doctor.text());
        let lines = doctor.text().lines().filter(|line| line.contains("roles"));
        lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    assert!(told().contains("have the rights"), "{}", told());
    execute("ALTER ROLE chunkwise_owner LOGIN CREATEDB");
    execute("ALTER ROLE chunkwise_reader RESET statement_timeout");
    execute("GRANT pg_write_all_data TO chunkwise_reader");
    for (found, remedy) in [
        ("chunkwise_owner may log in", "ALTER ROLE chunkwise_owner NOLOGIN"),
        ("chunkwise_owner is CREATEDB", "ALTER ROLE chunkwise_owner NOCREATEDB"),
        ("chunkwise_reader has no statement_timeout", "ALTER ROLE chunkwise_reader SET statement_timeout = '60s'"),
        ("chunkwise_reader is a member of pg_write_all_data", "REVOKE pg_write_all_data FROM chunkwise_reader"),
    ] {
        assert!(told().contains(found) && told().contains(remedy), "{found}: {}", told());
        execute(remedy);
        assert!(!told().contains(found), "{found}: {}", told());
    }
    execute("DROP OWNED BY chunkwise_reader; DROP ROLE chunkwise_reader");
    assert!(told().contains("there is no role chunkwise_reader"), "{}", told());
    assert_eq!(folder.db("migrate").code, 0);
    assert!(told().contains("have the rights"), "{}", told());
}
