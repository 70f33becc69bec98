//! Whoever changes rows, however: the next question sees it.

use chunkwise::hypertable::{changes, load_measurement};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::Executor;

use super::{ask_both, random_question, without_blocks};
use crate::read::fixture::{DAY_US, Fixture, HOUR_US, Row, START_US, add_series, insert, text};

const SERIES: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_change_is_seen_by_the_next_question() {
    let fixture = Fixture::random(21, 2 * HOUR_US, SERIES, DAY_US, 2_000).await;
    let plain = without_blocks(&fixture.test.database);
    let mut connection = fixture.test.connect().await;
    let measurement = load_measurement(&mut connection, "public", "ticks").await.unwrap().unwrap();
    let table = measurement.storage();
    let mut random = StdRng::seed_from_u64(3);
    // The same questions again and again, so that there are panels of what is going to change.
    let questions: Vec<_> = (0..8).map(|_| random_question(&mut random, DAY_US, SERIES)).collect();
    let mut ids = fixture.ids.clone();
    for step in 0..10 {
        let at = |random: &mut StdRng| text(START_US + random.random_range(0..DAY_US));
        let (a, b) = (at(&mut random), at(&mut random));
        let (from, to) = if a < b { (a, b) } else { (b, a) };
        let id = ids[random.random_range(0..ids.len())];
        match step {
            0 => {
                let sql = format!("UPDATE {table} SET price = price * 1.5 WHERE time >= '{from}' AND time < '{to}'");
                connection.execute(sql.as_str()).await.unwrap();
            }
            1 => {
                let sql = format!("DELETE FROM {table} WHERE time >= '{from}' AND time < '{to}' AND series_id = {id}");
                connection.execute(sql.as_str()).await.unwrap();
            }
            2 => {
                let row = Row { time_us: START_US + 5 * HOUR_US, series_id: id, price: 3.5 };
                insert(&mut connection, &measurement, &[row]).await;
            }
            3 => {
                let sql = format!("COPY {table} (time, series_id, price) FROM STDIN");
                let mut copy = connection.copy_in_raw(&sql).await.unwrap();
                copy.send(format!("{from}\t{id}\t77.5\n{to}\t{id}\t12\n").into_bytes()).await.unwrap();
                copy.finish().await.unwrap();
            }
            4 => {
                let new = add_series(&mut connection, &measurement, SERIES..SERIES + 20).await;
                let rows: Vec<Row> = (0..200)
                    .map(|_| Row {
                        time_us: START_US + random.random_range(0..DAY_US),
                        series_id: new[random.random_range(0..new.len())],
                        price: random.random_range(1.0..9.0),
                    })
                    .collect();
                insert(&mut connection, &measurement, &rows).await;
                ids.extend(new);
            }
            5 => {
                let sql = format!("SELECT drop_chunks('{table}', older_than => '{from}'::timestamptz)");
                connection.execute(sql.as_str()).await.unwrap();
            }
            6 => {
                // Into the time of chunks that have gone.
                let rows: Vec<Row> = (0..100)
                    .map(|i| Row { time_us: START_US + i * DAY_US / 100, series_id: id, price: (i % 7) as f64 })
                    .collect();
                insert(&mut connection, &measurement, &rows).await;
            }
            7 => {
                connection.execute("BEGIN").await.unwrap();
                connection.execute(format!("UPDATE {table} SET price = 0").as_str()).await.unwrap();
                connection.execute("ROLLBACK").await.unwrap();
            }
            8 => {
                // Within its chunk: TimescaleDB moves no row from one to another.
                let even_hours = "extract(hour FROM time)::int4 % 2 = 0";
                let sql = format!(
                    "UPDATE {table} SET time = time + interval '50 minutes' WHERE {even_hours} AND series_id = {id}"
                );
                connection.execute(sql.as_str()).await.unwrap();
            }
            _ => drop(connection.execute(format!("TRUNCATE {table}").as_str()).await.unwrap()),
        }
        for question in &questions {
            ask_both(&fixture.questions, &plain, question).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_buckets_that_changed_are_read_again() {
    let fixture = Fixture::random(22, 6 * HOUR_US, SERIES, DAY_US, 3_000).await;
    let plain = without_blocks(&fixture.test.database);
    let mut random = StdRng::seed_from_u64(4);
    let mut question = random_question(&mut random, DAY_US, SERIES);
    question.ranges.truncate(1);
    question.ranges[0].from = text(START_US).parse().unwrap();
    question.ranges[0].to = text(START_US + DAY_US).parse().unwrap();
    ask_both(&fixture.questions, &plain, &question).await;

    let mut connection = fixture.test.connect().await;
    let moment = text(START_US + 13 * HOUR_US);
    let sql = format!(
        "UPDATE public_store.ticks SET price = 1 WHERE time >= '{moment}' AND time < '{moment}'::timestamptz + interval '10 minutes'"
    );
    connection.execute(sql.as_str()).await.unwrap();
    let answer = ask_both(&fixture.questions, &plain, &question).await;
    let receipt = answer.receipt;
    assert_eq!((receipt.chunks.read, receipt.chunks.cached), (1, 3));
    assert!(receipt.rows_read < 300, "{} rows", receipt.rows_read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_it_is_known_where_another_client_inserted_only_that_chunk_is_read_again() {
    let fixture = Fixture::random(23, 6 * HOUR_US, SERIES, DAY_US, 3_000).await;
    let plain = without_blocks(&fixture.test.database);
    let mut connection = fixture.test.connect().await;
    let measurement = load_measurement(&mut connection, "public", "ticks").await.unwrap().unwrap();
    let flush = "SELECT pg_stat_force_next_flush()";
    connection.execute(flush).await.unwrap();
    changes::narrow(&mut connection, &measurement).await.unwrap();
    let settle = [
        flush,
        "UPDATE chunkwise.change SET seen_at = seen_at - interval '1 minute' WHERE lo IS NULL",
        "UPDATE chunkwise.chunk_counted SET next_read_at = next_read_at - interval '1 minute' WHERE next_read_at > '-infinity'",
    ];
    // What the fixture has inserted itself.
    for _ in 0..2 {
        for statement in settle {
            connection.execute(statement).await.unwrap();
        }
        changes::narrow(&mut connection, &measurement).await.unwrap();
    }
    let mut random = StdRng::seed_from_u64(6);
    let mut day = random_question(&mut random, DAY_US, SERIES);
    day.ranges.truncate(1);
    day.ranges[0].from = text(START_US).parse().unwrap();
    day.ranges[0].to = text(START_US + DAY_US).parse().unwrap();
    let mut morning = day.clone();
    morning.ranges[0].to = text(START_US + 6 * HOUR_US).parse().unwrap();
    ask_both(&fixture.questions, &plain, &day).await;
    assert_eq!(ask_both(&fixture.questions, &plain, &day).await.receipt.chunks.read, 0);

    let row = Row { time_us: START_US + 13 * HOUR_US, series_id: fixture.ids[0], price: 8.5 };
    insert(&mut connection, &measurement, &[row]).await;
    // Who cannot wait reads all that it asks for.
    let hasty = ask_both(&fixture.questions, &plain, &morning).await;
    assert_eq!((hasty.receipt.chunks.read, hasty.receipt.chunks.cached), (1, 0));
    changes::narrow(&mut connection, &measurement).await.unwrap();
    for statement in settle {
        connection.execute(statement).await.unwrap();
    }
    let narrowed = changes::narrow(&mut connection, &measurement).await.unwrap();
    assert_eq!(narrowed.waiting, 0);
    let answer = ask_both(&fixture.questions, &plain, &day).await;
    assert_eq!((answer.receipt.chunks.read, answer.receipt.chunks.cached), (1, 3));
    assert_eq!(ask_both(&fixture.questions, &plain, &day).await.receipt.chunks.read, 0);
}
