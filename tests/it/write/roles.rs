//! Separate roles for owner, writer and reader, with the rights that the documentation gives them.

use chunkwise::db::{Roles, ensure_roles, examine_roles};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use crate::support::{App, TestDatabase, run, wait_until};

const DOCUMENTATION: &str = include_str!("../../../docs/configuration.md");

/// The statements of the documentation: of the server's roles, and of what belongs to a database.
fn documented_statements() -> [&'static str; 2] {
    let mut blocks = DOCUMENTATION.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    [blocks.next().unwrap(), blocks.next().unwrap()]
}

/// What the table of the documentation gives the writer and the reader of something whose row begins so.
fn documented(row: &str) -> [Vec<&'static str>; 2] {
    let line =
        DOCUMENTATION.lines().find(|line| line.starts_with(&format!("| {row}"))).unwrap_or_else(|| panic!("{row}"));
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let rights = |cell: &'static str| cell.split(", ").filter(|right| *right != "-").collect();
    [rights(cells[2]), rights(cells[3])]
}

/// Which row of the table a relation belongs to.
fn row_of(schema: &str, name: &str) -> &'static str {
    match (schema, name) {
        ("chunkwise", "ledger" | "measurement" | "retired_series") => "`chunkwise.ledger`",
        ("chunkwise", _) => "all other tables",
        (schema, name) if schema.ends_with("_store") => match name.split_once("__") {
            None => "storage",
            Some((_, "series")) => "series",
            Some(_) => "last values and bars",
        },
        _ => "views",
    }
}

/// A member of a role, so that no password of the role itself is set on a server that others use.
async fn member(admin: &mut PgConnection, role: &str) -> String {
    let name = format!("cwt_{role}_{}", uuid::Uuid::new_v4().simple());
    let create = format!("CREATE ROLE {name} LOGIN PASSWORD 'secret' IN ROLE chunkwise_{role}");
    admin.execute(create.as_str()).await.unwrap();
    name
}

fn url(database: &TestDatabase, role: &str) -> String {
    database.options().username(role).password("secret").to_url_lossy().to_string()
}

/// The program with a role of its own for each kind of session.
fn app(owner: &str, writer: &str, reader: &str) -> App {
    App::start_with(
        &["up", "--database-url", owner],
        &[("CHUNKWISE_DATABASE__WRITER_URL", writer), ("CHUNKWISE_DATABASE__READER_URL", reader)],
    )
}

/// Whether a statement, of which nothing stays, is refused for want of a right.
async fn is_denied(connection: &mut PgConnection, statement: &str) -> bool {
    let mut transaction = connection.begin().await.unwrap();
    let done = transaction.execute(statement).await;
    transaction.rollback().await.unwrap();
    matches!(&done, Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "42501"))
}

#[tokio::test]
async fn three_roles_with_the_documented_rights_can_do_their_work_and_no_more() {
    let database = TestDatabase::new().await;
    let suffix = format!("_{}", std::process::id());
    let mut admin = database.connect().await;
    let name: String = database.scalar("SELECT current_database()::text").await;
    // The template was migrated by the superuser: here the owner migrates its own.
    for statement in ["DROP SCHEMA chunkwise CASCADE", "DROP SCHEMA public_store CASCADE"] {
        admin.execute(statement).await.unwrap();
    }
    let [server, own] = documented_statements();
    for statement in server.split_inclusive(";\n") {
        // The groups belong to the whole server, and other tests make them too.
        match admin.execute(statement).await {
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("42710" | "23505" | "XX000")) => {}
            done => drop(done.unwrap_or_else(|error| panic!("{error}: {statement}"))),
        }
    }
    let mut own = own.replace("DATABASE ticks", &format!("DATABASE {name}"));
    for role in ["cw_owner", "cw_writer", "cw_reader"] {
        own = own.replace(role, &format!("{role}{suffix}"));
    }
    sqlx::raw_sql(&own).execute(&mut admin).await.unwrap_or_else(|error| panic!("{error}: {own}"));
    let url = |role: &str| url(&database, &format!("{role}{suffix}"));
    let app = app(&url("cw_owner"), &url("cw_writer"), &url("cw_reader"));
    for namespace in ["public", "plant"] {
        let written = app.post(
            &format!("/write?db={namespace}"),
            b"m,s=a v=1 1700000000000000000\nm,s=b v=2,w=3i 1700000000000000000",
        );
        assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
        let read = app.get(&format!("/api/v1/window?q=%7B%22namespace%22%3A%22{namespace}%22%2C%22measurement%22%3A%22m%22%2C%22field%22%3A%22v%22%2C%22bucket%22%3A%221d%22%2C%22from%22%3A1699900000000%2C%22to%22%3A1700100000000%7D"));
        assert_eq!(read.status, 200, "{}", String::from_utf8_lossy(&read.body));
        assert_eq!(read.json()["values"].as_array().unwrap().len(), 2);
    }
    // What they have is what the table says, although the owner may not make roles.
    assert_eq!(examine_roles(&mut PgConnection::connect(&url("cw_owner")).await.unwrap()).await.unwrap(), []);
    for role in ["cw_writer", "cw_reader"] {
        let mut connection = PgConnection::connect(&url(role)).await.unwrap();
        for denied in [
            "DELETE FROM public_store.m",
            "DROP TABLE public_store.m",
            "CREATE TABLE public.x (i int)",
            "DELETE FROM chunkwise.measurement",
        ] {
            assert!(is_denied(&mut connection, denied).await, "{role}: {denied}");
        }
    }
    drop(app);
    for role in ["cw_reader", "cw_writer", "cw_owner"] {
        admin.execute(format!("DROP OWNED BY {role}{suffix} CASCADE").as_str()).await.unwrap();
        admin.execute(format!("DROP ROLE {role}{suffix}").as_str()).await.unwrap();
    }
}

