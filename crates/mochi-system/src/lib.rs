//! What this process may use of its machine, what it has used, and the processes that it was started with. Linux tells through `/proc` and `/sys/fs/cgroup`; elsewhere the answers are `None`.
//!
//! ```
//! let (limit, peak) = (mochi_system::memory_limit(), mochi_system::peak_memory());
//! if let (Some(limit), Some(peak)) = (limit, peak) {
//!     assert!(peak <= limit);
//! }
//! ```
#![forbid(unsafe_code)]

mod cgroup;
mod launcher;

use std::path::Path;

pub use launcher::{Launched, LauncherError, launched};

/// Memory that this process may use, in bytes: the machine's, or less where a container, a service manager or a batch system sets a limit.
pub fn memory_limit() -> Option<u64> {
    memory_limit_below(Path::new("/"))
}

/// Name of the first processor, e.g. `AMD EPYC 7B13`.
pub fn processor() -> Option<String> {
    model_name(&std::fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let value = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Highest resident memory of this process so far, in bytes (`VmHWM`).
pub fn peak_memory() -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

fn memory_limit_below(root: &Path) -> Option<u64> {
    let machine =
        std::fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| kilobytes(&text, "MemTotal:"));
    [machine, cgroup::memory_limit(root)].into_iter().flatten().min()
}

/// The bytes of a line such as `MemTotal:  16384 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_processor_is_the_first_models() {
        let text = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Other\n";
        assert_eq!(model_name(text).as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(model_name("model name\t:\n"), None);
    }

    /// A root folder with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16384 kB\nMemFree:  1 kB\n");

    #[test]
    fn this_process_has_a_peak_below_its_limit() {
        if cfg!(target_os = "linux") {
            let (peak, limit) = (peak_memory().unwrap(), memory_limit().unwrap());
            assert!(peak > 100_000 && peak <= limit, "{peak} of {limit}");
        }
    }

    #[test]
    fn without_a_limit_it_is_the_machines() {
        assert_eq!(memory_limit_below(root(&[]).path()), None);
        assert_eq!(memory_limit_below(root(&[MEMINFO]).path()), Some(16384 * 1024));
        let none = [MEMINFO, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cgroup.procs", "")];
        assert_eq!(memory_limit_below(root(&none).path()), Some(16384 * 1024));
    }

    /// A container sees its own group as the root of the hierarchy.
    #[test]
    fn a_containers_limit_counts() {
        let container = [MEMINFO, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "8388608\n")];
        assert_eq!(memory_limit_below(root(&container).path()), Some(8_388_608));
        let unlimited = [MEMINFO, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "max\n")];
        assert_eq!(memory_limit_below(root(&unlimited).path()), Some(16384 * 1024));
    }

    /// A batch system limits a group above that of the process.
    #[test]
    fn the_least_limit_on_the_way_up_counts() {
        let job = [
            MEMINFO,
            ("proc/self/cgroup", "0::/system.slice/job_7/step_0\n"),
            ("sys/fs/cgroup/system.slice/job_7/step_0/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/job_7/memory.max", "4194304\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "6291456\n"),
        ];
        assert_eq!(memory_limit_below(root(&job).path()), Some(4_194_304));
    }

    #[test]
    fn the_first_version_of_control_groups_is_read_too() {
        let v1 = [
            MEMINFO,
            ("proc/self/cgroup", "11:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "2097152\n"),
        ];
        assert_eq!(memory_limit_below(root(&v1).path()), Some(2_097_152));
        // Inside a container the path of the host does not exist; the root of the mount is the container's own group.
        let inside = [v1[0], v1[1], ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n")];
        assert_eq!(memory_limit_below(root(&inside).path()), Some(1_048_576));
    }

    #[test]
    fn what_cannot_be_read_is_no_limit() {
        let odd = [MEMINFO, ("proc/self/cgroup", "nonsense\n0::/../../etc\n"), ("sys/fs/cgroup/memory.max", "-3\n")];
        assert_eq!(memory_limit_below(root(&odd).path()), Some(16384 * 1024));
        assert_eq!(kilobytes("MemTotal: 99999999999999999999 kB", "MemTotal:"), None);
        assert_eq!(kilobytes("MemTotal: 18446744073709551615 kB", "MemTotal:"), None);
    }
}
