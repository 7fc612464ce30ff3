//! Training in several processes: they stop together, and name the one that failed or was lost. Real processes on the loopback interface.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{assert_same_weights, images, json, launch, mochi, newest, pretrain, said};

/// Settings by which a run of two processes has 12 steps.
pub const SHORT: [&str; 4] = ["epochs=3", "moco.batch=16", "checkpoint.every_steps=2", "checkpoint.keep_last=100"];

/// A port that is free now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The variables of a process that was started by hand.
pub fn as_rank(mut command: Command, rank: usize, size: usize, port: u16) -> Command {
    command.env("RANK", rank.to_string()).env("LOCAL_RANK", rank.to_string()).env("WORLD_SIZE", size.to_string());
    command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string()).env("MOCHI_RANK_TIMEOUT", "30");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Processes that were started together, each with what it is to do.
pub fn start(size: usize, command: impl Fn(usize) -> Command) -> Vec<Child> {
    let port = free_port();
    (0..size).map(|rank| as_rank(command(rank), rank, size, port).spawn().unwrap()).collect()
}

/// Status and stderr of every process.
pub fn ends(children: Vec<Child>) -> Vec<(Option<i32>, String)> {
    let end = |child: Child| {
        let output = child.wait_with_output().unwrap();
        (output.status.code(), said(&output))
    };
    children.into_iter().map(end).collect()
}

