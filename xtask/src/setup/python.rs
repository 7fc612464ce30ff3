//! Downloads with pip: `python3 -m pip install --target` needs neither root nor a virtual environment, and PEP 668 does not apply. The downloaded
//! packages are not run by Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::machine::install_line;
use crate::command::{self, Finished};
use crate::failure::{Failure, Outcome};

/// A Python 3 that has pip.
pub(crate) struct Python {
    program: PathBuf,
    /// Its own version, (3, minor).
    version: (u32, u32),
    /// pip's version, (major, minor).
    pip: (u32, u32),
}

impl Python {
    /// The `python3` on the PATH, with its pip.
    pub(crate) fn find() -> Outcome<Python> {
        let Some(program) = command::find("python3") else {
            return Err(Failure::new("no python3 on the PATH; setup downloads libtorch with pip")
                .hint(format!("install it: {}", install_line("python3-pip"))));
        };
        let version =
            command::capture(Command::new(&program).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]))?;
        let Some(version) = two_numbers(&version.output).filter(|_| version.status.success()) else {
            return Err(Failure::new(format!(
                "{} does not work as a Python 3: {}",
                program.display(),
                version.tail(1)
            ))
            .hint(format!("install one: {}", install_line("python3-pip"))));
        };
        let pip = command::capture(Command::new(&program).args(["-m", "pip", "--version"]))?;
        // "pip 23.2.1 from ..."
        let number = pip.output.lines().find_map(|line| two_numbers(line.strip_prefix("pip ")?));
        let Some(pip) = number.filter(|_| pip.status.success()) else {
            return Err(Failure::new(format!(
                "{} has no pip, which setup needs to download libtorch",
                program.display()
            ))
            .hint(format!("install it: {} (or: python3 -m ensurepip --user)", install_line("python3-pip"))));
        };
        if pip < (20, 3) {
            return Err(Failure::new(format!(
                "pip {}.{} is too old for wheels for glibc 2.28; 20.3 or newer is needed",
                pip.0, pip.1
            ))
            .hint("python3 -m pip install --user --upgrade pip"));
        }
        Ok(Python { program, version, pip })
    }

    /// The interpreter itself.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Fetches what a list of pinned requirements names, unpacked into `target`. `scratch` takes pip's temporary files, because
    /// half a gigabyte may not fit a small /tmp. A corrupt download is repeated once, without pip's cache.
    pub(crate) fn fetch(&self, what: &Fetch<'_>) -> Outcome<()> {
        super::create(what.scratch)?;
        let mut finished = self.pip(what, false)?;
        if !finished.status.success() && diagnose(&finished.output) == Trouble::Broken {
            eprintln!("setup: the download is corrupt; downloading it again");
            super::clear(what.target)?;
            finished = self.pip(what, true)?;
        }
        if finished.status.success() {
            return Ok(());
        }
        let label = what.label;
        Err(match diagnose(&finished.output) {
            Trouble::Space => Failure::new(format!("the disk is full; cannot download {label}"))
                .hint("free disk space, or make .mochi a link to a folder on a larger disk; then run the command again"),
            Trouble::Network => Failure::new(format!("cannot reach the package index to download {label}"))
                .hint("check the network, or set HTTPS_PROXY or PIP_INDEX_URL for this network; then run the command again"),
            Trouble::NotOffered => Failure::new(format!("the package index does not offer {label} for this machine"))
                .hint("check PIP_INDEX_URL and pip.conf, which select the index; pypi.org has it for Linux on x86-64 and aarch64"),
            Trouble::Broken => Failure::new(format!("the download of {label} was corrupt twice"))
                .hint("try another network or PIP_INDEX_URL; a proxy or mirror may change the file"),
            Trouble::Other => Failure::new(format!("pip cannot download {label}: {}", finished.tail(3)))
                .hint("run the command again"),
        })
    }

    fn pip(&self, what: &Fetch<'_>, past_cache: bool) -> Outcome<Finished> {
        let mut pip = Command::new(&self.program);
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]);
        // Lists are complete and carry hashes: nothing else is installed, whatever an additional index offers.
        pip.args(["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--retries=3"]);
        pip.arg("--target").arg(what.target).arg("--requirement").arg(what.requirements);
        // The libraries inside are the same for every Python, so one that is too old or too new fetches another's wheel.
        if !what.for_this_python && !(10..=14).contains(&self.version.1) {
            pip.args(["--python-version=3.12", "--implementation=cp"]);
        }
        if self.pip >= (25, 1) {
            pip.arg("--resume-retries=5");
        }
        if past_cache {
            pip.arg("--no-cache-dir");
        }
        // A `pip.py` in the working folder is not pip.
        pip.env("PYTHONSAFEPATH", "1").current_dir(what.scratch);
        // Settings that make pip refuse `--target`.
        pip.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0").env("TMPDIR", what.scratch);
        command::quiet(&mut pip, &format!("setup: downloading {}", what.label), Some(what.watched))
    }
}

