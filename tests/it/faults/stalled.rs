//! COPYs whose client stops in the middle.

use std::time::Duration;

use chunkwise::{
    copy::{EncodeError, WrongCount, copy_pieces},
    db::{self, Role},
};
use sqlx::{ConnectOptions, Executor, PgConnection};

use crate::support::{TestDatabase, wait_until};

/// The begin of a COPY, and two rows of one int8 column.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const ROWS: &[u8] = b"\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x01\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x02";
const COPY: &str = "COPY t FROM STDIN (FORMAT binary)";

async fn with_table() -> (TestDatabase, PgConnection) {
    let database = TestDatabase::new().await;
    let mut connection = database.connect().await;
    connection.execute("CREATE TABLE t (i int8)").await.unwrap();
    (database, connection)
}

#[tokio::test]
async fn a_writers_copy_whose_client_sends_nothing_is_ended_and_nobody_elses() {
    let (database, _connection) = with_table().await;
    let mut writer = database.database.connect(Role::Writer).await.unwrap();
    let mut analyst = database.options().application_name("psql").connect().await.unwrap();
    let mut copies = [writer.copy_in_raw(COPY).await.unwrap(), analyst.copy_in_raw(COPY).await.unwrap()];
    for copy in &mut copies {
        copy.send([HEADER, ROWS].concat().as_slice()).await.unwrap();
    }
    let mut reaper = database.database.connect(Role::Writer).await.unwrap();
    assert_eq!(db::end_stalled_copies(&mut reaper, db::STALLED_AFTER).await.unwrap(), 0);
    wait_until("the stalled one is ended", async || {
        db::end_stalled_copies(&mut reaper, Duration::ZERO).await.unwrap() == 1
    })
    .await;
    wait_until("it is gone", async || {
        database
            .scalar::<bool>(
                "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY t%'",
            )
            .await
    })
    .await;
    let [writer, analyst] = copies;
    writer.finish().await.unwrap_err();
    assert_eq!(analyst.finish().await.unwrap(), 2);
}

#[tokio::test]
async fn an_encoder_that_fails_or_stops_early_leaves_no_row() {
    let (database, mut connection) = with_table().await;
    let pieces = |end: Result<bool, EncodeError>| {
        let mut pieces = vec![end, Ok(true)];
        move |piece: &mut Vec<u8>| {
            piece.clear();
            piece.extend([HEADER, ROWS].concat());
            pieces.pop().unwrap()
        }
    };
    let failing = pieces(Err(EncodeError::ValueTooLong { bytes: 7 }));
    let error = copy_pieces(&mut connection, COPY, 2, failing).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::Encode(_)), "{error}");
    // The connection is in order, and has nothing of it.
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, 0);

    // The server takes a COPY without its trailer: only the count tells.
    connection.execute("BEGIN").await.unwrap();
    let error = copy_pieces(&mut connection, COPY, 3, pieces(Ok(false))).await.unwrap_err();
    let sqlx::Error::AnyDriverError(error) = error else { panic!("{error}") };
    assert_eq!(error.downcast_ref(), Some(&WrongCount { taken: 2, sent: 3 }));
    connection.execute("ROLLBACK").await.unwrap();
    assert_eq!(copy_pieces(&mut connection, COPY, 2, pieces(Ok(false))).await.unwrap(), 2);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM t").await, 2);
}
