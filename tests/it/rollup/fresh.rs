//! Rows that this process has written itself a moment ago are not read again, and what comes of them is the same.

use chunkwise::{
    batch::Recent,
    ingest::{BodyRequest, Identity, Ingest, IngestOptions, PartialWrites, Protocol, RequestId},
    protocol::Precision,
    rollup::{AllSettings, Rollups},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::support::{DAY_US, MINUTE_US, Row, START_US, Ticks, insert, moment};

/// A measurement, and an ingestion service beside its rollups.
struct Written {
    ticks: Ticks,
    ingest: Ingest,
}

fn rollups(recent: &Recent) -> Rollups {
    Rollups::new(AllSettings::default()).of_young_ones_too().reading(recent.clone())
}

impl Written {
    /// With the series `N0` ... `N4` instead of the usual ones, and with bars of their first rows.
    async fn new() -> Self {
        let mut ticks = Ticks::new().await;
        let recent = Recent::new(64 << 20);
        ticks.rollups = rollups(&recent);
        let options = IngestOptions { recent, ..IngestOptions::default() };
        let ingest = Ingest::start(ticks.test.database.clone(), options);
        let mut written = Self { ticks, ingest };
        written.ticks.ids = vec![0, 1, 2, 3, 4];
        let first: Vec<Row> = (0..5).map(|at| (START_US + at * MINUTE_US, at, Some(0.5), Some(95))).collect();
        written.send(&first).await;
        let sql = "SELECT series_id FROM public_store.ticks__series WHERE symbol LIKE 'N%' ORDER BY symbol";
        written.ticks.ids = sqlx::query_scalar(sql).fetch_all(&mut written.ticks.connection).await.unwrap();
        written.all_made().await;
        written
    }

    /// Sends rows, of series by id, as a client does.
    async fn write(&self, rows: &[Row]) {
        let place = |id| self.ticks.ids.iter().position(|other| *other == id).unwrap();
        let rows: Vec<Row> =
            rows.iter().map(|&(us, id, price, size)| (us, i64::try_from(place(id)).unwrap(), price, size)).collect();
        self.send(&rows).await;
    }

    /// The same of series by number. What is no number is left out, as no line has it.
    async fn send(&self, rows: &[Row]) {
        let mut body = String::new();
        for (us, series, price, size) in rows {
            let price = price.filter(|price| price.is_finite()).map(|price| format!("price={price:?}"));
            let rest = size.map(|size| {
                let note = if size > 90 { format!(",note=\"size {size}\"") } else { String::new() };
                format!("size={size}i,open\\ now={}{note}", if size % 2 == 0 { 't' } else { 'f' })
            });
            let fields: Vec<String> = price.into_iter().chain(rest).collect();
            if !fields.is_empty() {
                body += &format!("ticks,symbol=N{series} {} {us}\n", fields.join(","));
            }
        }
        let request = BodyRequest {
            protocol: Protocol::LineProtocolHttp,
            room: self.ingest.reserve(1 << 20).await.unwrap(),
            namespace: "public",
            body: body.as_bytes(),
            precision: Precision::Microseconds,
            identity: Identity::Fixed(RequestId::fresh(uuid::Uuid::new_v4())),
            partial: PartialWrites::Refuse,
            interval_us: None,
        };
        self.ingest.write_body(request).await.unwrap();
    }

    /// Makes all there is to make, as when nothing comes for a while.
    async fn all_made(&mut self) -> i64 {
        self.ticks.let_the_load_end().await;
        self.refresh().await
    }

    /// Makes what there is to make; how many rows of the storage were read for it.
    async fn refresh(&mut self) -> i64 {
        let before = self.read_of("ticks").await;
        self.ticks.refresh().await;
        self.read_of("ticks").await - before
    }

    /// How many rows of a table were read so far.
    async fn read_of(&mut self, table: &str) -> i64 {
        self.ticks.execute("SELECT pg_stat_force_next_flush()").await;
        let read = format!(
            "SELECT coalesce(sum(pg_stat_get_tuples_returned(i.inhrelid) + pg_stat_get_tuples_fetched(i.inhrelid)), 0)::int8
             FROM pg_inherits i WHERE i.inhparent = 'public_store.{table}'::regclass"
        );
        self.ticks.scalar(&read).await
    }
}

/// A row here and there within ten minutes of a time: behind it no bucket of five minutes is begun.
fn rows(written: &Written, random: &mut StdRng, at: i64) -> Vec<Row> {
    written.ticks.random_rows(random, START_US + DAY_US + at * 10 * MINUTE_US, 10 * MINUTE_US, 300)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_process_has_written_is_not_read_and_what_others_do_is() {
    let mut random = StdRng::seed_from_u64(11);
    let mut written = Written::new().await;
    for at in 0..3 {
        // Two transactions, and the second is older.
        let [older, newer] = [0, 1].map(|part| rows(&written, &mut random, at * 2 + part));
        written.write(&newer).await;
        written.write(&older).await;
        assert_eq!(written.all_made().await, 0, "{at}");
        written.ticks.check(&format!("of memory {at}")).await;
    }

    let late = rows(&written, &mut random, 1);
    written.write(&late).await;
    assert!(written.refresh().await > 0, "what is late is made anew of all rows");
    written.ticks.check("late").await;

    // A row among those that are in memory.
    let [mine, his] = [8, 8].map(|at| rows(&written, &mut random, at));
    written.write(&mine).await;
    insert(&mut written.ticks.connection, &his).await;
    assert!(written.refresh().await > 0, "somebody else's rows are not in memory");
    written.ticks.check("somebody else's").await;
    written.ticks.let_counters_settle().await;
    written.all_made().await;

    // Behind the chunk that he may have written to all is known again.
    let mine = rows(&written, &mut random, 100);
    written.write(&mine).await;
    assert_eq!(written.refresh().await, 0);
    written.ticks.check("of memory again").await;

    let mine = rows(&written, &mut random, 102);
    written.write(&mine).await;
    written.ticks.execute("DELETE FROM public_store.ticks WHERE size % 3 = 0").await;
    assert!(written.refresh().await > 0);
    written.ticks.check("some were deleted before they were made").await;

    let mine = rows(&written, &mut random, 104);
    written.write(&mine).await;
    written.ticks.execute("TRUNCATE public_store.ticks").await;
    written.refresh().await;
    written.ticks.check("all are gone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_and_days_of_a_load_are_made_of_bars_that_are_in_memory() {
    let mut random = StdRng::seed_from_u64(14);
    let mut written = Written::new().await;
    for day in 2..4 {
        let whole = written.ticks.random_rows(&mut random, START_US + day * DAY_US, DAY_US, 2_000);
        let begun = written.ticks.random_rows(&mut random, START_US + (day + 1) * DAY_US, 90 * MINUTE_US, 50);
        written.write(&[whole, begun].concat()).await;
        let before = written.read_of("ticks__bars_5m").await;
        assert_eq!(written.refresh().await, 0, "{day}");
        // The first one begins in the middle of a day.
        assert!(day == 2 || written.read_of("ticks__bars_5m").await == before, "{day}");
        let made = "SELECT (extract(epoch FROM max(watermark)) * 1000000)::int8 FROM chunkwise.rollup_level WHERE level = '1d'";
        assert_eq!(written.ticks.scalar::<i64>(made).await, START_US + (day + 1) * DAY_US);
        written.ticks.check(&format!("day {day}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_by_another_process_and_a_session_that_ends_cost_a_reading_and_no_row() {
    let mut random = StdRng::seed_from_u64(12);
    let mut written = Written::new().await;
    let mine = rows(&written, &mut random, 0);
    written.write(&mine).await;
    let mut others = Rollups::new(AllSettings::default()).of_young_ones_too();
    others.round(&mut written.ticks.connection, &written.ticks.test.database).await.unwrap();
    let mine = rows(&written, &mut random, 2);
    written.write(&mine).await;
    assert!(written.all_made().await > 0, "the other one has seen what is not in memory here");
    written.ticks.check("after another's look").await;
    let mine = rows(&written, &mut random, 4);
    written.write(&mine).await;
    assert_eq!(written.refresh().await, 0);

    let mine = rows(&written, &mut random, 6);
    written.write(&mine).await;
    let mut ended = written.ticks.test.connect().await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut ended).await.unwrap();
    written.ticks.execute(&format!("SELECT pg_terminate_backend({pid}, 5000)")).await;
    assert!(written.ticks.rollups.round(&mut ended, &written.ticks.test.database).await.is_err());
    assert!(written.all_made().await > 0, "who knows what has happened to the server");
    written.ticks.check("after a session that ended").await;
    let mine = rows(&written, &mut random, 8);
    written.write(&mine).await;
    assert_eq!(written.refresh().await, 0);
    written.ticks.check("and then").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_the_table_has_otherwise_than_they_were_sent_are_read() {
    let mut random = StdRng::seed_from_u64(13);
    let mut written = Written::new().await;
    let mine = rows(&written, &mut random, 0);
    written.write(&mine).await;
    written
        .ticks
        .execute(
            "DO 'DECLARE v text; BEGIN
                 FOR v IN SELECT format(''%I.%I'', schemaname, viewname) FROM pg_views
                          WHERE schemaname IN (''public'', ''public_store'') AND viewname LIKE ''ticks%'' LOOP
                     EXECUTE format(''DROP VIEW IF EXISTS %s CASCADE'', v);
                 END LOOP; END'",
        )
        .await;
    written.ticks.execute("ALTER TABLE public_store.ticks ALTER COLUMN size TYPE float8 USING size / 8.0").await;
    assert!(written.refresh().await > 0);
    let sizes =
        "SELECT (SELECT sum(size) FROM public_store.ticks) - (SELECT sum(size__sum) FROM public_store.ticks__live_1m)";
    assert!(written.ticks.scalar::<f64>(sizes).await.abs() < 1e-6);

    let mut written = Written::new().await;
    written.ticks.execute("ALTER TABLE public_store.ticks ALTER COLUMN size SET DEFAULT 7").await;
    // No row of this request has a size, so its COPY has no such column.
    let mine: Vec<Row> =
        rows(&written, &mut random, 0).into_iter().map(|(us, id, _, _)| (us, id, Some(1.0), None)).collect();
    written.write(&mine).await;
    assert!(written.refresh().await > 0);
    written.ticks.check("a default").await;

    let mut written = Written::new().await;
    written
        .ticks
        .execute(
            "CREATE FUNCTION public.doubled() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.price = NEW.price * 2; RETURN NEW; END';
             CREATE TRIGGER doubled BEFORE INSERT ON public_store.ticks FOR EACH ROW EXECUTE FUNCTION public.doubled()",
        )
        .await;
    for at in 0..2 {
        let mine = rows(&written, &mut random, at * 2);
        written.write(&mine).await;
        assert!(written.refresh().await > 0);
        written.ticks.check("changed by a trigger").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_are_those_of_the_rows_whatever_is_in_memory() {
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(100 + seed);
        let mut written = Written::new().await;
        let mut at = 0;
        for step in 0..40 {
            let context = format!("seed {seed}, step {step}");
            at += random.random_range(0..3);
            let mine = rows(&written, &mut random, at);
            let before = moment(START_US + DAY_US + (at - 4) * 10 * MINUTE_US).to_rfc3339();
            match random.random_range(0..12) {
                0 => {
                    let late = rows(&written, &mut random, at / 2);
                    written.write(&late).await;
                }
                1 => {
                    let sql = format!("DELETE FROM public_store.ticks WHERE size % 11 = 3 AND time > '{before}'");
                    written.ticks.execute(&sql).await;
                }
                2 => {
                    let sql = format!(
                        "UPDATE public_store.ticks SET price = price + 1, time = time + interval '1 microsecond'
                         WHERE size % 11 = 5 AND time > '{before}'"
                    );
                    written.ticks.execute(&sql).await;
                }
                3 => insert(&mut written.ticks.connection, &mine).await,
                4 => {
                    let mut others = Rollups::new(AllSettings::default()).of_young_ones_too();
                    others.round(&mut written.ticks.connection, &written.ticks.test.database).await.unwrap();
                }
                5 => written.ticks.rollups = rollups(&written.ingest.options().recent),
                6..9 => {
                    written.refresh().await;
                }
                _ => written.write(&mine).await,
            }
            if step % 10 == 9 {
                written.ticks.let_counters_settle().await;
                written.refresh().await;
                written.ticks.check(&context).await;
            }
        }
    }
}
