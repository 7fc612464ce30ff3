//! Helpers that run the binary on small files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `mochi` with arguments.
pub fn mochi<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mochi"));
    command.args(arguments).env("NO_COLOR", "1");
    command
}

/// Runs `mochi` to its end.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    mochi(arguments).output().unwrap()
}

/// Its stderr.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One JSON object on stdout and nothing else.
pub fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Color images of 24 px in class folders under `folder`: stripes with another direction for each class.
pub fn images(folder: &Path, classes: usize, each: usize) {
    for class in 0..classes {
        let place = folder.join(format!("class-{class}/deep"));
        std::fs::create_dir_all(&place).unwrap();
        for i in 0..each {
            let pixel = |x: usize, y: usize| -> [u8; 3] {
                let phase = [x, y, x + y, x + 24 - y][class % 4] * 9 + i * 31;
                [(phase % 256) as u8, ((phase * 2 + 60) % 256) as u8, ((x * y + i * 7) % 256) as u8]
            };
            let bytes: Vec<u8> = (0..24 * 24).flat_map(|p| pixel(p % 24, p / 24)).collect();
            let file = std::fs::File::create(place.join(format!("{i:03}.png"))).unwrap();
            let mut encoder = png::Encoder::new(file, 24, 24);
            encoder.set_color(png::ColorType::Rgb);
            encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
        }
    }
}

/// Settings of a run of seconds. One thread each: tests run side by side, and libtorch's threads spin while they wait.
pub const TINY: [&str; 11] = [
    "compute.threads=1",
    "epochs=2",
    "data.size=24",
    "model.arch=resnet20",
    "moco.batch=8",
    "moco.queue=64",
    "negatives.hardest=16",
    "negatives.pairs=16",
    "negatives.query_mixes=4",
    "negatives.warmup_epochs=1",
    "compute.precision=float32",
];

/// `mochi pretrain data --out out --preset small-mochi TINY... more...`
pub fn pretrain(data: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = mochi(&["pretrain"]);
    command.arg(data).arg("--out").arg(out).args(["--preset", "small-mochi"]).args(TINY).args(more);
    command
}

/// `mochi launch --processes SIZE -- ` before the arguments of a command.
pub fn launch(size: usize, command: &Command) -> Command {
    let mut launched = mochi(&["launch", "--processes", &size.to_string(), "--"]);
    launched.args(command.get_args());
    launched
}

/// The newest checkpoint's folder.
pub fn newest(run: &Path) -> PathBuf {
    let step = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix("step-")?.parse::<u64>().ok();
    let entries = std::fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| step(path).is_some()).max_by_key(step).unwrap()
}

/// Both checkpoints hold the same bytes.
pub fn assert_same_weights(a: &Path, b: &Path) {
    assert_eq!(a.file_name(), b.file_name());
    for file in ["model.safetensors", "optimizer.safetensors", "queue.safetensors"] {
        assert!(std::fs::read(a.join(file)).unwrap() == std::fs::read(b.join(file)).unwrap(), "{file} differs");
    }
}

/// Every file below a folder with its length and the time when it was written, in the order of their names.
pub fn written(folder: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let about = entry.metadata().unwrap();
        match about.is_dir() {
            true => files.extend(written(&entry.path())),
            false => files.push((entry.path(), about.len(), about.modified().unwrap())),
        }
    }
    files.sort();
    files
}
