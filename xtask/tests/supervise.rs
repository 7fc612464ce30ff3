//! `peers/supervise.py`: processes of a peer that hang or fail end with a message.

use std::process::Command;
use std::time::{Duration, Instant};

/// Two processes that run `work(rank)`; the status and stderr of their parent.
fn supervised(work: &str) -> (bool, String) {
    let script = format!(
        "import multiprocessing, os, sys, time\n\
         sys.path.insert(0, {:?})\n\
         import supervise\n\
         def work(rank):\n    supervise.tell_stack()\n    {work}\n\
         context = multiprocessing.get_context('fork')\n\
         processes = [context.Process(target=work, args=(rank,)) for rank in range(2)]\n\
         for process in processes:\n    process.start()\n\
         supervise.wait(processes, 60, ending=1)\n\
         print('ended', file=sys.stderr)\n",
        concat!(env!("CARGO_MANIFEST_DIR"), "/peers")
    );
    let mut python = Command::new("python3");
    let output = python.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", &script]).output().expect("python3 runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_process_that_hangs_or_fails_is_named() {
    let begun = Instant::now();
    assert_eq!(supervised("time.sleep(0.3 * rank)"), (true, "ended\n".to_owned()));
    let (ended, said) = supervised("time.sleep(100 * rank)");
    assert!(!ended && said.contains("rank 1 of 2 did not end and was killed"), "{said}");
    assert!(said.contains("in work") && !said.contains("ended\n"), "its stack is missing: {said}");
    let (ended, said) = supervised("os._exit(3 * rank)");
    assert!(!ended && said.contains("rank 1 of 2 exited with 3"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}
