//! `cargo xtask demo`: pre-trains a small encoder on Fashion-MNIST without labels, and evaluates it and two baselines: raw pixels, and the
//! same network before training.

mod clock;
mod fashion_mnist;
mod scores;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::cargo::build_release;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup;
use scores::{Score, Subject};

/// Options of the command.
#[derive(Default)]
struct Options {
    out: Option<PathBuf>,
    /// Settings (`KEY=VALUE`) of the training run.
    settings: Vec<String>,
}

/// The command: `demo [--out RUN] [KEY=VALUE ...]`.
pub(crate) fn run(place: &Place, mut arguments: lexopt::Parser) -> Outcome {
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("out") => options.out = Some(arguments.value()?.into()),
            lexopt::Arg::Value(value) if value.to_string_lossy().contains('=') => {
                options.settings.push(value.to_string_lossy().into_owned());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let started = Instant::now();
    setup::ensure(place, false)?;
    let data = fashion_mnist::install(place)?;
    say("building mochi (takes several minutes the first time)");
    let mochi = build_release(place, "mochi")?;

    let out = match options.out {
        Some(out) => std::path::absolute(&out).map_err(|error| Failure::io("find", &out, &error))?,
        None => place.root().join("runs").join(format!("demo-{}", clock::stamp(std::time::SystemTime::now()))),
    };
    let untrained = beside(&out, "-untrained");

    let program = Mochi { program: mochi, data };
    say("creating the untrained encoder, one of the two baselines");
    let length = |set: &&String| set.starts_with("epochs=") || set.starts_with("time=");
    let before: Vec<String> = options.settings.iter().filter(|set| !length(set)).cloned().collect();
    program.pretrain(&untrained, &[before.as_slice(), &["epochs=0".to_owned()]].concat())?;
    say(&format!("pre-training into {}", place.short(&out)));
    program.pretrain(&out, &options.settings)?;

    let eval = out.join("eval");
    setup::create(&eval)?;
    let mut results = Vec::new();
    for (subject, run) in
        [(Subject::Pixels, None), (Subject::Untrained, Some(&untrained)), (Subject::Trained, Some(&out))]
    {
        say(&format!("evaluating {}", subject.name()));
        results.extend(program.evaluate(subject, run.map(PathBuf::as_path), &eval)?);
    }
    let page = program.report(&out)?;

    println!("\nFashion-MNIST, 10,000 test images, top-1:\n\n{}", scores::table(&results));
    println!("{}", scores::comparison(&results));
    println!(
        "Total time: {}. Run folder: {}. Report: {}",
        command::duration(started.elapsed()),
        place.short(&out),
        place.short(&page)
    );
    println!("\nTo train on your own images (a folder, searched recursively; no labels needed):");
    let short = place.short(&program.program);
    println!("    {short} pretrain IMAGES --out runs/mine");
    println!("To evaluate the encoder on labeled images (one folder per class):");
    println!("    {short} eval all runs/mine --train LABELED/train --test LABELED/test");
    Ok(ExitCode::SUCCESS)
}

/// The folder of the demo's images, if they were installed.
pub(crate) fn images(place: &Place) -> Option<PathBuf> {
    fashion_mnist::installed(place)
}

fn say(line: &str) {
    eprintln!("demo: {line}");
}

/// `runs/x` and "-untrained" -> `runs/x-untrained`
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Protocols in the order of `mochi eval all`.
const PROTOCOLS: [&str; 2] = ["knn", "linear"];

/// The mochi program.
struct Mochi {
    program: PathBuf,
    data: PathBuf,
}

impl Mochi {
    fn pretrain(&self, out: &Path, settings: &[String]) -> Outcome<()> {
        let mut mochi = Command::new(&self.program);
        mochi.arg("pretrain").arg(&self.data).args(["--preset", "demo", "--out"]).arg(out).args(settings);
        self.finished(&mut mochi, "pretrain")
    }

    /// Both evaluations. Their JSON is read from stdout, and written to the `eval` folder, where the report reads it.
    fn evaluate(&self, subject: Subject, run: Option<&Path>, eval: &Path) -> Outcome<Vec<Score>> {
        let mut mochi = Command::new(&self.program);
        mochi.args(["eval", "all"]).arg(run.unwrap_or(Path::new("pixels")));
        mochi.arg("--train").arg(&self.data).arg("--test").arg(&self.data).arg("--json");
        mochi.stderr(std::process::Stdio::inherit());
        let output = mochi.output().map_err(|error| command::not_started(&mochi, &error))?;
        if !output.status.success() {
            return Err(failed("eval all", output.status));
        }
        let results = output.stdout.split(|&byte| byte == b'\n');
        let read = |(protocol, json): (&'static str, &[u8])| {
            let file = eval.join(subject.file_name(protocol));
            std::fs::write(&file, json).map_err(|error| Failure::io("write", &file, &error))?;
            Score::read(protocol, subject, json)
        };
        PROTOCOLS.into_iter().zip(results).map(read).collect()
    }

    fn report(&self, run: &Path) -> Outcome<PathBuf> {
        let mut mochi = Command::new(&self.program);
        mochi.arg("report").arg(run).stdout(std::process::Stdio::null());
        self.finished(&mut mochi, "report")?;
        Ok(run.join("report.html"))
    }

    fn finished(&self, mochi: &mut Command, verb: &str) -> Outcome<()> {
        let status = command::status(mochi)?;
        if status.success() { Ok(()) } else { Err(failed(verb, status)) }
    }
}

fn failed(verb: &str, status: std::process::ExitStatus) -> Failure {
    Failure::new(format!("`mochi {verb}` ended with {status}")).hint("see its output above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_untrained_run_lies_beside_the_trained_one() {
        assert_eq!(beside(Path::new("/a/runs/demo"), "-untrained"), Path::new("/a/runs/demo-untrained"));
    }
}
