//! Lists of series and measurements.

use chunkwise::{
    hypertable::load_measurement,
    question::{Selector, Width},
    series::{PageRequest, list, select},
};

use super::fixture::{DAY_US, Fixture, HOUR_US, Row, START_US, add_series, ticks};
use crate::support::TestDatabase;

#[tokio::test]
async fn selectors_match_by_any_of_the_values_of_each_tag() {
    let test = TestDatabase::new().await;
    let measurement = ticks(&test.database, DAY_US).await;
    let mut connection = test.connect().await;
    let ids = add_series(&mut connection, &measurement, 0..10).await;
    for (pairs, expected) in [
        (&[][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9][..]),
        (&["symbol=S3"], &[3]),
        (&["symbol=S3", "symbol=S8", "symbol=S4"], &[3, 4, 8]),
        (&["symbol=S3", "symbol=S8", "exchange=even"], &[8]),
        (&["symbol=s3"], &[]),
        (&["exchange=' OR true --"], &[]),
    ] {
        let selected = select(&mut connection, &measurement, &Selector::from_pairs(pairs).unwrap()).await.unwrap();
        let found: Vec<i64> = selected.series.iter().map(|series| series.series_id).collect();
        assert_eq!(found, expected.iter().map(|n| ids[*n]).collect::<Vec<_>>(), "{pairs:?}");
    }
    let first = select(&mut connection, &measurement, &Selector::default()).await.unwrap();
    assert_eq!(first.tag_names, ["symbol", "exchange"]);
    assert_eq!(first.series[1].tags, [Some("S1".to_owned()), Some("odd".to_owned())]);
    add_series(&mut connection, &measurement, 10..11).await;
    let second = select(&mut connection, &measurement, &Selector::default()).await.unwrap();
    assert_ne!(first.version, second.version);
}