#[tokio::test]
async fn the_writer_and_the_reader_have_each_right_of_the_table_and_no_other() {
    let database = TestDatabase::new().await;
    let mut admin = database.connect().await;
    // Two starts at once, as of two processes.
    let (mut one, mut two) = (database.connect().await, database.connect().await);
    let (first, second) = tokio::join!(ensure_roles(&mut one), ensure_roles(&mut two));
    assert_eq!((first.unwrap(), second.unwrap()), (Roles::Ready, Roles::Ready));
    let (writer, reader) = (member(&mut admin, "writer").await, member(&mut admin, "reader").await);
    let app = app(&database.url(), &url(&database, &writer), &url(&database, &reader));

    // All that ingestion does: new measurements and series, repetitions, rows that the database refuses, series that sleep.
    for namespace in ["public", "plant"] {
        let write = |body: &str| app.post(&format!("/write?db={namespace}"), body.as_bytes());
        let time = 1_700_000_000_000_000_000_i64;
        for _ in 0..2 {
            let written = write(&format!("m,s=a v=1 {time}"));
            assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
        }
        let constraint = format!("ALTER TABLE {namespace}_store.m ADD CONSTRAINT positive CHECK (v > 0)");
        admin.execute(constraint.as_str()).await.unwrap();
        let written = write(&format!("m,s=a v=-1 {time}\nm,s=a v=4 {time}"));
        assert_eq!((written.status, written.json()["dead_lettered"].clone()), (400, 1.into()), "{}", written.json());
        let retire = format!(
            "INSERT INTO chunkwise.retired_series (series_id, measurement_id)
                 SELECT series_id, m.id FROM {namespace}_store.m__series, chunkwise.measurement m
                 WHERE m.namespace = '{namespace}';
             UPDATE chunkwise.measurement SET retirements = retirements + 1 WHERE namespace = '{namespace}'"
        );
        sqlx::raw_sql(&retire).execute(&mut admin).await.unwrap();
        let written = write(&format!("m,s=a v=5 {time}"));
        assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
        let listed = app.get(&format!("/api/v1/series?measurement=m&namespace={namespace}"));
        assert_eq!((listed.status, listed.json()["total"].clone()), (200, 1.into()));
        assert_eq!(database.scalar::<i64>(&format!("SELECT count(*) FROM {namespace}.m")).await, 3);
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM chunkwise.retired_series").await, 0, "they are awake");
    assert_eq!(app.get("/api/v1/dead_letters").json()["rows"].as_array().unwrap().len(), 1);
    for namespace in ["public", "plant"] {
        wait_until("there are bars and last values", async || {
            let there = format!("SELECT to_regclass('{namespace}.m_latest') IS NOT NULL");
            database.scalar::<bool>(&there).await
        })
        .await;
    }

    let relations: Vec<(i64, String, String, bool)> = sqlx::query_as(
        "SELECT c.oid::int8, nspname::text, relname::text, relkind = 'v' FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE relkind IN ('r', 'v') AND (nspname IN ('chunkwise', 'public_store', 'plant_store', 'plant')
                                          OR (nspname = 'public' AND relname ~ '^m(_|$)'))",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(relations.len() > 50, "{relations:?}");
    for (place, role) in [&writer, &reader].into_iter().enumerate() {
        let mut connection = PgConnection::connect(&url(&database, role)).await.unwrap();
        for (oid, schema, name, is_view) in &relations {
            let rights = &documented(row_of(schema, name))[place];
            for privilege in ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
                let has: bool = sqlx::query_scalar("SELECT has_table_privilege($1::oid, $2)")
                    .bind(sqlx::postgres::types::Oid(u32::try_from(*oid).unwrap()))
                    .bind(privilege)
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
                assert_eq!(has, rights.contains(&privilege), "{role}: {privilege} on {schema}.{name}");
                let statement = match privilege {
                    "SELECT" => format!("SELECT 1 FROM {schema}.{name} LIMIT 0"),
                    "INSERT" => format!("INSERT INTO {schema}.{name} DEFAULT VALUES"),
                    "DELETE" => format!("DELETE FROM {schema}.{name} WHERE false"),
                    "TRUNCATE" => format!("TRUNCATE {schema}.{name}"),
                    _ => continue,
                };
                // A view says first that there is nothing to insert into.
                if !is_view || privilege == "SELECT" {
                    assert_eq!(is_denied(&mut connection, &statement).await, !has, "{role}: {statement}");
                }
            }
        }
        for denied in [
            "CREATE SCHEMA mine",
            "CREATE TABLE public.mine (i int)",
            "CREATE TABLE public_store.mine (i int)",
            "DROP TABLE public_store.m",
            "SELECT chunkwise.open_write('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
        ] {
            assert!(is_denied(&mut connection, denied).await, "{role}: {denied}");
        }
        let numbered = is_denied(&mut connection, "SELECT nextval('chunkwise.series_id')").await;
        let opened = "SELECT chunkwise.open_write('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')";
        let opened = is_denied(&mut connection, opened).await;
        assert_eq!((numbered, opened), (role == &reader, role == &reader), "{role}");
    }
    drop(app);
    for role in [&writer, &reader] {
        admin.execute(format!("DROP ROLE {role}").as_str()).await.unwrap();
    }
}

