//! The program: how soon what is written shows, and kills at any moment while two of it run.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rustix::process::Signal;
use sqlx::Executor;

use super::support::{DAY_US, MINUTE_US, START_US, Ticks, now_us};
use crate::support::{App, TestDatabase};

/// What is promised, and what tests of many at once may take besides.
const SOON: Duration = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 5 });

async fn wait_for(test: &TestDatabase, what: &str, sql: &str) {
    let began = Instant::now();
    let mut connection = test.connect().await;
    loop {
        // The view may not be there yet.
        if sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut connection).await.unwrap_or(false) {
            println!("{what}: {:.1} s", began.elapsed().as_secs_f64());
            return;
        }
        assert!(began.elapsed() < SOON, "{what} is not there after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_is_written_shows_in_bars_within_five_seconds_whoever_wrote_it() {
    let test = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &test.url()]);
    assert_eq!(app.post("/write?precision=s", b"m,s=a v=1 1704067200").status, 204);
    wait_for(&test, "the first row of a new measurement", "SELECT count(*) = 1 FROM m_bars_1d").await;
    assert_eq!(app.post("/write?precision=s", b"m,s=a v=2 1704067201").status, 204);
    wait_for(&test, "a late row", "SELECT v_count = 2 FROM m_bars_1d").await;

    // Sessions that stay idle after it: the server counts what they did ten seconds later.
    let mut analyst = test.connect().await;
    for n in 3..6 {
        let insert = format!(
            "INSERT INTO public_store.m SELECT '2024-01-01 00:00:0{n}Z', series_id, {n} FROM public_store.m__series"
        );
        analyst.execute(insert.as_str()).await.unwrap();
        wait_for(&test, "another client's row", &format!("SELECT v_count = {n} FROM m_bars_1d")).await;
    }
    let many = "INSERT INTO public_store.m SELECT '2024-01-01 01:00Z'::timestamptz + n * interval '1 ms', series_id, n
                FROM public_store.m__series, generate_series(1, 100000) n";
    analyst.execute(many).await.unwrap();
    wait_for(&test, "many rows of another client", "SELECT v_count = 100005 FROM m_bars_1d").await;
    analyst.execute("UPDATE public_store.m SET v = -1 WHERE v = 5").await.unwrap();
    wait_for(&test, "a correction", "SELECT v_min = -1 FROM m_bars_1d").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_leave_what_an_undisturbed_one_would() {
    let mut random = StdRng::seed_from_u64(14);
    let mut ticks = Ticks::new().await;
    let url = ticks.test.url();
    let arguments = ["ingest", "--database-url", &url, "--line-protocol-listen", "off", "--opentsdb-listen", "off"];
    let mut apps = [(); 2].map(|()| App::start(&arguments));
    for round in 0..6 {
        for (from_us, span_us, rows) in [(START_US, 3 * DAY_US, 3_000), (now_us() - 3 * MINUTE_US, 3 * MINUTE_US, 100)]
        {
            let lines: Vec<String> = (0..rows)
                .map(|_| {
                    let price = f64::from(random.random_range(-999_i32..999)) / 8.0;
                    let (size, symbol) = (random.random_range(0..100), random.random_range(0..20));
                    let us = from_us + random.random_range(0..span_us);
                    format!("ticks,symbol=P{symbol} price={price},size={size}i,note=\"n{size}\" {us}")
                })
                .collect();
            let answer = apps[round % 2].post("/write?precision=us", lines.join("\n").as_bytes());
            assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
        }
        ticks.execute(&format!("DELETE FROM public_store.ticks WHERE size % 10 = {round}")).await;
        if round == 3 {
            let answer = apps[0]
                .post("/write?precision=us", format!("ticks,symbol=P1 price=1,size=109i,bid=7 {START_US}").as_bytes());
            assert_eq!(answer.status, 204, "a field is added");
        }
        // Somewhere in what it makes of that, or before.
        tokio::time::sleep(Duration::from_millis(random.random_range(500..3_500))).await;
        let victim = &mut apps[round % 2];
        victim.signal(Signal::KILL);
        victim.wait(Duration::from_secs(10));
        *victim = App::start(&arguments);
    }
    let made = "SELECT count(*) FROM public_store.ticks__bars_1m";
    assert!(ticks.scalar::<i64>(made).await > 0, "none was killed before it made anything");
    for app in apps {
        assert_eq!(app.terminate(), 0);
    }
    ticks.refresh().await;
    ticks.check("after all").await;
    assert_eq!(ticks.scalar::<f64>("SELECT max(bid_last) FROM ticks_bars_1d").await, 7.0);
}
