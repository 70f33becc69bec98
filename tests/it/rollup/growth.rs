//! New fields and tags, and what analysts have built upon the views.

use chunkwise::{
    hypertable::ColumnType,
    rollup::{AllSettings, Level, RollupSettings},
};

use rand::{SeedableRng, rngs::StdRng};

use super::support::{DAY_US, FIELDS, MINUTE_US, START_US, Ticks, grow};

async fn columns(ticks: &mut Ticks, view: &str) -> String {
    ticks
        .scalar(&format!(
            "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
             WHERE attrelid = '{view}'::regclass AND attnum > 0"
        ))
        .await
}

#[tokio::test]
async fn views_grow_with_the_measurement_under_an_analysts_own_views() {
    let mut ticks = Ticks::new().await;
    let id = ticks.ids[0];
    ticks.write(&[(START_US, id, Some(1.0), Some(2))]).await;
    ticks.refresh().await;
    let bars = columns(&mut ticks, "ticks_bars_5m").await;
    assert_eq!(
        bars,
        "time,symbol,open,high,low,close,count,volume,vwap,\
         open now_mean,open now_min,open now_max,open now_last,open now_count"
    );
    assert_eq!(columns(&mut ticks, "ticks_latest").await, "time,symbol,price,size,open now,note");
    ticks.execute("CREATE VIEW mine AS SELECT symbol, max(high) FROM ticks_bars_5m JOIN ticks_latest USING (symbol) GROUP BY 1").await;

    let fields: Vec<_> = FIELDS.into_iter().chain([("bid", ColumnType::Float8), ("open", ColumnType::Int8)]).collect();
    ticks.measurement = grow(&ticks.test.database, &fields).await;
    ticks.write(&[(START_US + MINUTE_US, id, Some(3.0), None)]).await;
    ticks.execute("UPDATE public_store.ticks SET bid = 7, open = 8 WHERE price = 3").await;
    ticks.refresh().await;
    let grown = columns(&mut ticks, "ticks_bars_5m").await;
    assert_eq!(
        grown,
        format!("{bars},bid_mean,bid_min,bid_max,bid_last,bid_count,open_mean,open_min,open_max,open_last,open_count")
    );
    assert_eq!(columns(&mut ticks, "ticks_latest").await, "time,symbol,price,size,open now,note,bid,open");
    let found: (f64, i64, f64, i64) = sqlx::query_as("SELECT bid_mean, open_last, close, count FROM ticks_bars_5m")
        .fetch_one(&mut ticks.connection)
        .await
        .unwrap();
    assert_eq!(found, (7.0, 8, 3.0, 2));
    ticks.check("grown").await;
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM mine").await, 1);
}

#[tokio::test]
async fn the_settings_say_which_levels_there_are_and_which_fields_are_price_and_size() {
    let mut settings = AllSettings::default();
    let usual = RollupSettings { levels: Vec::new(), ..RollupSettings::default() };
    settings.usual = usual;
    let mut ticks = Ticks::with(settings.clone()).await;
    let id = ticks.ids[0];
    ticks.write(&[(START_US, id, Some(1.0), Some(2)), (START_US + 90 * MINUTE_US, id, Some(5.0), Some(3))]).await;
    ticks.refresh().await;
    let made = "SELECT count(*) FROM pg_class WHERE relname LIKE 'ticks%bars%' OR relname LIKE 'ticks%latest%'";
    assert_eq!(ticks.scalar::<i64>(made).await, 0);

    let own = RollupSettings {
        levels: vec![Level::Hour, Level::Day],
        price: Some("size".to_owned()),
        size: Some("price".to_owned()),
        ..RollupSettings::default()
    };
    settings.own.insert(("public".to_owned(), "ticks".to_owned()), own);
    ticks.rollups = chunkwise::rollup::Rollups::new(settings.clone()).of_young_ones_too();
    ticks.write(&[(START_US + 91 * MINUTE_US, id, Some(0.5), Some(4))]).await;
    ticks.refresh().await;
    let found: Vec<(i64, i64, f64, f64)> =
        sqlx::query_as("SELECT open, close, volume, vwap FROM ticks_bars_1h ORDER BY time")
            .fetch_all(&mut ticks.connection)
            .await
            .unwrap();
    assert_eq!(found, [(2, 2, 1.0, 2.0), (3, 4, 5.5, 17.0 / 5.5)]);
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM ticks_bars_1d").await, 1);
    assert_eq!(ticks.scalar::<Option<String>>("SELECT to_regclass('ticks_bars_1m')::text").await, None);

    // Levels that come later are made of all rows; one that is no longer wanted goes.
    settings.own.clear();
    settings.usual = RollupSettings { levels: vec![Level::Minute, Level::Day], ..RollupSettings::default() };
    ticks.rollups = chunkwise::rollup::Rollups::new(settings).of_young_ones_too();
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<Option<String>>("SELECT to_regclass('public_store.ticks__bars_1h')::text").await, None);
    assert_eq!(ticks.scalar::<i64>("SELECT sum(count)::int8 FROM ticks_bars_1m").await, 3);
    assert_eq!(ticks.scalar::<i64>("SELECT sum(count)::int8 FROM ticks_bars_1d").await, 3);
}