/// One call of pip.
pub(crate) struct Fetch<'a> {
    /// Name in messages.
    pub(crate) label: &'a str,
    /// The requirements file: pinned versions with hashes, dependencies included.
    pub(crate) requirements: &'a Path,
    /// The folder that receives it.
    pub(crate) target: &'a Path,
    /// The folder for pip's temporary files.
    pub(crate) scratch: &'a Path,
    /// The folder whose growth is shown, holding both.
    pub(crate) watched: &'a Path,
    /// Whether this interpreter will import the packages.
    pub(crate) for_this_python: bool,
}

/// Reason of pip's failure.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    Space,
    Network,
    NotOffered,
    Broken,
    Other,
}

fn diagnose(output: &str) -> Trouble {
    let says = |words: &[&str]| words.iter().any(|word| output.contains(word));
    if says(&["No space left on device", "Errno 28", "Disk quota exceeded"]) {
        Trouble::Space
    } else if says(&[
        "DO NOT MATCH THE HASHES",
        "BadZipFile",
        "Bad magic number",
        "IncompleteRead",
        "has an invalid wheel",
        "is invalid",
    ]) {
        Trouble::Broken
    } else if says(&[
        // Before "No matching distribution": pip ends with that sentence too when it could not reach the index at all.
        "NewConnectionError",
        "Failed to establish a new connection",
        "name resolution",
        "NameResolutionError",
        "ConnectTimeout",
        "Read timed out",
        "ReadTimeoutError",
        "ProxyError",
        "SSLError",
        "Max retries exceeded",
        "Connection refused",
        "Connection reset",
        "Network is unreachable",
    ]) {
        Trouble::Network
    } else if says(&["No matching distribution found", "Could not find a version that satisfies"]) {
        Trouble::NotOffered
    } else {
        Trouble::Other
    }
}

/// The first two numbers of a version: "23.2.1 from ..." -> (23, 2)
fn two_numbers(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Security review S11: a list without hashes can be shadowed by an additional index.
    #[test]
    fn every_requirement_is_pinned_with_a_hash() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements");
        for entry in std::fs::read_dir(folder).expect("the folder of lists").flatten() {
            let text = std::fs::read_to_string(entry.path()).expect("a list");
            let joined = text.replace("\\\n", " ");
            for line in joined.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
                assert!(line.contains("==") && line.contains("--hash=sha256:"), "{:?}: {line}", entry.file_name());
            }
        }
    }

    #[test]
    fn pips_sentences_are_understood() {
        let no_network = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<...>: \
            Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/torch/\n\
            ERROR: Could not find a version that satisfies the requirement torch==2.11.0 (from versions: none)\n\
            ERROR: No matching distribution found for torch==2.11.0";
        assert_eq!(diagnose(no_network), Trouble::Network);
        let too_new = "ERROR: Could not find a version that satisfies the requirement torch==2.11.0 (from versions: 2.0.0)\n\
            ERROR: No matching distribution found for torch==2.11.0";
        assert_eq!(diagnose(too_new), Trouble::NotOffered);
        assert_eq!(
            diagnose("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"),
            Trouble::Space
        );
        assert_eq!(
            diagnose("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."),
            Trouble::Broken
        );
        assert_eq!(diagnose("something else"), Trouble::Other);
    }

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!(two_numbers("3.11\n"), Some((3, 11)));
        assert_eq!(two_numbers("23.2.1 from /usr/lib"), Some((23, 2)));
        assert_eq!(two_numbers("no numbers"), None);
        assert!(two_numbers("20.0.2") < Some((20, 3)));
    }
}
