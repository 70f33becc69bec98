//! Joins by time, against SQL's `LATERAL ... ORDER BY time DESC LIMIT 1`.

use std::{sync::Arc, time::Duration};

use chunkwise::{
    format::{self, Format},
    hypertable::{ColumnType, Growth, Measurement, Perseverance, SchemaLimits, Wanted},
    query::{AsofAnswer, QueryError, QueryLimits, Questions},
    question::AsofQuestion,
};
use serde_json::{Value, json};
use sqlx::Executor;

use super::fixture::{HOUR_US, MINUTE_US, START_US, moment, text};
use crate::support::{TestDatabase, wait_until};

/// `trades` and `quotes` of the symbols A, B, C; C has no quotes, and one series of either side has no symbol.
async fn markets(interval_us: i64) -> TestDatabase {
    let test = TestDatabase::new().await;
    let growth = Growth::new(test.database.clone(), SchemaLimits::default());
    let make = async |name: &str, tags: &[&str], fields: &[(&str, ColumnType)], interval_us: i64| {
        let wanted = Wanted {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            fields: fields.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            interval_us,
        };
        growth.ensure("public", name, &wanted, Perseverance::Persist).await.unwrap()
    };
    let float = ColumnType::Float8;
    let trades = make(
        "trades",
        &["symbol", "venue"],
        &[("price", float), ("size", ColumnType::Int8), ("buy", ColumnType::Bool), ("note", ColumnType::Text)],
        interval_us,
    )
    .await;
    let quotes = make("quotes", &["symbol"], &[("bid", float), ("ask", float)], interval_us / 2).await;
    let mut connection = test.connect().await;
    let series = |measurement: &Measurement, columns: &str, values: &str| {
        let table = measurement.series_table();
        format!("INSERT INTO {table} (tag_hash, {columns}) SELECT gen_random_uuid(), * FROM (VALUES {values}) v")
    };
    let values = "('A', 'x'), ('A', 'y'), ('B', 'x'), ('C', 'x'), (NULL, 'z')";
    connection.execute(series(&trades, "symbol, venue", values).as_str()).await.unwrap();
    connection.execute(series(&quotes, "symbol", "('A'), ('B'), ('D'), (NULL)").as_str()).await.unwrap();
    // Times that often meet, rows that lack one field or both, values that are no numbers.
    let rows = "SELECT $1::timestamptz + (random() * 4 * 3600)::int * interval '1 second', s.series_id,";
    let number =
        "CASE WHEN random() < 0.1 THEN NULL WHEN random() < 0.1 THEN 'NaN' ELSE floor(random() * 9) END::float8";
    for (sql, count) in [
        (
            format!(
                "INSERT INTO public_store.trades (time, series_id, price, size) {rows} {number}, (random() * 9)::int8
                  FROM public_store.trades__series s, generate_series(1, $2)"
            ),
            400,
        ),
        (
            format!(
                "INSERT INTO public_store.quotes (time, series_id, bid, ask) {rows} {number}, {number}
                  FROM public_store.quotes__series s, generate_series(1, $2)"
            ),
            900,
        ),
    ] {
        sqlx::query(&sql).bind(moment(START_US)).bind(count).execute(&mut connection).await.unwrap();
    }
    test
}

fn question(fields: Value) -> AsofQuestion {
    let mut question = json!({
        "left": {"measurement": "trades", "fields": ["price", "size"]},
        "right": {"measurement": "quotes", "fields": ["bid", "ask"]},
        "on": ["symbol"], "tolerance": "30s", "from": text(START_US + HOUR_US), "to": text(START_US + 3 * HOUR_US)
    });
    question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(question).unwrap()
}

/// A row, its values to be compared exactly; NaN as none.
type Row = (Option<String>, i64, [Option<u64>; 4], Option<i64>);

fn number(value: f64) -> Option<u64> {
    value.is_finite().then(|| value.to_bits())
}

fn told(answer: &AsofAnswer) -> Vec<Row> {
    let rows = &answer.rows;
    let mut told: Vec<Row> = (0..rows.len())
        .map(|row| {
            let (left, right) = (&rows.left[row * 2..][..2], &rows.right[row * 2..][..2]);
            let values = [left[0], left[1], right[0], right[1]].map(number);
            (answer.pairs[rows.pairs[row] as usize][0].clone(), rows.times_us[row], values, rows.right_times_us[row])
        })
        .collect();
    told.sort();
    told
}

