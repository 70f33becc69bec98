//! Clients that go away while their answer is computed, and questions that wait.

use std::{
    net::Shutdown,
    sync::Arc,
    time::{Duration, Instant},
};

use chunkwise::{
    hypertable::load_measurement,
    query::{QueryError, QueryLimits, Questions},
    question::{MatrixQuestion, WindowQuestion},
};
use serde_json::{Value, json};
use sqlx::Executor;

use crate::{
    faults::{clients::block_until, raw},
    read::fixture::{Fixture, HOUR_US, START_US, add_series, ask, text},
    support::{App, TestDatabase, wait_until},
};

/// Ranks of pairs with gaps are computed pair by pair: some ten seconds and more of work.
fn heavy() -> Value {
    json!({
        "measurement": "ticks", "field": "price", "bucket": "1m", "method": "spearman", "min_overlap": 3,
        "from": text(START_US), "to": text(START_US + 8 * HOUR_US),
    })
}

fn light() -> Value {
    json!({
        "measurement": "ticks", "field": "price", "bucket": "1h", "series": {"symbol": "S0"},
        "from": text(START_US), "to": text(START_US + HOUR_US),
    })
}

/// A thousand series over 480 minutes, each with gaps.
async fn gaps() -> Fixture {
    let fixture = Fixture::new(24 * HOUR_US, 1, Vec::new()).await;
    let mut connection = fixture.test.connect().await;
    let measurement = load_measurement(&mut connection, "public", "ticks").await.unwrap().unwrap();
    add_series(&mut connection, &measurement, 1..1_000).await;
    let sql = format!(
        "INSERT INTO public_store.ticks (time, series_id, price)
         SELECT '{}'::timestamptz + minute * interval '1 minute', series_id, (series_id * 7919 + minute * 104729) % 1009
         FROM public_store.ticks__series, generate_series(0, 479) minute WHERE (series_id * 7 + minute * 13) % 9 <> 0",
        text(START_US)
    );
    connection.execute(sql.as_str()).await.unwrap();
    fixture
}

fn metric(app: &App, name: &str) -> f64 {
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |value| value.trim().parse().unwrap())
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_what_is_computed_for_it() {
    let fixture = gaps().await;
    let app = App::start(&["serve", "--database-url", &fixture.test.url()]);
    let body = heavy().to_string();
    let mut stream = raw::connect(&app, Duration::from_secs(60));
    raw::send(&mut stream, &raw::post("/api/v1/correlate/matrix", body.len() as u64));
    raw::send(&mut stream, body.as_bytes());
    let computing = "chunkwise_questions_computing ";
    block_until("the matrix is computed", Duration::from_secs(30), || metric(&app, computing) == 1.0);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(metric(&app, computing), 1.0, "it is long work");

    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    let hung_up = Instant::now();
    block_until("the work has ended", Duration::from_secs(2), || metric(&app, computing) == 0.0);
    eprintln!("the work ended {:?} after the client had gone, by the metrics", hung_up.elapsed());
    let dropped = "chunkwise_questions_total{question=\"matrix\",outcome=\"dropped\"} ";
    assert_eq!(metric(&app, dropped), 1.0);
    assert_eq!(app.ask("/api/v1/window", &light()).status, 200);
    assert_eq!(app.terminate(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_holds_its_turn_while_it_is_computed_and_a_full_queue_says_so_at_once() {
    let fixture = gaps().await;
    let test = TestDatabase::with(|options| chunkwise::db::DatabaseOptions {
        reader: fixture.test.options(),
        reader_connections: 3,
        ..options
    })
    .await;
    let limits = QueryLimits { waiting: 1, queue: Duration::from_secs(3), ..QueryLimits::default() };
    let questions = Arc::new(Questions::new(test.database.clone(), limits));
    let spawn_light = || {
        let questions = Arc::clone(&questions);
        tokio::spawn(async move { questions.window(&ask::<WindowQuestion>(light())).await })
    };
    let long = {
        let questions = Arc::clone(&questions);
        tokio::spawn(async move { questions.matrix(&ask::<MatrixQuestion>(heavy())).await.map(drop) })
    };
    // One connection is for questions: the second waits, the third is one too many.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = spawn_light();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let third = questions.window(&ask::<WindowQuestion>(light())).await;
    assert!(matches!(third, Err(QueryError::Busy)), "{third:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "it was told at once");
    assert!(matches!(second.await.unwrap(), Err(QueryError::Busy)), "it has waited for as long as questions do");

    // Whoever asked the long one gives up.
    let waiting = spawn_light();
    tokio::time::sleep(Duration::from_millis(100)).await;
    long.abort();
    let gave_up = Instant::now();
    assert!(waiting.await.unwrap().is_ok());
    assert!(gave_up.elapsed() < Duration::from_secs(2), "{:?}", gave_up.elapsed());
    wait_until("nothing waits", async || questions.window(&ask(light())).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_take_too_much_memory_is_refused_before_a_row_is_read() {
    let fixture = gaps().await;
    let questions = Questions::new(fixture.test.database.clone(), QueryLimits::default());
    // The frame takes 4 MB, the matrix 16 MB more.
    let mut question: MatrixQuestion = ask(heavy());
    question.limit_bytes = Some(12 << 20);
    let began = Instant::now();
    let refused = questions.matrix(&question).await;
    assert!(matches!(refused, Err(QueryError::TooLarge { .. })), "{refused:?}");
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(questions.kinds().matrix.show().rows_read, 0);
}