fn checkpoints(run: &Path) -> usize {
    std::fs::read_dir(run.join("checkpoints")).map_or(0, |entries| {
        entries.filter(|e| !e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count()
    })
}

/// Waits until a run has so many checkpoints.
fn wait_for(run: &Path, count: usize, first: &mut Child) {
    let begun = Instant::now();
    while checkpoints(run) < count {
        if first.try_wait().unwrap().is_some() || begun.elapsed() > Duration::from_secs(120) {
            let mut text = String::new();
            first.kill().unwrap();
            first.stderr.take().unwrap().read_to_string(&mut text).unwrap();
            panic!("it ended, or has no {count} checkpoints in time: {text}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// A folder with images, and where its runs go.
pub fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 4, 16);
    (folder, data)
}

pub fn resume(run: &Path) -> Command {
    mochi(&["resume", run.to_str().unwrap(), "--json"])
}

#[test]
fn launched_processes_stop_together_and_resume_bit_for_bit() {
    let (folder, data) = place();
    let path = |name: &str| folder.path().join(name);
    let train = |name: &str| launch(2, &pretrain(&data, &path(name), &[&SHORT[..], &["--json"]].concat()));
    let straight = json(&train("straight").output().unwrap());
    assert_eq!((straight["finished"].as_bool(), straight["step"].as_u64()), (Some(true), Some(12)));

    let mut launcher = train("stopped").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&path("stopped"), 2, &mut launcher);
    signal(&launcher, "-TERM");
    let output = launcher.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("stopped at step"), "{}", said(&output));
    let resumed = json(&launch(2, &resume(&path("stopped"))).output().unwrap());
    assert_eq!(resumed["step"], 12);
    assert_same_weights(&newest(&path("straight")), &newest(&path("stopped")));
    // Two processes and one agree on what was learned, if not on the last bits.
    let alone = pretrain(&data, &path("alone"), &SHORT).output().unwrap();
    assert!(alone.status.success(), "{}", said(&alone));
    let losses = |name: &str| -> Vec<f64> {
        let records = mochi_run::MetricsLog::read(&path(name).join("metrics.jsonl")).unwrap();
        records.iter().map(|record| record.values.get(&mochi_run::metric::general::LOSS).unwrap()).collect()
    };
    let (two, one) = (losses("straight"), losses("alone"));
    assert!(two.iter().zip(&one).all(|(a, b)| (a - b).abs() < 0.02 * b), "{two:?} {one:?}");
}

/// Rank 0 evaluates while the other waits, and what is learned is the same.
#[test]
fn processes_that_are_evaluated_learn_the_same() {
    let (folder, data) = place();
    let path = |name: &str| folder.path().join(name);
    let source = format!("evaluation.source={}", data.display());
    let watched = [&source[..], "evaluation.every_steps=4", "evaluation.time_fraction=0.9", "log.every_steps=1"];
    for (name, more) in [("watched", &watched[..]), ("plain", &[])] {
        let output = launch(2, &pretrain(&data, &path(name), &[&SHORT[..], more].concat())).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_same_weights(&newest(&path("plain")), &newest(&path("watched")));
    let records = mochi_run::MetricsLog::read(&path("watched").join("metrics.jsonl")).unwrap();
    let evaluated = |record: &mochi_run::Record| record.values.get(&mochi_run::metric::online::ONLINE_KNN).is_some();
    assert!(evaluated(&records[0]) && evaluated(&records[11]) && !evaluated(&records[1]));
}

#[test]
fn a_run_of_two_processes_goes_on_in_one_and_in_four() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let mut launcher = launch(2, &pretrain(&data, &run, &SHORT));
    let mut launcher = launcher.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&run, 1, &mut launcher);
    signal(&launcher, "-TERM");
    launcher.wait_with_output().unwrap();
    let mut first = launch(4, &resume(&run)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let before = checkpoints(&run);
    wait_for(&run, before + 1, &mut first);
    signal(&first, "-TERM");
    let text = said(&first.wait_with_output().unwrap());
    assert!(text.contains("4 processes here; the checkpoint is of 2 processes"), "{text}");
    let last = resume(&run).output().unwrap();
    assert_eq!(json(&last)["step"], 12);
    assert!(said(&last).contains("1 process here; the checkpoint is of 4 processes"), "{}", said(&last));
}

/// Trains in `size` processes, kills rank `victim` after `after` checkpoints and a while, and resumes.
fn killed(
    data: &Path,
    run: &Path,
    size: usize,
    victim: usize,
    after: usize,
    pause_ms: u64,
) -> Vec<(Option<i32>, String)> {
    let mut children = start(size, |_| pretrain(data, run, &SHORT));
    wait_for(run, after, &mut children[0]);
    std::thread::sleep(Duration::from_millis(pause_ms));
    signal(&children[victim], "-KILL");
    let ended = ends(children);
    for (status, text) in ends(start(size, |_| resume(run))) {
        assert_eq!(status, Some(0), "{text}");
    }
    ended
}

fn straight(data: &Path, run: &Path, size: usize) {
    for (status, text) in ends(start(size, |_| pretrain(data, run, &SHORT))) {
        assert_eq!(status, Some(0), "{text}");
    }
}

#[test]
fn a_killed_rank_is_named_by_the_others_and_the_run_goes_on_bit_for_bit() {
    let (folder, data) = place();
    let path = |name: &str| folder.path().join(name);
    straight(&data, &path("straight"), 4);
    let ended = killed(&data, &path("killed"), 4, 3, 2, 0);
    for (rank, (status, text)) in ended.iter().enumerate().take(3) {
        assert_eq!(*status, Some(1), "{text}");
        let sentence = "rank 3 was lost: killed, frozen or cut off (";
        let prefix = if rank == 0 { "error: ".to_owned() } else { format!("error: rank {rank}: ") };
        assert!(text.contains(&format!("{prefix}{sentence}")), "{text}");
        assert!(text.contains("hint: ") && text.contains("mochi resume"), "{text}");
    }
    assert_same_weights(&newest(&path("straight")), &newest(&path("killed")));
}

#[test]
fn without_rank_0_the_others_end_with_a_sentence() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let ended = killed(&data, &run, 2, 0, 1, 0);
    let (status, text) = &ended[1];
    assert_eq!(*status, Some(1), "{text}");
    assert!(text.contains("rank 0 is gone or frozen, and with it the store"), "{text}");
}

/// 20 kills of random ranks at random times, over two and four ranks.
#[test]
fn slow_twenty_random_kills_change_no_bit() {
    let (folder, data) = place();
    let path = |name: String| folder.path().join(name);
    // A linear congruential generator: the same kills every time, but for the timing.
    let mut state = 12_345u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for size in [2, 4] {
        let wanted = path(format!("straight-{size}"));
        straight(&data, &wanted, size);
        for kill in 0..10 {
            let run = path(format!("killed-{size}-{kill}"));
            let (victim, after, pause) = (draw(size as u64) as usize, 1 + draw(4) as usize, draw(60));
            killed(&data, &run, size, victim, after, pause);
            assert_same_weights(&newest(&wanted), &newest(&run));
        }
    }
}

