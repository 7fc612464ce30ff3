//! Whether libtorch's threads spin or sleep between two parallel regions, measured by the processor time that they take.
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

use mochi_tensor::{Waiting, parallel_ranges, set_threads, set_waiting};
use std::path::PathBuf;
use std::sync::{Barrier, Mutex};
use std::time::Duration;

/// Runs a region on two threads that meet in it; gives the second one's folder in `/proc`.
fn region() -> PathBuf {
    let main = std::fs::read_link("/proc/thread-self").unwrap();
    let (both, other) = (Barrier::new(2), Mutex::new(None));
    parallel_ranges(2, 1, &|_| {
        both.wait();
        let task = std::fs::read_link("/proc/thread-self").unwrap();
        if task != main {
            *other.lock().unwrap() = Some(task);
        }
    })
    .unwrap();
    PathBuf::from("/proc").join(other.into_inner().unwrap().unwrap())
}

/// Processor time of the second thread over 100 regions with pauses of 2 ms between them.
fn time_between_regions() -> Duration {
    let ran = |task: &PathBuf| {
        let text = std::fs::read_to_string(task.join("schedstat")).unwrap();
        Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
    };
    let task = region();
    let before = ran(&task);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(region(), task);
    }
    ran(&task) - before
}

#[test]
fn threads_sleep_between_regions_when_told_and_spin_again_afterwards() {
    if std::thread::available_parallelism().unwrap().get() < 2 || std::env::var_os("GOMP_SPINCOUNT").is_some() {
        return;
    }
    set_threads(2);
    let spinning = time_between_regions();
    set_waiting(Waiting::Sleep).unwrap();
    let sleeping = time_between_regions();
    set_waiting(Waiting::Sleep).unwrap();
    set_waiting(Waiting::Spin).unwrap();
    let again = time_between_regions();
    println!("spinning {spinning:?}, sleeping {sleeping:?}, spinning again {again:?}");
    assert!(sleeping * 3 < spinning, "spinning {spinning:?}, sleeping {sleeping:?}");
    assert!(sleeping * 3 < again, "sleeping {sleeping:?}, spinning again {again:?}");
}
