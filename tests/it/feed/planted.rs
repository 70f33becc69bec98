//! Faults that are planted, each of which must be found, and nothing else.

use std::fs;

use sqlx::Row;

use super::Stand;

/// The row that is planted with.
const ONE: &str = "SELECT ctid, tableoid FROM public_store.fed ORDER BY time LIMIT 1 OFFSET 4321";

async fn fed() -> Stand {
    let stand = Stand::new().await;
    let (code, summary) = stand.feed(&["--lines", "10000", "--lines-per-request", "1000"]);
    assert_eq!(code, 0, "{summary:#}");
    stand
}

/// Makes the last request one in doubt, as if the feed had been killed before it heard the answer.
fn forget_last_answer(stand: &Stand) {
    let path = stand.file("journal");
    let journal = fs::read_to_string(&path).unwrap();
    let (before, answer) = journal.trim_end().rsplit_once('\n').unwrap();
    assert!(answer.starts_with("A "), "{answer}");
    fs::write(&path, format!("{before}\n")).unwrap();
}

#[tokio::test]
async fn a_row_that_is_deleted_is_lost() {
    let stand = fed().await;
    let sql = format!("DELETE FROM public_store.fed WHERE (ctid, tableoid) IN ({ONE})");
    assert_eq!(stand.execute(&sql).await, 1);
    let proof = stand.assert_found(&[("lost", 1)]);
    assert_eq!((&proof["faults"][0]["what"], &proof["faults"][0]["row"]), (&"lost".into(), &4_321.into()));
}

#[tokio::test]
async fn a_row_that_is_copied_is_there_twice() {
    let stand = fed().await;
    let sql = format!("INSERT INTO public_store.fed SELECT * FROM public_store.fed WHERE (ctid, tableoid) IN ({ONE})");
    assert_eq!(stand.execute(&sql).await, 1);
    let proof = stand.assert_found(&[("twice", 1)]);
    assert_eq!(proof["faults"][0]["row"], 4_321);
}

#[tokio::test]
async fn a_value_that_is_off_by_its_last_bit_is_wrong() {
    let stand = fed().await;
    let mut connection = stand.database.connect().await;
    let row = sqlx::query("SELECT time, exact FROM public_store.fed WHERE exact > 1 ORDER BY time LIMIT 1")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let (time, exact): (chrono::DateTime<chrono::Utc>, f64) = (row.get(0), row.get(1));
    let changed = sqlx::query("UPDATE public_store.fed SET exact = $1 WHERE time = $2")
        .bind(exact.next_up())
        .bind(time)
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(changed.rows_affected(), 1);
    stand.assert_found(&[("wrong", 1)]);
}

#[tokio::test]
async fn a_zero_that_lost_its_sign_and_a_text_that_became_null_are_wrong() {
    let stand = fed().await;
    let zeros = stand.execute("UPDATE public_store.fed SET exact = 0 WHERE exact::text = '-0'").await;
    assert!(zeros > 0);
    let sql = "UPDATE public_store.fed SET note = NULL WHERE note = '' AND exact <> 0";
    let texts = stand.execute(sql).await;
    assert!(texts > 0);
    stand.assert_found(&[("wrong", zeros + texts)]);
}

#[tokio::test]
async fn rows_that_were_never_sent_are_phantoms() {
    let stand = fed().await;
    // Of a series that the feed has not; of one that it has, before its start; and at the time of another's row.
    assert_eq!(stand.app.post("/write", b"fed,source=0,symbol=NONE price=1").status, 204);
    let copy = "INSERT INTO public_store.fed (time, series_id, price)
                SELECT time - interval '1 day', series_id, price FROM public_store.fed ORDER BY time LIMIT 1";
    assert_eq!(stand.execute(copy).await, 1);
    let swap = "INSERT INTO public_store.fed (time, series_id)
                SELECT max(time) FILTER (WHERE series_id = first), min(series_id) FILTER (WHERE series_id > first)
                FROM public_store.fed, (SELECT min(series_id) AS first FROM public_store.fed) AS series";
    assert_eq!(stand.execute(swap).await, 1);
    stand.assert_found(&[("phantom", 3)]);
}

#[tokio::test]
async fn a_request_in_doubt_may_be_there_or_not_but_not_in_part() {
    let stand = fed().await;
    forget_last_answer(&stand);
    let proof = stand.assert_found(&[]);
    assert_eq!((&proof["in_doubt_present"], &proof["acknowledged_rows"]), (&1.into(), &9_000.into()));

    let half = "DELETE FROM public_store.fed WHERE (ctid, tableoid) IN
                (SELECT ctid, tableoid FROM public_store.fed ORDER BY time OFFSET 9500)";
    assert_eq!(stand.execute(half).await, 500);
    stand.assert_found(&[("torn", 1)]);
}

#[tokio::test]
async fn a_request_that_the_ledger_has_must_have_its_rows() {
    let stand = fed().await;
    forget_last_answer(&stand);
    let rows = "DELETE FROM public_store.fed WHERE (ctid, tableoid) IN
                (SELECT ctid, tableoid FROM public_store.fed ORDER BY time OFFSET 9000)";
    assert_eq!(stand.execute(rows).await, 1_000);
    stand.assert_found(&[("ledger_without_rows", 1)]);
    // Without its ledger row it was rolled back, or never came: both are allowed.
    stand.execute("DELETE FROM chunkwise.ledger").await;
    let proof = stand.assert_found(&[]);
    assert_eq!(proof["in_doubt_absent"], 1);
}

#[tokio::test]
async fn rows_beside_every_chunk_are_found() {
    let stand = fed().await;
    let mut connection = stand.database.connect().await;
    // As while a dump is restored: the extension sleeps, its trigger too, and rows go into the root table.
    for setting in ["timescaledb.restoring = on", "session_replication_role = replica"] {
        sqlx::query(&format!("SET {setting}")).execute(&mut connection).await.unwrap();
    }
    let copy = "INSERT INTO public_store.fed (time, series_id) VALUES (now(), 1)";
    assert_eq!(sqlx::query(copy).execute(&mut connection).await.unwrap().rows_affected(), 1);
    let (code, proof) = stand.verify();
    assert_eq!((code, &proof["root_rows"]), (1, &1.into()));
}