#[tokio::test]
async fn a_search_finds_the_start_of_any_word_in_any_tag() {
    let test = TestDatabase::new().await;
    let measurement = ticks(&test.database, DAY_US).await;
    let mut connection = test.connect().await;
    let names = ["New York", "york-town", "NewYork", "us_york", "50%", "a.b", "axb", "\\d", "Ärger"];
    for name in names {
        let sql =
            format!("INSERT INTO {} (tag_hash, symbol) VALUES (gen_random_uuid(), $1)", measurement.series_table());
        sqlx::query(&sql).bind(name).execute(&mut connection).await.unwrap();
    }
    for (search, expected) in [
        ("york", &["New York", "york-town", "us_york"][..]),
        ("new y", &["New York"]),
        ("50%", &["50%"]),
        ("a.", &["a.b"]),
        ("\\d", &["\\d"]),
        ("är", &["Ärger"]),
        ("*", &[]),
        ("a\u{0}", &[]),
        ("", &names),
    ] {
        let request = PageRequest { search: Some(search.to_owned()), limit: 100, ..PageRequest::default() };
        let page = list(&mut connection, &measurement, &request).await.unwrap();
        let found: Vec<_> = page.rows.iter().map(|row| row.series.tags[0].clone().unwrap()).collect();
        assert_eq!(found, expected, "{search}");
        assert_eq!((page.total, page.next), (expected.len() as u64, None));
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_know_what_time_a_series_covers() {
    let rows = [(0, 0), (0, 30), (1, 5), (1, 6), (3, 29)];
    let rows = rows.map(|(series_id, hour)| Row { time_us: START_US + hour * HOUR_US, series_id, price: 1.0 });
    let fixture = Fixture::new(DAY_US, 5, rows.to_vec()).await;
    let mut connection = fixture.test.connect().await;
    let measurement = load_measurement(&mut connection, "public", "ticks").await.unwrap().unwrap();
    let mut request = PageRequest { limit: 2, ..PageRequest::default() };
    let mut found = Vec::new();
    loop {
        let page = list(&mut connection, &measurement, &request).await.unwrap();
        assert_eq!(page.total, 5);
        found.extend(page.rows);
        match page.next {
            Some(after) => request.after = Some(after),
            None => break,
        }
    }
    let hours = |us: Option<i64>| us.map(|us| (us - START_US) / HOUR_US);
    let covered: Vec<_> = found.iter().map(|row| (hours(row.first_us), hours(row.last_us))).collect();
    let none = (None, None);
    assert_eq!(covered, [(Some(0), Some(30)), (Some(5), Some(6)), none, (Some(29), Some(29)), none]);
    assert_eq!(found.iter().map(|row| row.series.series_id).collect::<Vec<_>>(), fixture.ids);
}

#[tokio::test]
async fn measurements_are_shown_with_their_extent() {
    let rows: Vec<Row> =
        (0..50).map(|i| Row { time_us: START_US + i * HOUR_US, series_id: i % 2, price: 1.0 }).collect();
    let fixture = Fixture::new(DAY_US, 2, rows).await;
    let shown = fixture.questions.measurements("public").await.unwrap();
    assert_eq!(shown.len(), 1);
    let ticks = &shown[0];
    assert_eq!((ticks.name.as_str(), ticks.series, ticks.tags.len(), ticks.fields.len()), ("ticks", 2, 2, 5));
    assert_eq!((ticks.from_us, ticks.to_us), (Some(START_US), Some(START_US + 49 * HOUR_US)));
    assert_eq!((ticks.chunk_interval, ticks.retention, ticks.on_duplicate.as_str()), (Width::DAY, None, "keep"));
    assert!(ticks.bytes > 0);
    assert!(fixture.questions.measurements("nowhere").await.unwrap().is_empty());
    let chunks = fixture.questions.chunks("public", Some("ticks"), None, None).await.unwrap();
    assert_eq!(chunks.len(), 3);
    assert!(chunks.iter().all(|(name, detail)| name == "ticks" && detail.state() == "hot"));
}

#[tokio::test]
async fn the_version_of_the_data_changes_with_the_data() {
    let fixture = Fixture::new(DAY_US, 2, vec![Row { time_us: START_US, series_id: 0, price: 1.0 }]).await;
    let version = async || fixture.questions.data_version("public", "ticks").await.unwrap();
    let mut connection = fixture.test.connect().await;
    let first = version().await;
    assert_eq!(first, version().await);
    let mut seen = vec![first];
    for statement in [
        "INSERT INTO public_store.ticks (time, series_id, price) SELECT time, series_id, 2 FROM public_store.ticks",
        "UPDATE public_store.ticks SET price = 3 WHERE price = 2",
        "DELETE FROM public_store.ticks WHERE price = 3",
        "INSERT INTO public_store.ticks__series (tag_hash, symbol) VALUES (gen_random_uuid(), 'new')",
        "SELECT drop_chunks('public_store.ticks', older_than => '2030-01-01'::timestamptz)",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        let now = version().await;
        assert!(!seen.contains(&now), "{statement}");
        seen.push(now);
    }
}

#[tokio::test]
async fn the_first_and_last_times_in_a_large_hot_chunk_are_those_of_its_rows() {
    let test = TestDatabase::new().await;
    let measurement = ticks(&test.database, DAY_US).await;
    let mut connection = test.connect().await;
    let ids = add_series(&mut connection, &measurement, 0..50).await;
    // Far more pages than are looked through at once. One series begins late, one ends early, one has a single row.
    let sql = "INSERT INTO public_store.ticks (\"time\", series_id, price)
        SELECT to_timestamp($1::float8 / 1e6) + second * interval '1 second', id, second
        FROM generate_series(0, 3999) second, unnest($2::int8[]) id
        WHERE NOT (id = $2[1] AND second < 3990 OR id = $2[2] AND second > 9 OR id = $2[3] AND second <> 2000)";
    sqlx::query(sql).bind(START_US).bind(&ids).execute(&mut connection).await.unwrap();
    let pages: i64 =
        test.scalar("SELECT pg_relation_size(c::regclass) / 8192 FROM show_chunks('public_store.ticks') c").await;
    assert!(pages > 1000, "{pages}");

    let page =
        list(&mut connection, &measurement, &PageRequest { limit: 100, ..PageRequest::default() }).await.unwrap();
    let sql = "SELECT series_id, (extract(epoch FROM min(\"time\")) * 1000000)::int8, (extract(epoch FROM max(\"time\")) * 1000000)::int8
        FROM public_store.ticks GROUP BY series_id ORDER BY series_id";
    let expected: Vec<(i64, Option<i64>, Option<i64>)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    let found: Vec<_> = page.rows.iter().map(|row| (row.series.series_id, row.first_us, row.last_us)).collect();
    assert_eq!(found, expected);
}
