//! Signals to a real process: this test program starts itself again as the process that is signalled.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy.toml does not see as tests

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use mochi_run::StopFlag;

/// The process that is signalled: says when it listens, and when it was asked; then goes on until it is made to leave.
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
    std::thread::sleep(std::time::Duration::from_secs(60));
    panic!("the second signal did not end the process");
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

fn first_asks_second_leaves(first: &str, second: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env("MOCHI_TEST_STOP_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    wait_for("listening", &mut out);
    signal(&child, first);
    wait_for("asked", &mut out);
    signal(&child, second);
    assert_eq!(child.wait().unwrap().code(), Some(mochi_run::stop::STOPPED));
}

#[test]
fn interrupt_then_interrupt() {
    first_asks_second_leaves("-INT", "-INT");
}

#[test]
fn terminate_then_interrupt() {
    first_asks_second_leaves("-TERM", "-INT");
}
