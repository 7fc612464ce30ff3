//! Training in several processes: they stop together, and name the one that failed or was lost. Real processes on the loopback interface.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{assert_same_weights, images, json, launch, mochi, newest, pretrain, said};

/// Settings by which a run of two processes has 12 steps.
const SHORT: [&str; 4] = ["epochs=3", "moco.batch=16", "checkpoint.every_steps=2", "checkpoint.keep_last=100"];

/// A port that is free now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The variables of a process that was started by hand.
fn as_rank(mut command: Command, rank: usize, size: usize, port: u16) -> Command {
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
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 4, 16);
    (folder, data)
}

fn resume(run: &Path) -> Command {
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
    assert!(text.contains("rank 0 is gone, and with it the store"), "{text}");
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

#[test]
fn a_frozen_rank_ends_the_others_within_the_timeout() {
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
    signal(&children[1], "-STOP");
    let frozen = Instant::now();
    let first = children.remove(0).wait_with_output().unwrap();
    let took = frozen.elapsed();
    signal(&children[0], "-KILL");
    assert_eq!(first.status.code(), Some(1), "{}", said(&first));
    let text = said(&first);
    assert!(text.contains("error: rank 1 was lost: killed, frozen or cut off ("), "{text}");
    assert!(["averaging", "synchronizing", "gathering", "agreeing"].iter().any(|what| text.contains(what)), "{text}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    children.remove(0).wait().unwrap();
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

#[test]
fn ranks_with_other_settings_or_data_are_named() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let ended = ends(start(2, |rank| pretrain(&data, &run, &[["moco.temperature=0.2", "moco.temperature=0.3"][rank]])));
    let sentence = "rank 1 has other settings than rank 0: moco.temperature=0.3 instead of moco.temperature=0.2";
    assert!(ended.iter().any(|(_, text)| text.contains(sentence)), "{ended:?}");
    assert!(ended.iter().all(|(status, _)| *status == Some(1)), "{ended:?}");

    let other = folder.path().join("other");
    images(&other, 4, 15);
    let ended = ends(start(2, |rank| pretrain([&data, &other][rank], &run, &[])));
    let sentence = "rank 1 has other data than rank 0: 60 images (fingerprint ";
    assert!(ended.iter().any(|(_, text)| text.contains(sentence)), "{ended:?}");
    assert!(!run.exists(), "a run was begun");
}

#[test]
fn what_all_ranks_find_is_printed_once() {
    let (folder, data) = place();
    let output = launch(3, &pretrain(&data, &folder.path().join("run"), &["moco.batch=16"])).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    // Rank 0 alone resolves settings; the others wait for them.
    let sentence = "`moco.batch` is 16, which 3 processes cannot share equally";
    assert_eq!(said(&output).matches(&format!("error: {sentence}\nhint: ")).count(), 1, "{}", said(&output));
    assert_eq!(said(&output).matches(&format!(": rank 0 failed: {sentence}")).count(), 2, "{}", said(&output));
    let output = launch(3, &pretrain(Path::new("/no/such/folder"), &folder.path().join("run"), &[])).output().unwrap();
    assert_eq!(said(&output).matches("error: ").count(), 1, "{}", said(&output));
}

#[test]
fn a_port_in_use_a_wrong_host_and_a_rank_that_never_comes_are_sentences() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let one = |rank: usize, host: &str, port: u16| {
        let mut command = as_rank(pretrain(&data, &run, &[]), rank, 2, port);
        said(&command.env("MASTER_ADDR", host).env("MOCHI_RANK_TIMEOUT", "2").output().unwrap())
    };
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = one(0, "127.0.0.1", port);
    assert!(text.contains(&format!("error: cannot serve at 127.0.0.1:{port}: ")), "{text}");
    let text = one(1, "no-such-host.invalid", free_port());
    assert!(text.contains("error: rank 1: cannot reach rank 0 at no-such-host.invalid:"), "{text}");
    let text = one(0, "127.0.0.1", free_port());
    assert!(text.contains("of 2 processes, one has not come within 2 s: rank 1"), "{text}");
    assert!(text.lines().count() <= 3, "{text}");
}

#[test]
fn commands_of_one_process_refuse_several() {
    let mut command = mochi(&["doctor"]);
    let output =
        command.env("WORLD_SIZE", "2").env("RANK", "0").env("MASTER_ADDR", "a").env("MASTER_PORT", "1").output();
    let text = said(&output.unwrap());
    assert!(text.contains("`mochi doctor` runs in one process, and 2 were started"), "{text}");
    let mut command = mochi(&["pretrain", "nowhere"]);
    let text = said(&command.env("WORLD_SIZE", "2").output().unwrap());
    assert!(text.contains("error: WORLD_SIZE is 2, but RANK is not set\nhint: "), "{text}");
}
