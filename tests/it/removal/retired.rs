//! Series that sleep, and wake.

use chunkwise::{
    hypertable::{changes, load_measurement},
    query::{QueryLimits, Questions},
    removal::{retire, wake},
    series::PageRequest,
};
use sqlx::Executor;

use super::ingest;
use crate::support::TestDatabase;

async fn write(ingest: &chunkwise::ingest::Ingest, line: &str) {
    use chunkwise::{
        ingest::{BodyRequest, Identity, PartialWrites, Protocol, RequestId},
        protocol::Precision,
    };
    let request = BodyRequest {
        protocol: Protocol::LineProtocolHttp,
        room: ingest.reserve(1 << 16).await.unwrap(),
        namespace: "public",
        body: line.as_bytes(),
        precision: Precision::Seconds,
        identity: Identity::Fixed(RequestId::fresh(uuid::Uuid::new_v4())),
        partial: PartialWrites::Refuse,
        interval_us: None,
    };
    ingest.write_body(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_without_data_sleep_and_are_awake_with_the_commit_of_their_next_row() {
    let test = TestDatabase::new().await;
    let (first, second) = (ingest(&test.database), ingest(&test.database));
    let now = chrono::Utc::now().timestamp();
    write(&first, &format!("m,s=quiet v=1 {}\nm,s=busy v=1 {now}", now - 40 * 86_400)).await;
    write(&second, &format!("m,s=quiet v=1 {}\nm,s=busy v=2 {now}", now - 41 * 86_400)).await;
    let mut owner = test.connect().await;
    let measurement = load_measurement(&mut owner, "public", "m").await.unwrap().unwrap();
    assert_eq!(retire(&mut owner, &measurement).await.unwrap(), 0, "without a retention nothing sleeps");
    owner.execute("UPDATE chunkwise.measurement SET retention = interval '30 days'").await.unwrap();
    let questions = Questions::new(test.database.clone(), QueryLimits::default());
    let version = async || questions.data_version("public", "m").await.unwrap();
    let awake = async || {
        let request = PageRequest { limit: 10, ..PageRequest::default() };
        let (page, _) = questions.series("public", "m", &request).await.unwrap();
        page.rows.into_iter().filter_map(|row| row.series.tags[0].clone()).collect::<Vec<_>>()
    };
    let before = version().await;
    assert_eq!(retire(&mut owner, &measurement).await.unwrap(), 1);
    assert_ne!(version().await, before, "an answer kept by a client is another now");
    assert_eq!(awake().await, ["busy"]);
    assert_eq!(retire(&mut owner, &measurement).await.unwrap(), 0, "it sleeps already");

    // Both processes know the series by heart, and neither knows that it sleeps.
    write(&first, &format!("m,s=busy v=3 {now}")).await;
    assert_eq!(awake().await, ["busy"]);
    let id = "SELECT series_id FROM public_store.m__series WHERE s = 'quiet'";
    let kept: i64 = test.scalar(id).await;
    write(&second, &format!("m,s=quiet v=9 {now}")).await;
    assert_eq!((awake().await.len(), test.scalar::<i64>(id).await), (2, kept), "awake at once, as what it was");

    // Asleep again, it is woken by a row that somebody else inserts.
    owner.execute("DELETE FROM public_store.m WHERE v = 9").await.unwrap();
    assert_eq!(retire(&mut owner, &measurement).await.unwrap(), 1);
    assert_eq!(wake(&mut owner, None).await.unwrap(), 0, "its old rows wake nobody");
    let seen = changes::here(&mut owner).await.unwrap();
    sqlx::query("INSERT INTO public_store.m VALUES (now(), $1, 5)").bind(kept).execute(&mut owner).await.unwrap();
    assert_eq!(wake(&mut owner, Some(&seen)).await.unwrap(), 1);
    assert_eq!(awake().await.len(), 2);
}
