//! The database goes away while clients without acknowledgements send.

use std::io::Write;

use super::{connect, line_protocol, opentsdb, send, wait_for_rows};
use crate::support::{App, At, Proxy, TestDatabase, wait_until};

const NS: i64 = 1_700_000_000_000_000_000;
/// Several bodies for every connection: more than is read ahead, less than sockets and memory hold.
const LINES: i64 = 30_000;

#[tokio::test]
async fn nothing_is_lost_or_there_twice_when_the_database_goes_away_in_the_middle_of_a_stream() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    let (tcp, telnet) = (line_protocol(&app), opentsdb(&app));
    send(&tcp, format!("lp,s=a v=0 {NS}\n").as_bytes());
    send(&telnet, b"put ot 1700000000 0 s=a\n");
    wait_for_rows(&database, "lp", 1).await;
    wait_for_rows(&database, "ot", 1).await;

    // The first COMMIT gets no answer, then nobody is there.
    proxy.trap(At::AfterCommit);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = connect(&tcp);
            for i in 1..=LINES {
                writeln!(connection, "lp,s=a v={i} {}", NS + i * 1_000_000).unwrap();
            }
        });
        scope.spawn(|| {
            let mut connection = connect(&telnet);
            for i in 1..=LINES {
                writeln!(connection, "put ot {} {i} s=a", 1_700_000_000_000 + i).unwrap();
            }
        });
        scope.spawn(|| {
            while proxy.is_trapped() {
                std::thread::yield_now();
            }
            proxy.cut();
        });
    });
    // The writers themselves try for five seconds; what is tried here is what comes after them.
    let failed = || app.get("/api/v1/stats").json()["ingest"]["failed"].as_u64().unwrap();
    wait_until("requests were given back to the listeners", async || failed() > 0).await;
    assert!(database.scalar::<i64>("SELECT count(*) FROM lp").await <= LINES);
    proxy.heal();
    for view in ["lp", "ot"] {
        let whole = format!("SELECT count(*) = {0} AND count(DISTINCT time) = {0} FROM {view}", LINES + 1);
        let patience = std::time::Duration::from_secs(60);
        let waiting = async {
            while !database.scalar::<bool>(&whole).await {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| panic!("{view} is not whole"));
    }
}
