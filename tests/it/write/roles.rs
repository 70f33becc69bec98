//! Separate roles for owner, writer and reader, with the rights that the documentation gives them.

use chunkwise::db::{Roles, ensure_roles};
use sqlx::{Connection, Executor};

use crate::support::{App, TestDatabase};

const DOCUMENTATION: &str = include_str!("../../../docs/configuration.md");

/// The statements of the documentation, with a suffix to the roles' names: roles belong to the whole server.
fn documented_grants(suffix: &str) -> String {
    let start = DOCUMENTATION.find("```sql\n").unwrap() + "```sql\n".len();
    let end = DOCUMENTATION[start..].find("```").unwrap();
    let mut sql = DOCUMENTATION[start..start + end].to_owned();
    for role in ["cw_owner", "cw_writer", "cw_reader"] {
        sql = sql.replace(role, &format!("{role}{suffix}"));
    }
    sql
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
    let sql = documented_grants(&suffix).replace("DATABASE ticks", &format!("DATABASE {name}"));
    sqlx::raw_sql(&sql).execute(&mut admin).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    let url = |role: &str| {
        let options = database.options().username(&format!("{role}{suffix}")).password("secret");
        sqlx::ConnectOptions::to_url_lossy(&options).to_string()
    };
    let app = App::start_with(
        &["up", "--database-url", &url("cw_owner")],
        &[("CHUNKWISE_DATABASE__WRITER_URL", &url("cw_writer")), ("CHUNKWISE_DATABASE__READER_URL", &url("cw_reader"))],
    );
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
    // Setting rows aside takes no further right, and looking at them none but the reader's.
    admin.execute("ALTER TABLE public_store.m ADD CONSTRAINT positive CHECK (v > 0)").await.unwrap();
    let written = app.post("/write", b"m,s=a v=-1 1700000000000000000\nm,s=a v=4 1700000000000000000");
    assert_eq!((written.status, written.json()["dead_lettered"].clone()), (400, 1.into()), "{}", written.json());
    assert_eq!(app.get("/api/v1/dead_letters").json()["rows"].as_array().unwrap().len(), 1);
    for role in ["cw_writer", "cw_reader"] {
        let mut connection = sqlx::PgConnection::connect(&url(role)).await.unwrap();
        for denied in [
            "DELETE FROM public_store.m",
            "DROP TABLE public_store.m",
            "CREATE TABLE public.x (i int)",
            "DELETE FROM chunkwise.measurement",
        ] {
            assert!(connection.execute(denied).await.is_err(), "{role}: {denied}");
        }
    }
    drop(app);
    admin.close().await.unwrap();
    let server = sqlx::PgConnection::connect_with(&database.options()).await.unwrap();
    let mut server = server;
    for role in ["cw_reader", "cw_writer", "cw_owner"] {
        server.execute(format!("DROP OWNED BY {role}{suffix} CASCADE").as_str()).await.unwrap();
        server.execute(format!("DROP ROLE {role}{suffix}").as_str()).await.unwrap();
    }
}

#[tokio::test]
async fn the_roles_that_are_made_can_do_their_work_and_no_more() {
    let database = TestDatabase::new().await;
    let suffix = std::process::id();
    let mut admin = database.connect().await;
    // Two starts at once, as of two processes.
    let (mut one, mut two) = (database.connect().await, database.connect().await);
    let (first, second) = tokio::join!(ensure_roles(&mut one), ensure_roles(&mut two));
    assert_eq!((first.unwrap(), second.unwrap()), (Roles::Ready, Roles::Ready));
    // Members, so that no password of the roles themselves is set on a server that others use.
    let (writer, reader) = (format!("cwt_writer_{suffix}"), format!("cwt_reader_{suffix}"));
    for (member, role) in [(&writer, "chunkwise_writer"), (&reader, "chunkwise_reader")] {
        let create = format!("CREATE ROLE {member} LOGIN PASSWORD 'secret' IN ROLE {role}");
        admin.execute(create.as_str()).await.unwrap();
    }
    let url = |role: &str| {
        sqlx::ConnectOptions::to_url_lossy(&database.options().username(role).password("secret")).to_string()
    };
    let app = App::start_with(
        &["up", "--database-url", &database.url()],
        &[("CHUNKWISE_DATABASE__WRITER_URL", &url(&writer)), ("CHUNKWISE_DATABASE__READER_URL", &url(&reader))],
    );
    for namespace in ["public", "plant"] {
        let written = app.post(&format!("/write?db={namespace}"), b"m,s=a v=1 1700000000000000000");
        assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
        let listed = app.get(&format!("/api/v1/series?measurement=m&namespace={namespace}"));
        assert_eq!((listed.status, listed.json()["total"].clone()), (200, 1.into()));
    }
    let denied_to_both = [
        "DELETE FROM public_store.m",
        "DROP TABLE public_store.m",
        "UPDATE public_store.m SET v = 2",
        "DELETE FROM chunkwise.retired_series",
        "INSERT INTO chunkwise.change (measurement_id) VALUES (1)",
        "CREATE SCHEMA mine",
    ];
    for (role, denied) in
        [(&writer, "TRUNCATE public_store.m"), (&reader, "INSERT INTO public_store.m VALUES (now(), 1, 1)")]
    {
        let mut connection = sqlx::PgConnection::connect(&url(role)).await.unwrap();
        for denied in denied_to_both.iter().chain([&denied]) {
            assert!(connection.execute(*denied).await.is_err(), "{role}: {denied}");
        }
    }
    let limits: i64 = database
        .scalar(
            "SELECT count(*) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(setconfig) AS c
         WHERE rolname = 'chunkwise_reader' AND c ~ '^(statement_timeout|work_mem|default_transaction_read_only)='",
        )
        .await;
    assert_eq!(limits, 3);
    assert!(!database.scalar::<bool>("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'chunkwise_owner'").await);
    drop(app);
    for role in [&writer, &reader] {
        admin.execute(format!("DROP ROLE {role}").as_str()).await.unwrap();
    }
}
