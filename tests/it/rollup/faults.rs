//! Kills at any moment, and two at once.

use std::time::{Duration, Instant};

use chunkwise::rollup::{AllSettings, Rollups};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::support::{DAY_US, MINUTE_US, START_US, Ticks, now_us, refresh};

#[tokio::test]
async fn sessions_that_end_anywhere_lose_and_double_nothing() {
    let mut random = StdRng::seed_from_u64(10);
    let mut ticks = Ticks::new().await;
    let mut completed = 0;
    for _ in 0..25 {
        let rows = ticks.random_rows(&mut random, START_US, 3 * DAY_US, 300);
        ticks.write(&rows).await;
        let rows = ticks.random_rows(&mut random, now_us() - 3 * MINUTE_US, 3 * MINUTE_US, 30);
        ticks.write(&rows).await;
        // Dropped wherever it is, as by a kill: the server rolls back what was not committed.
        let mut session = ticks.test.connect().await;
        let mut rollups = Rollups::new(AllSettings::default()).of_young_ones_too();
        let limit = Duration::from_millis(random.random_range(1..400));
        completed +=
            usize::from(tokio::time::timeout(limit, rollups.round(&mut session, &ticks.test.database)).await.is_ok());
        drop(session);
    }
    assert!(completed < 25, "some were cut off");
    // On a busy machine a server process finds out late that nobody is there any more, and holds its lock until then; whoever
    // else comes by passes the measurement over, and would come again.
    let left = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while ticks.scalar::<i64>(left).await > 0 {
        assert!(Instant::now() < deadline, "sessions that were cut off do not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ticks.refresh().await;
    ticks.check("after all").await;
}

#[tokio::test]
async fn two_at_once_do_no_harm() {
    let mut random = StdRng::seed_from_u64(11);
    let mut ticks = Ticks::new().await;
    let rows = ticks.random_rows(&mut random, START_US, 3 * DAY_US, 500);
    ticks.write(&rows).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let (mut session, database) = (ticks.test.connect().await, ticks.test.database.clone());
        sessions.push(tokio::spawn(async move {
            let mut rollups = Rollups::new(AllSettings::default()).of_young_ones_too();
            for _ in 0..10 {
                // One may be in the other's way, and tries again.
                if let Err(error) = rollups.round(&mut session, &database).await {
                    panic!("{error:?}");
                }
            }
        }));
    }
    for _ in 0..10 {
        let rows = ticks.random_rows(&mut random, START_US, 3 * DAY_US, 50);
        ticks.write(&rows).await;
        ticks.execute("DELETE FROM public_store.ticks WHERE size = 5").await;
    }
    for session in sessions {
        session.await.unwrap();
    }
    let mut rollups = Rollups::new(AllSettings::default()).of_young_ones_too();
    refresh(&mut rollups, &mut ticks.connection, &ticks.test.database).await;
    ticks.check("after both").await;
}