/// What SQL says: NaN is below every number here, above in PostgreSQL.
async fn expected(test: &TestDatabase, join: &str, condition: &str) -> Vec<Row> {
    let number = |column: &str| format!("nullif({column}::float8, 'NaN')");
    let present = |a: &str, b: &str| format!("({} IS NOT NULL OR {} IS NOT NULL)", number(a), number(b));
    let us = |time: &str| format!("(extract(epoch FROM {time}) * 1000000)::int8");
    let sql = format!(
        "SELECT l.symbol, {}, {}, {}, {}, {}, {}
         FROM (SELECT s.symbol, d.* FROM public_store.trades d JOIN public_store.trades__series s USING (series_id)) l
         {join} JOIN LATERAL (
             SELECT r.time, r.bid, r.ask FROM public_store.quotes r JOIN public_store.quotes__series q USING (series_id)
             WHERE q.symbol = l.symbol AND r.time <= l.time AND r.time >= l.time - interval '30 seconds' AND {}
             ORDER BY r.time DESC, {} DESC NULLS LAST, {} DESC NULLS LAST LIMIT 1) r ON true
         WHERE l.time >= $1 AND l.time < $2 AND {} AND {condition}",
        us("l.time"),
        number("l.price"),
        number("l.size"),
        number("r.bid"),
        number("r.ask"),
        us("r.time"),
        present("r.bid", "r.ask"),
        number("r.bid"),
        number("r.ask"),
        present("l.price", "l.size"),
    );
    type Sql = (Option<String>, i64, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<i64>);
    let rows: Vec<Sql> = sqlx::query_as(&sql)
        .bind(moment(START_US + HOUR_US))
        .bind(moment(START_US + 3 * HOUR_US))
        .fetch_all(&mut test.connect().await)
        .await
        .unwrap();
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|(symbol, time, price, size, bid, ask, right)| {
            (symbol, time, [price, size, bid, ask].map(|value| value.map(f64::to_bits)), right)
        })
        .collect();
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_is_what_sql_says_over_chunks_of_different_lengths() {
    let test = markets(HOUR_US).await;
    let questions = Questions::new(test.database.clone(), QueryLimits::default());
    for (join, sql) in [("left", "LEFT"), ("inner", "INNER")] {
        let answer = questions.asof(&question(json!({"join": join}))).await.unwrap();
        let expected = expected(&test, sql, "true").await;
        // The times are random.
        assert!(expected.len() > 200, "{}", expected.len());
        assert_eq!(told(&answer), expected, "{join}");
        let sorted = |row: usize| (answer.rows.pairs[row], answer.rows.times_us[row]);
        assert!((1..answer.rows.len()).all(|row| sorted(row - 1) <= sorted(row)), "by pair and then by time");
    }
    let some = question(json!({"left": {"measurement": "trades", "fields": ["price", "size"],
                                        "series": {"symbol": ["A", "C"], "venue": "x"}}}));
    let answer = questions.asof(&some).await.unwrap();
    let of_some = "l.series_id IN (SELECT series_id FROM public_store.trades__series
                                   WHERE symbol IN ('A', 'C') AND venue = 'x')";
    assert_eq!(told(&answer), expected(&test, "LEFT", of_some).await);
    let receipt = &answer.receipt;
    assert!(receipt.chunks.read >= 6 && receipt.chunks.pruned > 0 && receipt.rows_read > 100, "{receipt:?}");
}

#[tokio::test]
async fn a_join_without_tags_pairs_everything_and_bools_are_numbers() {
    let test = markets(HOUR_US).await;
    let questions = Questions::new(test.database.clone(), QueryLimits::default());
    let mut connection = test.connect().await;
    connection.execute("DELETE FROM public_store.quotes; UPDATE public_store.trades SET buy = true").await.unwrap();
    let rate = "INSERT INTO public_store.quotes (time, series_id, bid)
                SELECT $1, min(series_id), 1.5 FROM public_store.quotes__series";
    sqlx::query(rate).bind(moment(START_US)).execute(&mut connection).await.unwrap();
    let all = question(json!({
        "left": {"measurement": "trades", "fields": ["buy"]}, "right": {"measurement": "quotes", "fields": ["bid"]},
        "on": [], "tolerance": "1d", "from": text(START_US), "to": text(START_US + 5 * HOUR_US),
    }));
    let answer = questions.asof(&all).await.unwrap();
    assert_eq!((answer.rows.len(), answer.pairs.len()), (2_000, 1));
    assert!(answer.rows.left.iter().all(|buy| *buy == 1.0) && answer.rows.right.iter().all(|bid| *bid == 1.5));
}