#[tokio::test]
async fn a_relation_of_somebody_elses_is_left_alone() {
    let mut ticks = Ticks::new().await;
    let id = ticks.ids[0];
    ticks.execute("CREATE VIEW ticks_bars_1h AS SELECT 'mine' AS whose").await;
    ticks.write(&[(START_US, id, Some(1.0), Some(2))]).await;
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<String>("SELECT whose FROM ticks_bars_1h").await, "mine");
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM ticks_bars_1d").await, 1);
}

#[tokio::test]
async fn a_column_is_given_another_type_as_the_document_says_and_rollups_follow() {
    let mut random = StdRng::seed_from_u64(22);
    let mut ticks = Ticks::new().await;
    let rows: Vec<_> = ticks
        .random_rows(&mut random, START_US, DAY_US, 200)
        .into_iter()
        .map(|(us, id, price, size)| (us, id, price.filter(|price| price.is_finite()).map(f64::round), size))
        .collect();
    ticks.write(&rows).await;
    ticks.refresh().await;
    let alter = "ALTER TABLE public_store.ticks ALTER COLUMN price TYPE int8 USING price::int8";
    let refused = sqlx::raw_sql(alter).execute(&mut ticks.connection).await.unwrap_err();
    assert!(refused.to_string().contains("used by a view"), "{refused}");
    let document = include_str!("../../../docs/sql.md");
    let block = document.split("```postgresql\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(block.contains("ALTER COLUMN size TYPE"), "{block}");
    // The document's column is the other one.
    for (column, to) in [("price", "int8"), ("size", "float8")] {
        let block = block.replace(
            "ALTER COLUMN size TYPE float8 USING size::float8",
            &format!("ALTER COLUMN {column} TYPE {to} USING {column}::{to}"),
        );
        sqlx::raw_sql(&block).execute(&mut ticks.connection).await.unwrap_or_else(|error| panic!("{block}: {error}"));
        ticks.measurement = grow(&ticks.test.database, &[("price", ColumnType::Int8)]).await;
        ticks.write(&[(START_US + DAY_US, ticks.ids[0], Some(7.0), Some(8))]).await;
        ticks.refresh().await;
        let counted: (i64, i64) = sqlx::query_as(
            "SELECT (SELECT sum(count)::int8 FROM ticks_bars_1d), (SELECT count(price) FROM public_store.ticks)",
        )
        .fetch_one(&mut ticks.connection)
        .await
        .unwrap();
        assert_eq!(counted.0, counted.1, "{column}");
        let off = "SELECT count(*) FROM (
                SELECT time_bucket('1 hour', time), symbol, max(price)::float8, sum(price)::float8, sum(size)::float8 FROM ticks GROUP BY 1, 2
                EXCEPT ALL SELECT time, symbol, high::float8, l.price__sum, volume FROM ticks_bars_1h
                JOIN public_store.ticks__series USING (symbol) JOIN public_store.ticks__live_1h l USING (series_id, time)) d";
        assert_eq!(ticks.scalar::<i64>(off).await, 0, "{column}");
        let last = "SELECT count(*) FROM (
                SELECT symbol, max(time), (array_agg(price ORDER BY time DESC, price DESC))[1]::float8 FROM ticks WHERE price IS NOT NULL GROUP BY 1
                EXCEPT ALL SELECT symbol, price__at, price::float8 FROM public_store.ticks__live_latest JOIN public_store.ticks__series USING (series_id)) d";
        assert_eq!(ticks.scalar::<i64>(last).await, 0, "{column}");
    }
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attname) FROM pg_attribute
                 WHERE attrelid = 'public_store.ticks__bars_1d'::regclass AND attname IN ('price__max', 'size__max')";
    assert_eq!(ticks.scalar::<String>(types).await, "bigint double precision");
}
