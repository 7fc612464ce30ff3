//! Limits of control groups, version 2 (`memory.max`) and version 1 (`memory.limit_in_bytes`). Source: Linux, `Documentation/admin-guide/cgroup-v2.rst` and
//! `cgroup-v1/memory.rst`.

use std::path::{Component, Path};

/// The least memory limit of this process's group and of those above it.
pub(crate) fn memory_limit(root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups.lines().filter_map(|line| limit_of(&root.join("sys/fs/cgroup"), line)).min()
}

/// The limit behind one line `ID:CONTROLLERS:PATH` of `/proc/self/cgroup`.
fn limit_of(mount: &Path, line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, group) = rest.split_once(':')?;
    let (hierarchy, file) = if controllers.is_empty() {
        (mount.to_owned(), "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        (mount.join("memory"), "memory.limit_in_bytes")
    } else {
        return None;
    };
    // A group outside of the namespace's root is shown with `..`; then only the root of the mount can be read.
    let inside = Path::new(group).components().all(|part| part != Component::ParentDir);
    let group = if inside { group.trim_start_matches('/') } else { "" };
    let limit =
        |group: &Path| std::fs::read_to_string(hierarchy.join(group).join(file)).ok()?.trim().parse::<u64>().ok();
    Path::new(group).ancestors().filter_map(limit).min()
}
