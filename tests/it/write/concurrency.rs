//! Many at once.

use crate::support::{App, TestDatabase};

#[tokio::test]
async fn sixteen_writers_of_one_new_measurement_make_it_once() {
    let database = TestDatabase::new().await;
    // Two processes: coalescing within one is not enough.
    let apps = [
        App::start(&["up", "--database-url", &database.url()]),
        App::start(&["up", "--database-url", &database.url()]),
    ];
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let app = &apps[worker % 2];
            scope.spawn(move || {
                for round in 0..10 {
                    let line =
                        format!("m,host=h{} f{round}=1,w{worker}=2 17000000{worker:02}0000000{round:02}", round % 4);
                    let answer = app.post("/write", line.as_bytes());
                    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
                }
            });
        }
    });
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 160);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m__series").await, 4);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM chunkwise.measurement_column").await, 27);
}

#[tokio::test]
async fn readers_never_see_half_a_request() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write", b"m,s=a v=0\nm,s=b v=0\n").status, 204);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for request in 1..100 {
                // Two measurements in one request: two COPYs, one transaction.
                let body = format!("m,s=a v={request}\nm,s=b v={request}\nother,s=a v={request}\n");
                assert_eq!(app.post("/write", body.as_bytes()).status, 204);
            }
        });
    });
    assert_eq!(
        database.scalar::<i64>("SELECT count(*) FROM m GROUP BY v HAVING count(*) <> 2 UNION ALL SELECT 0").await,
        0
    );
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM other").await, 99);
}
