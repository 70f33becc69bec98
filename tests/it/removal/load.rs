//! Two ingest processes write while measurements and series are taken away under them.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::support::{App, TestDatabase};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_goes_to_what_is_gone_and_what_is_acknowledged_after_the_last_removal_is_there() {
    let database = TestDatabase::new().await;
    let apps = [(); 2].map(|()| {
        App::start(&[
            "ingest",
            "--database-url",
            &database.url(),
            "--opentsdb-listen",
            "off",
            "--line-protocol-listen",
            "off",
        ])
    });
    let (stop, number) = (AtomicBool::new(false), AtomicI64::new(0));
    let body = |first: i64| -> String {
        (first..first + 20).map(|n| format!("m,s=S{} v={n} {}\n", n % 7, 1_704_067_200_000_000 + n)).collect()
    };
    std::thread::scope(|scope| {
        for app in &apps {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let body = body(number.fetch_add(20, Ordering::Relaxed));
                    let mut written = app.post("/write?precision=us", body.as_bytes());
                    // What was taken away under it for too long has to be sent again, as any client does.
                    while written.status == 503 {
                        written = app.post("/write?precision=us", body.as_bytes());
                    }
                    assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
                }
            });
        }
        let mut taken = 0;
        while taken < 6 {
            let before = number.load(Ordering::Relaxed);
            let path = if taken % 2 == 0 {
                "/api/v1/measurements/m"
            } else {
                "/api/v1/series?measurement=m&tag.s=S1&tag.s=S2"
            };
            let removed = apps[taken % 2].delete(path);
            if removed.status == 404 {
                continue;
            }
            assert_eq!(removed.status, 200, "{}", String::from_utf8_lossy(&removed.body));
            taken += 1;
            // Both have written since.
            while number.load(Ordering::Relaxed) < before + 100 {
                std::thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let orphans = "SELECT count(*) FROM public_store.m d
                   WHERE NOT EXISTS (SELECT FROM public_store.m__series s WHERE s.series_id = d.series_id)";
    assert_eq!(database.scalar::<i64>(orphans).await, 0);
    // From here on each acknowledged row is there.
    let removed = apps[0].delete("/api/v1/measurements/m");
    assert_eq!(removed.status, 200);
    for (n, app) in apps.iter().enumerate() {
        let first = number.load(Ordering::Relaxed) + 20 * i64::try_from(n).unwrap();
        assert_eq!(app.post("/write?precision=us", body(first).as_bytes()).status, 204);
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 40);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM chunkwise.dead_letter").await, 0);
}
