//! A machine's figures -> `chunkwise.conf`. Pure.

use std::path::Path;

use super::{installation::WalCompression, machine::Machine};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Workers for TimescaleDB's own jobs: one a database and one a job, the extension's default.
const TIMESCALEDB_WORKERS: usize = 16;

/// Below this `/dev/shm` (a container's has 64 MB) parallel queries fail with "could not resize shared memory segment"; files in the
/// data folder take its place.
const SHARED_MEMORY_ENOUGH_BYTES: u64 = GIB;

/// Where the server listens and logs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) port: u16,
    pub(super) socket_dir: &'a Path,
    pub(super) log_dir: &'a Path,
}

/// The text of `chunkwise.conf`. Commits are durable whatever the machine: there is no switch for that.
pub(super) fn chunkwise_conf(machine: &Machine, compression: WalCompression, places: Places<'_>) -> String {
    let memory = machine.memory_bytes;
    let max_wal = (machine.free_disk_bytes / 10).clamp(GIB / 4, 8 * GIB);
    let parallel = machine.cores.max(2);
    let dynamic_shared_memory = match machine.shared_memory_bytes {
        Some(bytes) if bytes < SHARED_MEMORY_ENOUGH_BYTES => "mmap",
        _ => "posix",
    };
    let wal_compression = match compression {
        WalCompression::Lz4 => "lz4",
        WalCompression::Pglz => "pglz",
    };
    let settings = [
        ("listen_addresses", quoted("127.0.0.1")),
        ("port", places.port.to_string()),
        ("unix_socket_directories", quoted(&places.socket_dir.to_string_lossy())),
        ("unix_socket_permissions", "0700".to_owned()),
        ("max_connections", "100".to_owned()),
        ("password_encryption", quoted("scram-sha-256")),
        ("shared_preload_libraries", quoted("timescaledb")),
        ("timescaledb.telemetry_level", "off".to_owned()),
        ("timescaledb.max_background_workers", TIMESCALEDB_WORKERS.to_string()),
        // The launcher, the jobs, and as many parallel workers as there are cores.
        ("max_worker_processes", (3 + TIMESCALEDB_WORKERS + parallel).to_string()),
        ("max_parallel_workers", parallel.to_string()),
        ("max_parallel_workers_per_gather", (parallel / 2).max(1).to_string()),
        // A question or a drop over years of a measurement locks every chunk and its indexes.
        ("max_locks_per_transaction", "256".to_owned()),
        ("shared_buffers", megabytes((memory / 4).clamp(128 * MIB, 8 * GIB))),
        ("effective_cache_size", megabytes((memory / 2).max(256 * MIB))),
        ("maintenance_work_mem", megabytes((memory / 16).clamp(64 * MIB, GIB))),
        ("work_mem", megabytes((memory / 512).clamp(4 * MIB, 64 * MIB))),
        ("dynamic_shared_memory_type", dynamic_shared_memory.to_owned()),
        ("fsync", "on".to_owned()),
        ("full_page_writes", "on".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        // A steady stream fills the log fast: checkpoints by the clock, not by its size, as far as the disk allows.
        ("max_wal_size", megabytes(max_wal)),
        ("min_wal_size", megabytes((max_wal / 4).min(GIB))),
        ("checkpoint_timeout", "15min".to_owned()),
        ("wal_compression", wal_compression.to_owned()),
        ("random_page_cost", "1.1".to_owned()),
        ("jit", "off".to_owned()),
        ("timezone", quoted("UTC")),
        ("log_timezone", quoted("UTC")),
        ("logging_collector", "on".to_owned()),
        ("log_directory", quoted(&places.log_dir.to_string_lossy())),
        // The name of the day comes round after a week and its file is begun anew.
        ("log_filename", quoted("postgresql-%a.log")),
        ("log_rotation_age", "1d".to_owned()),
        ("log_rotation_size", "0".to_owned()),
        ("log_truncate_on_rotation", "on".to_owned()),
    ];
    let mut conf = String::from(
        "# Written by chunkwise at every start of the server; changes here are lost.\n\
         # Settings of your own go into postgresql.conf, below the line that includes this file.\n",
    );
    for (name, value) in settings {
        conf.extend([name, " = ", &value, "\n"]);
    }
    conf
}

fn megabytes(bytes: u64) -> String {
    format!("{}MB", bytes / MIB)
}

/// A value in quotes, as PostgreSQL's configuration files escape it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn settings_of(machine: Machine) -> HashMap<String, String> {
        let places = Places { port: 15432, socket_dir: Path::new("/run/it's"), log_dir: Path::new("/log") };
        let conf = chunkwise_conf(&machine, WalCompression::Lz4, places);
        let lines: Vec<_> = conf.lines().filter(|line| !line.starts_with('#')).collect();
        let settings: HashMap<_, _> = lines
            .iter()
            .map(|line| line.split_once(" = ").map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap())
            .collect();
        assert_eq!(settings.len(), lines.len(), "a setting is written twice:\n{conf}");
        settings
    }

    const LARGE: Machine =
        Machine { memory_bytes: 24 * GIB, cores: 8, free_disk_bytes: 200 * GIB, shared_memory_bytes: Some(12 * GIB) };

    #[test]
    fn a_large_machine_gets_a_quarter_of_its_memory_as_buffers() {
        let settings = settings_of(LARGE);
        assert_eq!(settings["shared_buffers"], "6144MB");
        assert_eq!(settings["effective_cache_size"], "12288MB");
        assert_eq!(settings["work_mem"], "48MB");
        assert_eq!(settings["maintenance_work_mem"], "1024MB");
        assert_eq!((settings["max_wal_size"].as_str(), settings["min_wal_size"].as_str()), ("8192MB", "1024MB"));
        assert_eq!(settings["max_worker_processes"], "27");
        assert_eq!(settings["dynamic_shared_memory_type"], "posix");
    }

    #[test]
    fn bounds_hold_at_both_ends() {
        let tiny = settings_of(Machine {
            memory_bytes: 256 * MIB,
            cores: 1,
            free_disk_bytes: 0,
            shared_memory_bytes: Some(64 * MIB),
        });
        assert_eq!(tiny["shared_buffers"], "128MB");
        assert_eq!(tiny["work_mem"], "4MB");
        assert_eq!((tiny["max_wal_size"].as_str(), tiny["min_wal_size"].as_str()), ("256MB", "64MB"));
        assert_eq!(tiny["max_parallel_workers_per_gather"], "1");
        assert_eq!(tiny["dynamic_shared_memory_type"], "mmap");
        let huge = settings_of(Machine { memory_bytes: 4096 * GIB, shared_memory_bytes: None, ..LARGE });
        assert_eq!(huge["shared_buffers"], "8192MB");
        assert_eq!(huge["work_mem"], "64MB");
        assert_eq!(huge["dynamic_shared_memory_type"], "posix");
    }

    #[test]
    fn commits_are_durable_and_nothing_is_told_to_others() {
        let settings = settings_of(LARGE);
        for durable in ["fsync", "full_page_writes", "synchronous_commit"] {
            assert_eq!(settings[durable], "on", "{durable}");
        }
        assert_eq!(settings["timescaledb.telemetry_level"], "off");
        assert_eq!(settings["listen_addresses"], "'127.0.0.1'");
    }

    #[test]
    fn quotes_in_paths_are_doubled() {
        assert_eq!(settings_of(LARGE)["unix_socket_directories"], "'/run/it''s'");
    }
}
