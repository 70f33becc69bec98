//! The runner itself: one at a time, taken over, tried again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use chunkwise::jobs::{Job, JobError, Next, Turn, run};
use tokio_util::sync::CancellationToken;

use crate::support::{TestDatabase, wait_until};

/// Counts its runs, and notices another that runs at the same time.
#[derive(Clone, Default)]
struct Counting {
    runs: Arc<AtomicU32>,
    busy: Arc<AtomicBool>,
    together: Arc<AtomicBool>,
}

impl Job for Counting {
    const NAME: &'static str = "counting";

    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<Next, JobError> {
        if self.busy.swap(true, Ordering::SeqCst) {
            self.together.store(true, Ordering::SeqCst);
        }
        sqlx::query("SELECT pg_sleep(0.01)").execute(&mut *turn.connection).await?;
        self.busy.store(false, Ordering::SeqCst);
        match self.runs.fetch_add(1, Ordering::SeqCst) {
            3 => Err(JobError::Other("the fourth run fails".into())),
            5 => panic!("the sixth run panics"),
            _ => Ok(Next::Again),
        }
    }
}

#[tokio::test]
async fn one_process_at_a_time_does_a_job_and_another_takes_over() {
    let test = TestDatabase::new().await;
    let job = Counting::default();
    let stops = [CancellationToken::new(), CancellationToken::new()];
    let tasks = stops.clone().map(|stop| {
        let (job, database) = (job.clone(), test.database.clone());
        tokio::spawn(async move { run(job, &database, &stop).await })
    });
    let reaches = async |count: u32| {
        wait_until(&format!("{count} runs"), async || job.runs.load(Ordering::SeqCst) >= count).await;
    };
    // Over an error and a panic.
    reaches(20).await;
    let [first, second] = tasks;
    stops[0].cancel();
    first.await.unwrap();
    let runs = job.runs.load(Ordering::SeqCst);
    // It may have been dropped in the middle of a run.
    job.busy.store(false, Ordering::SeqCst);
    reaches(runs + 20).await;
    stops[1].cancel();
    second.await.unwrap();
    assert!(!job.together.load(Ordering::SeqCst), "two ran at once");
}
