//! Whether a benchmark's rows fit on the server's disk.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use sqlx::PgConnection;

use super::{BenchError, process};

/// Beside the rows: sorts, the log's reserve, other people's files.
const RESERVE_BYTES: u64 = 1 << 30;

/// Fails if so many bytes do not fit; `lower` is the flag that asks for less. What the log may grow to is added. The disk
/// of a server elsewhere, or of one whose folder this user may not know, cannot be seen: then nothing is said.
pub(super) async fn check(
    connection: &mut PgConnection,
    rows_bytes: u64,
    lower: &'static str,
) -> Result<(), BenchError> {
    let Some((path, free)) = free(connection).await? else { return Ok(()) };
    let log_mb: i64 = sqlx::query_scalar("SELECT setting::int8 FROM pg_settings WHERE name = 'max_wal_size'")
        .fetch_one(connection)
        .await?;
    // The log of as many rows, or as much as it is allowed to be.
    let log_bytes = (log_mb.unsigned_abs() << 20).min(rows_bytes.saturating_mul(2));
    let needed = rows_bytes.saturating_add(log_bytes).saturating_add(RESERVE_BYTES);
    if needed > free { Err(BenchError::Disk { needed, free, path, lower }) } else { Ok(()) }
}

/// The server's folder and the bytes that are free there.
async fn free(connection: &mut PgConnection) -> Result<Option<(PathBuf, u64)>, BenchError> {
    if !process::is_of_this_machine(connection).await? {
        return Ok(None);
    }
    let allowed = "SELECT pg_has_role('pg_read_all_settings', 'USAGE')";
    if !sqlx::query_scalar(allowed).fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let folder: String = sqlx::query_scalar("SELECT current_setting('data_directory')").fetch_one(connection).await?;
    Ok(free_bytes(Path::new(&folder)).map(|bytes| (folder.into(), bytes)))
}

/// Of the disk that a folder is on, which this user may not be allowed to enter.
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = folder.ancestors().find_map(|ancestor| statvfs(ancestor).ok())?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_entered_is_on_the_disk_of_one_that_can() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(&folder.path().join("not/there")).unwrap();
        assert!(free > 0);
        assert!(free_bytes(Path::new("")).is_none());
    }
}