#[tokio::test]
async fn what_makes_no_sense_here_is_refused_with_its_place() {
    let test = markets(HOUR_US).await;
    let questions = Questions::new(test.database.clone(), QueryLimits::default());
    let refused = async |fields: Value| questions.asof(&question(fields)).await.unwrap_err();
    for (path, fields) in [
        ("on[0]", json!({"on": ["venue"]})),
        ("left.fields[1]", json!({"left": {"measurement": "trades", "fields": ["price", "note"]}})),
        (
            "right.series.venue",
            json!({"right": {"measurement": "quotes", "fields": ["bid"], "series": {"venue": "x"}}}),
        ),
    ] {
        match refused(fields).await {
            QueryError::Invalid(invalid) => assert_eq!(invalid.path, path),
            other => panic!("{other}"),
        }
    }
    let unknown = json!({"right": {"measurement": "quotes", "fields": ["bud"]}});
    assert!(matches!(refused(unknown).await, QueryError::UnknownField { measurement, .. } if measurement == "quotes"));
    let unknown = json!({"left": {"measurement": "trade", "fields": ["price"]}});
    assert!(matches!(refused(unknown).await, QueryError::UnknownMeasurement { .. }));
    test.connect().await.execute("ANALYZE public_store.trades").await.unwrap();
    match refused(json!({"limit_bytes": 20_000})).await {
        QueryError::TooLarge { estimate_bytes, limit_bytes } => assert!(estimate_bytes > limit_bytes),
        other => panic!("{other}"),
    }
    // However little was estimated, what really comes is counted.
    let narrow =
        json!({"limit_bytes": 90_000, "tolerance": "1ms", "from": text(START_US), "to": text(START_US + 5 * HOUR_US)});
    assert!(matches!(refused(narrow).await, QueryError::TooLarge { .. }));
    let shown = questions.asofs().show();
    assert_eq!((shown.answered, shown.failed), (0, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_is_given_up_is_stopped_in_the_server_on_both_connections() {
    let test = markets(HOUR_US).await;
    // Enough that a second connection helps, as far as the server's counters know.
    let counted = "UPDATE pg_class SET reltuples = 1000000 WHERE oid IN
                   (SELECT format('%I.%I', chunk_schema, chunk_name)::regclass FROM timescaledb_information.chunks)";
    test.connect().await.execute(counted).await.unwrap();
    let busy = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                   AND application_name = 'chunkwise-reader' AND state = 'active'";
        test.scalar::<i64>(sql).await
    };
    let mut blocker = test.connect().await;
    blocker
        .execute("BEGIN; LOCK TABLE public_store.quotes, public_store.trades IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let questions = Arc::new(Questions::new(test.database.clone(), QueryLimits::default()));
    let asking = {
        let questions = Arc::clone(&questions);
        // Its first slice of time has rows of both sides.
        let both = json!({"from": text(START_US + HOUR_US + MINUTE_US)});
        tokio::spawn(async move { questions.asof(&question(both)).await.map(|_| ()) })
    };
    wait_until("both connections wait for the lock", async || busy().await == 2).await;
    asking.abort();
    wait_until("nothing is left of the question", async || busy().await == 0).await;
    blocker.execute("ROLLBACK").await.unwrap();
    assert!(
        questions.asof(&question(json!({}))).await.unwrap().rows.len() > 100,
        "and over two connections it is right"
    );
    let limits = QueryLimits { time: Duration::from_secs(5), ..QueryLimits::default() };
    let answer = Questions::new(test.database.clone(), limits).asof(&question(json!({}))).await.unwrap();
    assert_eq!(told(&answer), expected(&test, "LEFT", "true").await);
    assert!(format::asof(&answer, Format::Arrow).unwrap().len() > 1_000);
}