#[tokio::test]
async fn rights_that_are_missing_or_too_much_are_told_and_put_right() {
    let database = TestDatabase::new().await;
    let url = database.url();
    let shell = |line: &str| run(&line.split_whitespace().chain(["--database-url", &url]).collect::<Vec<_>>());
    let mut admin = database.connect().await;
    assert_eq!(ensure_roles(&mut admin).await.unwrap(), Roles::Ready);
    let app = App::start(&["up", "--database-url", &url]);
    assert_eq!(app.post("/write", b"m,s=a v=1 1700000000000000000").status, 204);
    drop(app);
    assert_eq!(examine_roles(&mut admin).await.unwrap(), []);
    let doctor = shell("db doctor").successful();
    assert!(doctor.text().contains("have the rights that they are to have"), "{}", doctor.text());

    sqlx::raw_sql(
        "GRANT DELETE ON public_store.m TO chunkwise_reader;
         GRANT UPDATE (v) ON public_store.m TO chunkwise_writer;
         REVOKE INSERT ON public_store.m FROM chunkwise_writer;
         GRANT SELECT ON chunkwise.ledger TO PUBLIC;
         -- As an earlier version had it.
         ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO chunkwise_writer;
         ALTER DEFAULT PRIVILEGES IN SCHEMA chunkwise GRANT EXECUTE ON FUNCTIONS TO chunkwise_writer;
         -- Somebody's own.
         CREATE TABLE mine (i int); GRANT ALL ON mine TO PUBLIC",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let faults = examine_roles(&mut admin).await.unwrap();
    let found: Vec<&str> = faults.iter().map(|fault| fault.found.as_str()).collect();
    let user: String = database.scalar("SELECT quote_ident(current_user)").await;
    let expected = [
        "PUBLIC has SELECT on table chunkwise.ledger".to_owned(),
        "chunkwise_reader has DELETE on table public_store.m".to_owned(),
        format!("chunkwise_writer has EXECUTE on functions that {user} IN SCHEMA chunkwise makes"),
        format!("chunkwise_writer has INSERT on tables that {user} makes"),
        format!("chunkwise_writer has SELECT on tables that {user} makes"),
        "chunkwise_writer has UPDATE (v) on table public_store.m".to_owned(),
        "chunkwise_writer lacks INSERT on table public_store.m".to_owned(),
    ];
    assert_eq!(found, expected);
    let doctor = shell("db doctor");
    for told in ["lacks INSERT on table public_store.m", "GRANT INSERT ON TABLE public_store.m TO chunkwise_writer"] {
        let text = doctor.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(told) || told.split(' ').all(|word| text.contains(word)), "{}", doctor.text());
    }

    // The command takes back and gives what it may; what everybody may is an operator's.
    assert_eq!(shell("db migrate").code, 0);
    let left: Vec<_> =
        examine_roles(&mut admin).await.unwrap().into_iter().map(|fault| fault.remedy.unwrap()).collect();
    assert_eq!(left, ["REVOKE SELECT ON TABLE chunkwise.ledger FROM PUBLIC"]);
    admin.execute(left[0].as_str()).await.unwrap();
    assert_eq!(examine_roles(&mut admin).await.unwrap(), []);
    let mine: bool = database.scalar("SELECT has_table_privilege('chunkwise_writer', 'mine', 'DELETE')").await;
    assert!(mine, "what is somebody's own is left alone");
}
