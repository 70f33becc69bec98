//! Blocks on disk: found again, and never believed.

use std::{fs, path::Path, sync::Arc, time::Duration};

use chunkwise::{
    block::{BlockOptions, Blocks, FolderError},
    query::{CorrelateAnswer, Questions},
    question::CorrelateQuestion,
};
use serde_json::json;
use sqlx::Executor;

use super::{ask_both, without_blocks};
use crate::read::fixture::{DAY_US, Fixture, HOUR_US, START_US, ask, block_options, text};

/// A process with its blocks in a folder.
struct Process {
    questions: Questions,
    blocks: Arc<Blocks>,
    plain: Questions,
}

impl Process {
    fn start(fixture: &Fixture, folder: &Path, options: BlockOptions) -> Self {
        let blocks = Arc::new(Blocks::in_folder(options, folder).unwrap());
        let questions = without_blocks(&fixture.test.database).with_blocks(Arc::clone(&blocks));
        Self { questions, blocks, plain: without_blocks(&fixture.test.database) }
    }

    async fn ask(&self, transform: &str) -> CorrelateAnswer {
        ask_both(&self.questions, &self.plain, &whole_day(transform)).await
    }

    async fn save(&self) {
        let blocks = Arc::clone(&self.blocks);
        tokio::task::spawn_blocking(move || blocks.save(Duration::ZERO)).await.unwrap();
    }
}

fn whole_day(transform: &str) -> CorrelateQuestion {
    ask(json!({
        "bucket": "1m", "transform": transform, "target": {"symbol": "S0"}, "min_overlap": 2,
        "ranges": [{"from": text(START_US), "to": text(START_US + DAY_US)}],
    }))
}

/// Every file below a folder that blocks have written.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect()
}

async fn fixture() -> Fixture {
    Fixture::random(41, 6 * HOUR_US, 40, DAY_US, 3_000).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_reads_only_what_has_changed_since() {
    let (fixture, folder) = (fixture().await, tempfile::tempdir().unwrap());
    let first = Process::start(&fixture, folder.path(), block_options(1 << 30));
    first.ask("diff").await;
    first.ask("level").await;
    let held = first.blocks.bytes();
    first.save().await;
    assert!(first.blocks.bytes() < held / 4, "what lies in files takes no memory of its own");
    assert_eq!(first.ask("diff").await.receipt.rows_read, 0);
    let in_use = Blocks::in_folder(block_options(1), folder.path());
    assert!(matches!(in_use, Err(FolderError::InUse(_))), "a second process has no say in the folder");
    drop(first);

    let second = Process::start(&fixture, folder.path(), block_options(1 << 30));
    for transform in ["diff", "level", "pct"] {
        let receipt = second.ask(transform).await.receipt;
        assert_eq!((receipt.rows_read, receipt.chunks.cached), (0, 4), "{transform}");
    }
    drop(second);

    let moment = text(START_US + 13 * HOUR_US);
    let sql = format!(
        "UPDATE public_store.ticks SET price = 9 WHERE time >= '{moment}' AND time < '{moment}'::timestamptz + interval '5 minutes'"
    );
    fixture.test.connect().await.execute(sql.as_str()).await.unwrap();
    let third = Process::start(&fixture, folder.path(), block_options(1 << 30));
    let receipt = third.ask("diff").await.receipt;
    assert_eq!((receipt.chunks.read, receipt.chunks.cached), (1, 3));
    assert!(receipt.rows_read < 200, "{} rows", receipt.rows_read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_or_a_disk_has_damaged_is_made_anew() {
    let (fixture, folder) = (fixture().await, tempfile::tempdir().unwrap());
    let damages: [fn(&Path, &[u8]); 4] = [
        |path, bytes| fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
        |path, bytes| {
            let mut bytes = bytes.to_vec();
            let last = bytes.len() - 100;
            bytes[last] ^= 0x10;
            fs::write(path, bytes).unwrap();
        },
        |path, bytes| {
            let mut bytes = bytes.to_vec();
            bytes[20] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path, _| fs::write(path, b"").unwrap(),
    ];
    for (extension, is_read_again) in [("base", true), ("compute", false), ("", true)] {
        for damage in damages {
            let process = Process::start(&fixture, folder.path(), block_options(1 << 30));
            process.ask("diff").await;
            process.save().await;
            drop(process);
            let mut damaged = 0;
            for path in files(folder.path()) {
                if path.extension().unwrap_or_default() == extension {
                    damage(&path, &fs::read(&path).unwrap());
                    damaged += 1;
                }
            }
            assert!(damaged > 0, "{extension}");
            let process = Process::start(&fixture, folder.path(), block_options(1 << 30));
            assert_eq!(process.ask("diff").await.receipt.rows_read > 0, is_read_again, "{extension}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_folder_may_go_at_any_time() {
    let (fixture, parent) = (fixture().await, tempfile::tempdir().unwrap());
    let folder = parent.path().join("blocks");
    let process = Process::start(&fixture, &folder, block_options(1 << 30));
    process.ask("diff").await;
    process.save().await;
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(process.ask("diff").await.receipt.rows_read, 0, "whoever has a file mapped keeps it");
    process.ask("level").await;
    process.save().await;
    assert!(!files(&folder).is_empty());
    // A file in its place is as good as a disk that takes nothing.
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, b"").unwrap();
    process.ask("pct").await;
    process.save().await;
    process.ask("pct").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_keep_to_their_limit() {
    let (fixture, folder) = (fixture().await, tempfile::tempdir().unwrap());
    let limit = 400_000;
    let process = Process::start(&fixture, folder.path(), BlockOptions { disk_bytes: limit, ..block_options(1 << 30) });
    for transform in ["diff", "level", "pct", "log_return"] {
        process.ask(transform).await;
        process.save().await;
        process.save().await;
    }
    // What is let go of is removed with the next index.
    process.save().await;
    let bytes: u64 = files(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes <= limit, "{bytes} bytes");
    process.ask("diff").await;
}
