//! Test helpers for file systems.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A folder of good images `0.jpg`, `1.jpg`, ...
pub(crate) fn images(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mochi-views/tests/fixtures/images/444.jpg");
    for i in 0..count {
        std::fs::copy(&from, dir.path().join(format!("{i}.jpg"))).unwrap();
    }
    dir
}

/// Makes a named pipe; `false`, with a word, where that is not possible.
pub(crate) fn make_pipe(path: &Path) -> bool {
    let made = Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success());
    if !made {
        println!("skipped: named pipes: mkfifo is not installed");
    }
    made
}

/// A process that holds a file; ended with the value.
pub(crate) struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Blocks everyone who opens the file, like a network file system without its server: another process takes a lease on it and does not release
/// it (fcntl(2), F_SETLEASE; the kernel lets it hold out for 45 seconds).
pub(crate) fn hold(path: &Path) -> Option<Held> {
    const SCRIPT: &str = "import fcntl, os, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
f = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)
os.write(1, b'held')
time.sleep(60)";
    let spawned =
        Command::new("python3").args(["-c", SCRIPT]).arg(path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(child) = spawned else {
        println!("skipped: a file system that hangs: python3 is not installed");
        return None;
    };
    let mut held = Held(child);
    let mut said = [0; 4];
    if held.0.stdout.take().unwrap().read_exact(&mut said).is_err() {
        println!("skipped: a file system that hangs: file leases are not available");
        return None;
    }
    Some(held)
}
