//! What this machine has: memory (a container's limit counts), cores, disk, shared memory.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use rustix::fs::statvfs;

use super::process;

/// Taken where the machine does not say how much memory it has.
const UNKNOWN_MEMORY_BYTES: u64 = 4 << 30;

/// The figures that settings are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) memory_bytes: u64,
    pub(super) cores: usize,
    /// Free for this user where the cluster's data goes.
    pub(super) free_disk_bytes: u64,
    /// Size of `/dev/shm`; `None` where there is no such thing (macOS).
    pub(super) shared_memory_bytes: Option<u64>,
}

impl Machine {
    /// Looks at this machine; `data` is on the disk that counts.
    pub(super) async fn look(data: &Path) -> Self {
        Self {
            memory_bytes: memory_bytes().await,
            cores: available_parallelism().map_or(1, usize::from),
            free_disk_bytes: free_bytes(data).unwrap_or(0),
            shared_memory_bytes: statvfs("/dev/shm").ok().map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
        }
    }
}

/// Bytes that this user can still write to the disk of `path`.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    statvfs(existing).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

async fn memory_bytes() -> u64 {
    let installed = match fs::read_to_string("/proc/meminfo") {
        Ok(meminfo) => installed_bytes(&meminfo),
        Err(_) => {
            let asked = process::output(process::command("sysctl").args(["-n", "hw.memsize"])).await;
            asked.ok().and_then(|bytes| bytes.trim().parse().ok())
        }
    };
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    // Without a limit the files say `max` or a number beyond any memory.
    let limit = limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()).min();
    installed.into_iter().chain(limit).min().unwrap_or(UNKNOWN_MEMORY_BYTES)
}

fn installed_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_in_kibibytes() {
        let meminfo = "MemTotal:       24689604 kB\nMemFree:        22001232 kB\n";
        assert_eq!(installed_bytes(meminfo), Some(24_689_604 * 1024));
        assert_eq!(installed_bytes("MemFree: 1 kB\n"), None);
    }

    #[tokio::test]
    async fn this_machine_has_something_of_everything() {
        let machine = Machine::look(Path::new("/tmp/not/there/yet")).await;
        assert!(machine.memory_bytes > 64 << 20, "{machine:?}");
        assert!(machine.cores >= 1 && machine.free_disk_bytes > 0, "{machine:?}");
    }
}
