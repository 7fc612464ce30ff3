//! Signals to a real process: this test program starts itself again as the process that is signaled.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use mochi_term::StopFlag;
use mochi_term::stop::STOPPED;

/// The process that is signaled: prints when it listens and when it was asked to stop, then runs until it is ended.
#[test]
fn child() {
    if std::env::var_os("MOCHI_TEST_STOP_CHILD").is_none() {
        return;
    }
    let stop = StopFlag::listen().unwrap();
    println!("\nlistening");
    while !stop.requested() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    println!("\nasked");
    // Ends by itself after the time in which a signal that must not end it would have done so.
    std::thread::sleep(std::time::Duration::from_secs(2));
}

fn wait_for(word: &str, out: &mut impl BufRead) {
    let mut line = String::new();
    while line.trim() != word {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "the process ended before it said {word:?}");
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// The status of the process after these two signals.
fn status_after(first: &str, second: &str) -> Option<i32> {
    // The tests may run under `nohup`, or in the background of a shell, which leave signals ignored.
    let mut child = Command::new("env")
        .arg("--default-signal=HUP,INT,TERM")
        .arg(std::env::current_exe().unwrap())
        .args(["stop::child", "--exact", "--nocapture"])
        .env("MOCHI_TEST_STOP_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    wait_for("listening", &mut out);
    signal(&child, first);
    wait_for("asked", &mut out);
    signal(&child, second);
    child.wait().unwrap().code()
}

#[test]
fn the_first_signal_asks_and_the_second_ends() {
    for (first, second) in [("-INT", "-INT"), ("-TERM", "-INT"), ("-HUP", "-TERM")] {
        assert_eq!(status_after(first, second), Some(i32::from(STOPPED)), "{first}, {second}");
    }
}

/// The end of a session sends SIGHUP, sometimes twice: the state is still saved.
#[test]
fn a_second_hangup_does_not_end() {
    assert_eq!(status_after("-HUP", "-HUP"), Some(0));
}

/// `nohup mochi pretrain` survives the end of its session.
#[test]
fn a_hangup_that_was_ignored_from_the_start_stays_ignored() {
    let script = "trap '' HUP; exec \"$0\" stop::child --exact --nocapture";
    let mut child = Command::new("env")
        .args(["--default-signal=INT,TERM", "bash"])
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("MOCHI_TEST_STOP_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    wait_for("listening", &mut out);
    signal(&child, "-HUP");
    std::thread::sleep(std::time::Duration::from_millis(200));
    signal(&child, "-INT");
    wait_for("asked", &mut out);
    signal(&child, "-INT");
    assert_eq!(
        child.wait().unwrap().code(),
        Some(i32::from(STOPPED)),
        "the interrupts were the first and the second signal"
    );
}
