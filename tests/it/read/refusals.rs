//! Questions without an answer.

use std::{sync::Arc, time::Duration};

use chunkwise::{
    db::{Database, DatabaseOptions},
    query::{QueryError, QueryLimits, Questions},
    question::WindowQuestion,
};
use serde_json::{Value, json};
use sqlx::Executor;

use super::fixture::{DAY_US, Fixture, HOUR_US, START_US, ask, several_connections, text};
use crate::support::wait_until;

fn window(fields: Value) -> WindowQuestion {
    let mut all = json!({"bucket": "1h", "from": text(START_US), "to": text(START_US + DAY_US)});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    ask(all)
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let fixture = Fixture::random(31, HOUR_US, 2, DAY_US, 20).await;
    let refused = async |fields| fixture.questions.window(&window(fields)).await.unwrap_err();
    assert!(matches!(refused(json!({"measurement": "tick"})).await,
        QueryError::UnknownMeasurement { name, known } if name == "tick" && known == ["ticks"]));
    assert!(matches!(refused(json!({"namespace": "elsewhere"})).await,
        QueryError::UnknownMeasurement { known, .. } if known.is_empty()));
    assert!(matches!(refused(json!({"measurement": "a\u{0}b"})).await, QueryError::UnknownMeasurement { .. }));
    assert!(matches!(refused(json!({"field": "prize"})).await,
        QueryError::UnknownField { known, .. } if known == ["price", "size", "buy", "note", "seen"]));
    assert!(matches!(refused(json!({"field": "symbol"})).await, QueryError::UnknownField { .. }));
    for (field, fields) in [
        ("series.colour", json!({"series": {"colour": "red"}})),
        ("field", json!({"field": "note"})),
        ("field", json!({"field": "seen"})),
    ] {
        match refused(fields).await {
            QueryError::Invalid(invalid) => assert_eq!(invalid.path, field),
            other => panic!("{other}"),
        }
    }
    let nul = window(json!({"series": {"symbol": "S\u{0}"}}));
    assert_eq!(fixture.questions.window(&nul).await.unwrap().rows.series.len(), 0);
}

#[tokio::test]
async fn a_question_that_would_not_fit_is_refused_before_it_is_read() {
    let fixture = Fixture::random(32, HOUR_US, 4, DAY_US, 20).await;
    // 4 series x 24 hours x (16 bytes of state + 8 of the answer).
    let needed = 4 * 24 * 24;
    let limited = |limit: u64| window(json!({"limit_bytes": limit}));
    assert_eq!(fixture.questions.window(&limited(needed)).await.unwrap().frame.values.nrows(), 4);
    match fixture.questions.window(&limited(needed - 1)).await {
        Err(QueryError::TooLarge { estimate_bytes, limit_bytes }) => {
            assert_eq!((estimate_bytes, limit_bytes), (needed, needed - 1));
        }
        other => panic!("{other:?}"),
    }
    let endless = window(json!({"bucket": "1ms", "from": "0001-01-01T00:00:00Z", "to": "9999-01-01T00:00:00Z"}));
    assert!(matches!(fixture.questions.window(&endless).await, Err(QueryError::TooLarge { .. })));
    let nobody = window(json!({"bucket": "1ms", "from": "0001-01-01T00:00:00Z", "to": "9999-01-01T00:00:00Z",
        "series": {"symbol": "nobody"}}));
    assert!(matches!(fixture.questions.window(&nobody).await, Err(QueryError::TooLarge { .. })));
}

/// How many statements of questions the server is working on, or waiting to.
async fn busy(fixture: &Fixture) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'chunkwise-reader' AND state = 'active'",
    )
    .fetch_one(&mut fixture.test.connect().await)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_over_its_time_is_stopped_in_the_server_too() {
    let fixture = Fixture::random(33, HOUR_US, 4, DAY_US, 100).await;
    let limits = QueryLimits { time: Duration::from_millis(300), ..QueryLimits::default() };
    let questions = Questions::new(fixture.test.database.clone(), limits);
    let mut blocker = fixture.test.connect().await;
    blocker.execute("BEGIN; LOCK TABLE public_store.ticks IN ACCESS EXCLUSIVE MODE").await.unwrap();
    for _ in 0..5 {
        match questions.window(&window(json!({}))).await {
            Err(QueryError::Timeout { limit }) => assert_eq!(limit, limits.time),
            other => panic!("{other:?}"),
        }
    }
    wait_until("nothing is left of the questions", async || busy(&fixture).await == 0).await;
    blocker.execute("ROLLBACK").await.unwrap();
    // The limit is short, and a busy machine may take longer.
    let mut late = 0;
    while let Err(error) = questions.window(&window(json!({}))).await {
        assert!(matches!(error, QueryError::Timeout { .. }) && late < 20, "{error:?}");
        late += 1;
    }
    assert_eq!((questions.windows().show().answered, questions.windows().show().failed), (1, 5 + late));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_given_up_is_stopped_in_the_server() {
    let fixture = Fixture::random(34, HOUR_US, 4, DAY_US, 100).await;
    let mut blocker = fixture.test.connect().await;
    blocker.execute("BEGIN; LOCK TABLE public_store.ticks IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let questions = Arc::new(Questions::new(fixture.test.database.clone(), QueryLimits::default()));
    let asking = {
        let questions = Arc::clone(&questions);
        tokio::spawn(async move { questions.window(&window(json!({}))).await.map(|_| ()) })
    };
    wait_until("the question waits for the lock", async || busy(&fixture).await > 0).await;
    asking.abort();
    wait_until("nothing is left of the question", async || busy(&fixture).await == 0).await;
    blocker.execute("ROLLBACK").await.unwrap();
    questions.window(&window(json!({}))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_questions_than_connections_take_turns() {
    let fixture = Fixture::random(35, HOUR_US, 4, DAY_US, 400).await;
    let mut options = DatabaseOptions::single(fixture.test.options());
    options.reader_connections = 3;
    let questions = Arc::new(Questions::new(Database::new(options), several_connections()));
    let expected = fixture.questions.window(&window(json!({}))).await.unwrap();
    let asked: Vec<_> = (0..40)
        .map(|_| {
            let questions = Arc::clone(&questions);
            tokio::spawn(async move { questions.window(&window(json!({}))).await })
        })
        .collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap().unwrap().frame.times_us, expected.frame.times_us);
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_said_to_be_so() {
    let options = DatabaseOptions::single(
        sqlx::postgres::PgConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing"),
    );
    let questions = Questions::new(Database::new(options), QueryLimits::default());
    assert!(matches!(questions.window(&window(json!({}))).await, Err(QueryError::Unavailable(_))));
}
