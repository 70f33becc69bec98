//! Series that only the database refuses: by what analysts have added to a series table.

use serde_json::json;

use crate::support::{App, TestDatabase};

/// A measurement `m` with the series `a`, and what an analyst does to its series table.
async fn altered(sql: &str) -> (TestDatabase, App) {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", b"m,s=a,room=1 v=1 1600000000").status, 204);
    sqlx::raw_sql(sql).execute(&mut database.connect().await).await.unwrap();
    (database, app)
}

#[tokio::test]
async fn series_that_a_constraint_refuses_cost_their_lines_and_no_others() {
    let table = "ALTER TABLE public_store.m__series";
    let trigger = "CREATE FUNCTION public.judge() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.s = 'bad' THEN RAISE EXCEPTION 'MY OWN'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER judge BEFORE INSERT ON public_store.m__series FOR EACH ROW EXECUTE FUNCTION public.judge()";
    for (sql, expected) in [
        (format!("{table} ADD CONSTRAINT known CHECK (s <> 'bad')"), "\"known\" (SQLSTATE 23514)"),
        ("CREATE UNIQUE INDEX room_once ON public_store.m__series (room) WHERE s IN ('a', 'bad')".into(), "\"room_once\""),
        (format!("{table} ADD COLUMN must int; UPDATE public_store.m__series SET must = 1;
                  CREATE FUNCTION public.fill() RETURNS trigger LANGUAGE plpgsql AS
                  $$ BEGIN IF NEW.s <> 'bad' THEN NEW.must := 1; END IF; RETURN NEW; END $$;
                  CREATE TRIGGER fill BEFORE INSERT ON public_store.m__series FOR EACH ROW EXECUTE FUNCTION public.fill();
                  {table} ALTER COLUMN must SET NOT NULL"), "\"must\""),
        (format!("DROP VIEW public.m; {table} ALTER COLUMN s TYPE varchar(2)"), "SQLSTATE 22001"),
        (trigger.into(), "trigger"),
    ] {
        let (database, app) = altered(&sql).await;
        let body = b"m,s=b,room=2 v=1 1700000000\nm,s=bad,room=1 v=2 1700000000\nm,s=a,room=1 v=3 1700000000\n\
            other v=1 1700000000\nm,s=bad,room=1 v=4 1700000001\nm,s=c,room=3 v=5 1700000000\n";
        let answer = app.post("/write?precision=s", body);
        let said = answer.json();
        assert_eq!((answer.status, &said["written"]), (400, &json!(4)), "{sql}: {said}");
        let named: Vec<_> = said["lines"].as_array().unwrap().iter().map(|line| line["line"].clone()).collect();
        assert_eq!(named, [2, 5], "{said}");
        let reason = said["lines"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("series is new") && reason.contains(expected), "{reason}");
        assert!(!reason.contains("violates") && !reason.contains("MY OWN"), "{reason}");
        assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m").await, 4);
        // All or nothing is nothing, with the same lines.
        let answer = app.post("/write?precision=s&accept_partial=false", body);
        assert_eq!((answer.status, &answer.json()["lines"][1]["line"]), (400, &json!(5)));
        assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m").await, 4);
    }
}

#[tokio::test]
async fn a_series_table_that_takes_no_series_any_more_answers_in_time_and_goes_on_with_the_old_ones() {
    let never = "ALTER TABLE public_store.m__series ADD CONSTRAINT never CHECK (s = 'a') NOT VALID";
    let (database, app) = altered(never).await;
    let new: String = (0..3_000).map(|i| format!("m,s=n{i},room=1 v={i} 1700000000\n")).collect();
    let body = format!("{new}m,s=a,room=1 v=7 1700000000\n");
    let answer = app.post("/write?precision=s", body.as_bytes());
    let said = answer.json();
    assert_eq!((answer.status, &said["written"], &said["refused"]), (400, &json!(1), &json!(3_000)));
    let last = said["lines"][2_999]["reason"].as_str().unwrap();
    assert!(last.contains("was not tried"), "{last}");
    assert_eq!(database.scalar::<f64>("SELECT max(v) FROM m").await, 7.0);
}

#[tokio::test]
async fn a_tag_s_column_of_another_type_refuses_new_series_and_takes_rows_of_the_old_ones() {
    let (_database, app) =
        altered("DROP VIEW public.m; ALTER TABLE public_store.m__series ALTER COLUMN room TYPE int8 USING room::int8")
            .await;
    assert_eq!(app.post("/write?precision=s", b"m,s=a,room=1 v=2 1700000000").status, 204);
    let answer = app.post("/write?precision=s", b"m,s=b,room=2 v=2 1700000000\nm,s=a,room=1 v=3 1700000001");
    assert_eq!((answer.status, answer.json()["written"].clone()), (400, json!(1)), "{}", answer.json());
    let series = app.get("/api/v1/series?measurement=m");
    assert_eq!(series.status, 200, "{}", String::from_utf8_lossy(&series.body));
}
