//! `/api/v1/latest` keeps answers, and each is right for the state that it is asked in.

use std::{collections::BTreeMap, sync::Arc};

use chunkwise::{
    query::{LatestAnswer, LatestValues, QueryLimits, Questions},
    removal::{drop_series, retire},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::support::{DAY_US, MINUTE_US, P, START_US, Ticks, now_us};

type Latest = BTreeMap<String, (i64, f64)>;

async fn asked(questions: &Questions, field: &str) -> Arc<LatestAnswer> {
    questions.latest("public", "ticks", field).await.unwrap()
}

/// The answer by symbol.
fn shown(answer: &LatestAnswer) -> Latest {
    let values: Vec<f64> = match &answer.values {
        LatestValues::Floats(values) => values.clone(),
        LatestValues::Ints(values) => values.iter().map(|value| *value as f64).collect(),
        other => panic!("{other:?}"),
    };
    let symbols = answer.rows.series.iter().map(|series| series.tags[0].clone().unwrap());
    symbols.zip(answer.times_us.iter().copied().zip(values)).collect()
}

async fn latest(questions: &Questions, field: &str) -> Latest {
    shown(asked(questions, field).await.as_ref())
}

/// What SQL says.
async fn expected(ticks: &mut Ticks, field: &str) -> Latest {
    let present = if field == "price" { P } else { "size IS NOT NULL" };
    let sql = format!(
        "SELECT symbol, (extract(epoch FROM (array_agg(time ORDER BY time DESC))[1]) * 1000000)::int8,
             (array_agg({field}::float8 + 0 ORDER BY time DESC, {field} DESC))[1]
         FROM public_store.ticks JOIN public_store.ticks__series s USING (series_id)
         WHERE {present} AND series_id NOT IN (SELECT series_id FROM chunkwise.retired_series) GROUP BY 1"
    );
    let rows: Vec<(String, i64, f64)> = sqlx::query_as(&sql).fetch_all(&mut ticks.connection).await.unwrap();
    rows.into_iter().map(|(symbol, us, value)| (symbol, (us, value))).collect()
}

#[tokio::test]
async fn answers_that_are_kept_are_brought_up_to_date_by_whatever_was_done() {
    let mut random = StdRng::seed_from_u64(21);
    let mut ticks = Ticks::new().await;
    let rows = ticks.random_rows(&mut random, START_US, 2 * DAY_US, 300);
    ticks.write(&rows).await;
    ticks.refresh().await;
    // Another process of its own asks as often.
    let questions = [(); 2].map(|()| Questions::new(ticks.test.database.clone(), QueryLimits::default()));
    let (mut same, mut others) = (0, 0);
    for round in 0..60 {
        match random.random_range(0..9) {
            0 | 1 => {
                let rows = ticks.random_rows(&mut random, START_US, 4 * DAY_US, 5);
                ticks.write(&rows).await;
            }
            2 | 3 => {
                let rows = ticks.random_rows(&mut random, now_us() - 2 * MINUTE_US, 2 * MINUTE_US, 5);
                ticks.write(&rows).await;
            }
            4 => ticks.refresh().await,
            5 => {
                let size = random.random_range(0..100);
                ticks.execute(&format!("UPDATE public_store.ticks SET price = price + 1 WHERE size = {size}")).await;
            }
            6 => {
                // Mostly the last row of a series.
                ticks
                    .execute(
                        "DELETE FROM public_store.ticks WHERE (time, series_id) IN (
                             SELECT max(time), series_id FROM public_store.ticks GROUP BY 2 ORDER BY random() LIMIT 1)",
                    )
                    .await;
            }
            7 if round > 20 => {
                let sql = "INSERT INTO public_store.ticks__series (tag_hash, symbol)
                           SELECT gen_random_uuid(), 'N' || count(*) FROM public_store.ticks__series RETURNING series_id";
                let id: i64 = ticks.scalar(sql).await;
                ticks.write(&[(now_us(), id, Some(f64::from(round)), None)]).await;
            }
            _ => {}
        }
        for questions in &questions {
            for field in ["price", "size"] {
                let answer = asked(questions, field).await;
                assert_eq!(shown(&answer), expected(&mut ticks, field).await, "round {round}, {field}");
                let again = asked(questions, field).await;
                assert_eq!(shown(&again), shown(&answer));
                *if Arc::ptr_eq(&answer, &again) { &mut same } else { &mut others } += 1;
            }
        }
    }
    assert!(same > 3 * others, "where nothing was written the answer is the same: {same}, {others}");

    // Sleeping series are left out, and are there again with what they had.
    let measurement = ticks.measurement.clone();
    ticks.execute("UPDATE chunkwise.measurement SET retention = interval '30 days'").await;
    let late = ticks.ids[2];
    ticks.execute(&format!("DELETE FROM public_store.ticks WHERE series_id = {late} AND time > '2024-06-01'")).await;
    retire(&mut ticks.connection, &measurement).await.unwrap();
    let without = expected(&mut ticks, "price").await;
    assert!(!without.contains_key("S3"));
    assert_eq!(latest(&questions[0], "price").await, without);
    ticks.execute("DELETE FROM chunkwise.retired_series").await;
    let with = expected(&mut ticks, "price").await;
    assert!(with.len() > without.len());
    assert_eq!(latest(&questions[0], "price").await, with);
    // And dropped ones.
    let selector = chunkwise::question::Selector {
        tags: [("symbol".to_owned(), vec!["S1".to_owned()])].into(),
        ..Default::default()
    };
    drop_series(&ticks.test.database, "public", "ticks", &selector).await.unwrap();
    assert_eq!(latest(&questions[0], "price").await, expected(&mut ticks, "price").await);
}