/// What rank `1 - frozen` of two says after the other was frozen, and how long it took; rank 0 keeps the store.
fn beside_a_frozen_rank(frozen: usize) -> (String, Duration) {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let port = free_port();
    let mut children: Vec<Child> = (0..2)
        .map(|rank| {
            as_rank(pretrain(&data, &run, &["epochs=400"]), rank, 2, port).env("MOCHI_RANK_TIMEOUT", "4").spawn()
        })
        .collect::<Result<_, _>>()
        .unwrap();
    let begun = Instant::now();
    while !run.join("metrics.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60) && children[0].try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    signal(&children[frozen], "-STOP");
    let begun = Instant::now();
    let other = children.remove(1 - frozen).wait_with_output().unwrap();
    let took = begun.elapsed();
    signal(&children[0], "-KILL");
    children.remove(0).wait().unwrap();
    assert_eq!(other.status.code(), Some(1), "{}", said(&other));
    (said(&other), took)
}

#[test]
fn a_frozen_rank_ends_the_others_within_the_timeout() {
    let (text, took) = beside_a_frozen_rank(1);
    assert!(text.contains("error: rank 1 was lost: killed, frozen or cut off ("), "{text}");
    assert!(["averaging", "synchronizing", "gathering", "agreeing"].iter().any(|what| text.contains(what)), "{text}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// It waited for the answer of the frozen store without an end.
#[test]
fn a_frozen_rank_that_keeps_the_store_ends_the_others_as_well() {
    let (text, took) = beside_a_frozen_rank(0);
    assert!(text.contains("error: rank 1: rank 0 is gone or frozen, and with it the store"), "{text}");
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// The rank that is frozen does not see its own timeout: 4 s after it the other ends, and 10 s later the launcher kills it.
#[test]
fn slow_the_launcher_kills_a_frozen_rank() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let mut launcher =
        launch(2, &pretrain(&data, &run, &["epochs=400", "log.every_steps=1", "checkpoint.every_steps=100000"]));
    let launcher = launcher.env("MOCHI_RANK_TIMEOUT", "4").stdout(Stdio::piped()).stderr(Stdio::piped());
    let launcher = launcher.spawn().unwrap();
    let begun = Instant::now();
    while !run.join("metrics.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let wanted = [format!("MOCHI_LAUNCHER={}", launcher.id()), "RANK=1".to_owned()];
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let rank_1 = processes.into_iter().find(|process| {
        let variables = std::fs::read(process.join("environ")).unwrap_or_default();
        let variables: Vec<&[u8]> = variables.split(|&byte| byte == 0).collect();
        wanted.iter().all(|wanted| variables.contains(&wanted.as_bytes()))
    });
    let rank_1 = rank_1.unwrap().file_name().unwrap().to_owned();
    assert!(Command::new("kill").arg("-STOP").arg(rank_1).status().unwrap().success());
    let frozen = Instant::now();
    let output = launcher.wait_with_output().unwrap();
    let (text, took) = (said(&output), frozen.elapsed());
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: rank 1 was lost: killed, frozen or cut off ("), "{text}");
    assert!(text.contains("rank 1 has not ended 10 s after another, and is killed"), "{text}");
    // No checkpoint yet: nothing to continue from.
    assert!(text.contains("repeat the command; there is no checkpoint yet") && !text.contains("resume"), "{text}");
    assert!(took > Duration::from_secs(10) && took < Duration::from_secs(40), "{took:?}");
}

#[test]
fn a_full_disk_on_rank_0_is_told_to_the_others() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let children = start(2, |rank| {
        let train = pretrain(&data, &run, &SHORT);
        if rank > 0 {
            return train;
        }
        // No file may grow beyond 64 blocks of 512 bytes; the signal is ignored, so that writing fails.
        let mut limited = Command::new("sh");
        limited
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
            .arg(train.get_program())
            .args(train.get_args());
        limited.env("NO_COLOR", "1");
        limited
    });
    let ended = ends(children);
    assert_eq!([ended[0].0, ended[1].0], [Some(1), Some(1)], "{ended:?}");
    assert!(ended[0].1.contains("error: cannot write"), "{}", ended[0].1);
    assert!(ended[1].1.contains("error: rank 1: rank 0 failed: cannot write"), "{}", ended[1].1);
    assert_eq!(checkpoints(&run), 0, "half a checkpoint was kept");
}
