//! What is planned is what the server does.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use chunkwise::{
    frame::{Calendar, Shape},
    hypertable::{list_chunks, load_measurement},
    question::{Fill, Grid, TimeRange, Timestamp, Transform, Width},
    window::{Plan, Source, spans},
};

use super::fixture::{DAY_US, Fixture, HOUR_US, START_US};
use crate::support::scanned;

#[tokio::test]
async fn the_chunks_of_the_plan_are_those_that_the_server_scans() {
    let fixture = Fixture::random(21, HOUR_US, 3, 2 * DAY_US, 500).await;
    let mut connection = fixture.test.connect().await;
    let ticks = load_measurement(&mut connection, "public", "ticks").await.unwrap().unwrap();
    let source = Source::new(&ticks, ticks.field("price").unwrap()).unwrap();
    let chunks = list_chunks(&mut connection, &ticks).await.unwrap();
    let calendar = Calendar::new(Width::Fixed(45 * 60 * Width::SECOND_US), Tz::UTC);
    let shape = Shape { grid: Grid::Own, fill: Fill::None, transform: Transform::Diff };
    let time = |hours: i64| Timestamp::from_us(START_US + hours * HOUR_US).unwrap();
    for ranges in [&[(0, 1)][..], &[(30, 33), (40, 41)], &[(-90, -80)], &[(46, 47), (29, 31), (30, 35)], &[(0, 48)]] {
        let ranges: Vec<TimeRange> =
            ranges.iter().map(|(from, to)| TimeRange { from: time(*from), to: time(*to) }).collect();
        let spans = spans(&ranges, &calendar);
        let plan = Plan::new(&calendar, shape.history(), spans, &[], &chunks, 10_000).unwrap();
        let mut found = BTreeSet::new();
        for slice in &plan.slices {
            found.extend(scanned(&mut connection, &source.select_rows(slice.span, Some(&fixture.ids[..1]))).await);
        }
        let names: Vec<String> = sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE oid::int8 = ANY ($1)")
            .bind(&plan.touched)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, names.into_iter().collect::<BTreeSet<_>>(), "{ranges:?}");
    }
}
