//! The Python environment of the peers: PyTorch and torchvision of the pinned versions, in a folder of their own under `.mochi`, and DALI in
//! another, which only `bench data` asks for.
//! A folder on `PYTHONPATH` and not a virtual environment, because Debian's Python makes none without a further package.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, bytes};
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup::{self, Python};

/// PyTorch with the CUDA libraries that `import torch` insists on, unpacked, beside its wheels.
const SPACE: u64 = 12_000_000_000;

/// DALI with the NVIDIA libraries that it brings, unpacked, beside its wheels.
const SPACE_OF_DALI: u64 = 3_000_000_000;

/// A Python that can import torch, torchvision, safetensors, numpy and Pillow.
pub(crate) struct Peer {
    program: PathBuf,
    /// Folders of packages, where the environment is our own.
    packages: Vec<PathBuf>,
}

impl Peer {
    /// The interpreter that was named, else our own environment, made where it is not there yet.
    pub(crate) fn find(place: &Place, named: Option<PathBuf>) -> Outcome<Peer> {
        let peer = match named {
            Some(program) => Peer { program, packages: Vec::new() },
            None => {
                let (program, packages) =
                    bring(place, "python", "peer.txt", "PyTorch for the peers", "about 3 GB", SPACE)?;
                Peer { program, packages: vec![packages] }
            }
        };
        let imported = command::capture(
            peer.command().args(["-c", "import torch, torchvision, safetensors, numpy, PIL; print(torch.__version__)"]),
        )?;
        if imported.status.success() {
            return Ok(peer);
        }
        let failure =
            Failure::new(format!("{} cannot import what the peers need: {}", peer.program.display(), imported.tail(1)));
        Err(match peer.packages.first() {
            Some(packages) => failure.hint(format!("remove {} and run it again", place.short(packages))),
            None => failure.hint(
                "leave --python away to have an environment made, or install xtask/requirements/peer.txt into yours",
            ),
        })
    }

    /// This peer with NVIDIA DALI beside the rest, fetched where the environment is our own; else this peer and why there is no DALI.
    pub(crate) fn with_dali(self, place: &Place) -> Result<Peer, (Peer, Failure)> {
        let imports = |peer: &Peer| {
            let imported = command::capture(peer.command().args(["-c", "import nvidia.dali"]))?;
            match imported.status.success() {
                true => Ok(()),
                false => Err(Failure::new(format!("DALI cannot be imported: {}", imported.tail(1)))),
            }
        };
        if imports(&self).is_ok() {
            return Ok(self);
        }
        if self.packages.is_empty() {
            let failure = Failure::new(format!("{} has no nvidia-dali-cuda120", self.program.display()));
            return Err((self, failure));
        }
        let (program, dali) = match bring(place, "dali", "dali.txt", "DALI", "about 0.5 GB", SPACE_OF_DALI) {
            Ok(brought) => brought,
            Err(failure) => return Err((self, failure)),
        };
        // Behind PyTorch's: what both brought along is PyTorch's.
        let both = Peer { program, packages: [&self.packages[..], &[dali]].concat() };
        match imports(&both) {
            Ok(()) => Ok(both),
            Err(failure) => Err((self, failure)),
        }
    }

    /// A call of the interpreter that finds the packages and nothing of the user's own.
    pub(crate) fn command(&self) -> Command {
        let mut python = Command::new(&self.program);
        // Paths with a colon in them cannot be told to Python, and then it says itself what it does not find.
        if let (false, Ok(packages)) = (self.packages.is_empty(), std::env::join_paths(&self.packages)) {
            python.env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1");
        }
        // No `__pycache__` beside scripts that lie in a repository.
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
    }

    /// What a person would call this interpreter.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }
}

/// Python's own program and the folder `name` under `.mochi`, filled with what the requirements file `list` names, where it is not yet.
fn bring(
    place: &Place,
    name: &str,
    list: &str,
    label: &str,
    download: &str,
    space: u64,
) -> Outcome<(PathBuf, PathBuf)> {
    let python = Python::find()?;
    let packages = place.private().join(name);
    let list = place.requirements(list);
    let wanted = std::fs::read_to_string(&list).map_err(|error| Failure::io("read", &list, &error))?;
    let stamp_path = packages.join("mochi-stamp");
    let stamp = format!("{}\n{wanted}", python.program().display());
    if std::fs::read_to_string(&stamp_path).is_ok_and(|found| found == stamp) {
        return Ok((python.program().to_owned(), packages));
    }

    let _lock = setup::lock(place)?;
    let partial = place.partial();
    if let Some(free) = setup::free_space(&partial).filter(|&free| free < space) {
        return Err(Failure::new(format!(
            "{label} needs {} of free disk in .mochi, and {} are free",
            bytes(space),
            bytes(free)
        ))
        .hint("free some space, or name a Python that has it: --python PATH"));
    }
    eprintln!("setup: fetching {label} ({download}, once)");
    let made = partial.join(name);
    python.fetch(&setup::Fetch {
        label,
        requirements: &list,
        target: &made,
        scratch: &partial.join("tmp"),
        watched: &partial,
        for_this_python: true,
    })?;
    let inside = made.join("mochi-stamp");
    std::fs::write(&inside, stamp).map_err(|error| Failure::io("write", &inside, &error))?;
    setup::put(&made, &packages, &partial)?;
    Ok((python.program().to_owned(), packages))
}
