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

/// The priority of a process or thread, as of `nice`.
#[cfg(target_os = "linux")]
fn niceness(process: &str) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(16)?.parse().ok()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn sealing_and_rollups_have_the_lowest_priority_and_whoever_ingests_keeps_his() {
    use std::os::unix::fs::MetadataExt as _;

    let test = TestDatabase::new().await;
    let app = super::app(&test, &super::EAGER);
    super::write(&app, &super::lines(1));
    let of = async |sessions: &str| -> Vec<i32> {
        let sql = format!("SELECT pid FROM pg_stat_activity a WHERE datname = current_database() AND {sessions}");
        sqlx::query_scalar(&sql).fetch_all(&mut test.connect().await).await.unwrap()
    };
    let jobs = "EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.classid = 1668770402
                        AND l.objid::int8 IN (SELECT hashtext(job)::int8 & 4294967295
                                              FROM unnest(ARRAY['seal', 'rollups']) AS job))";
    wait_until("both have their sessions", async || of(jobs).await.len() == 2).await;
    let threads = std::fs::read_dir(format!("/proc/{}/task", app.pid())).unwrap();
    let threads: Vec<(String, i32)> = threads
        .filter_map(|thread| {
            let id = format!("{}/task/{}", app.pid(), thread.ok()?.file_name().display());
            let name = std::fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
            Some((name.trim().to_owned(), niceness(&id)?))
        })
        .collect();
    let usual = niceness("self").unwrap();
    assert!(threads.iter().filter(|(name, _)| name == "jobs").count() >= 2, "{threads:?}");
    assert!(threads.iter().all(|(name, nice)| *nice == if name == "jobs" { 19 } else { usual }), "{threads:?}");
    let writers = of("application_name = 'chunkwise-writer'").await;
    assert!(!writers.is_empty());
    let title = std::fs::read(format!("/proc/{}/cmdline", writers[0])).unwrap_or_default();
    let title = String::from_utf8_lossy(&title);
    // A server that was started with few arguments has no room for more than the beginning.
    let client = title.split_once("postgres: ").map(|(_, said)| said.contains("[local]") || said.contains('('));
    if client != Some(true) {
        println!("SKIPPED: this server is on another machine, or does not say whom its processes serve");
        return;
    }
    let own = rustix::process::geteuid();
    let user = std::fs::metadata(format!("/proc/{}", writers[0])).unwrap().uid();
    if !own.is_root() && own.as_raw() != user {
        println!("SKIPPED: this server is another user's, and the tests are not root's");
        return;
    }
    for pid in of(jobs).await {
        assert_eq!(niceness(&pid.to_string()), Some(19));
        // From other users the system takes a group's priority once in a tenth of a second, from all tests together.
        if own.is_root()
            && let Ok(group) = std::fs::read_to_string(format!("/proc/{pid}/autogroup"))
        {
            assert!(group.trim_end().ends_with("nice 19"), "{group}");
        }
    }
    for pid in writers {
        assert!(niceness(&pid.to_string()).is_none_or(|nice| nice < 19 || usual == 19));
    }
}
