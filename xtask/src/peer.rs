//! Python environments of the reference programs: PyTorch and torchvision of pinned versions in one folder under `.mochi`, DALI, which only
//! `bench data` uses, in another, pycocotools and scikit-learn in others. The folders are on `PYTHONPATH`; a virtual environment would need another package on Debian.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, bytes};
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup::{self, Python};

/// Disk space for PyTorch, the CUDA libraries that `import torch` requires, and the wheels of both.
const SPACE: u64 = 12_000_000_000;

/// Disk space for DALI, the NVIDIA libraries that it requires, and the wheels of both.
const SPACE_OF_DALI: u64 = 3_000_000_000;

/// Disk space for pycocotools, NumPy and the wheels of both.
const SPACE_OF_PYCOCOTOOLS: u64 = 300_000_000;

/// Disk space for scikit-learn, SciPy, NumPy and their wheels.
const SPACE_OF_SCIKIT_LEARN: u64 = 700_000_000;

/// A Python that can import the packages of a reference program.
pub(crate) struct Peer {
    program: PathBuf,
    /// Folders of packages, if the environment was made by this program.
    packages: Vec<PathBuf>,
}

impl Peer {
    /// The given interpreter with torch, torchvision, safetensors, numpy and Pillow, otherwise an environment that is made if necessary.
    pub(crate) fn find(place: &Place, named: Option<PathBuf>) -> Outcome<Peer> {
        let make = || install(place, "python", "peer.txt", "PyTorch for the peers", "about 3 GB", SPACE);
        let imports = "import torch, torchvision, safetensors, numpy, PIL";
        Self::with(place, named, imports, "peer.txt", make)
    }

    /// The given interpreter with pycocotools and numpy, otherwise an environment that is made if necessary.
    pub(crate) fn with_pycocotools(place: &Place, named: Option<PathBuf>) -> Outcome<Peer> {
        let list = "pycocotools.txt";
        let make = || install(place, "pycocotools", list, "pycocotools", "about 20 MB", SPACE_OF_PYCOCOTOOLS);
        Self::with(place, named, "import pycocotools.cocoeval, numpy", list, make)
    }

    /// The given interpreter with scikit-learn and numpy, otherwise an environment that is made if necessary.
    pub(crate) fn with_scikit_learn(place: &Place, named: Option<PathBuf>) -> Outcome<Peer> {
        let list = "scikit-learn.txt";
        let make = || install(place, "scikit-learn", list, "scikit-learn", "about 70 MB", SPACE_OF_SCIKIT_LEARN);
        Self::with(place, named, "import sklearn.manifold, numpy", list, make)
    }

    fn with(
        place: &Place,
        named: Option<PathBuf>,
        imports: &str,
        list: &str,
        make: impl FnOnce() -> Outcome<(PathBuf, PathBuf)>,
    ) -> Outcome<Peer> {
        let peer = match named {
            Some(program) => Peer { program, packages: Vec::new() },
            None => {
                let (program, packages) = make()?;
                Peer { program, packages: vec![packages] }
            }
        };
        let imported = command::capture(peer.command().args(["-c", imports]))?;
        if imported.status.success() {
            return Ok(peer);
        }
        let failure = Failure::new(format!(
            "{} cannot import the packages of the reference programs: {}",
            peer.program.display(),
            imported.tail(1)
        ));
        Err(match peer.packages.first() {
            Some(packages) => failure.hint(format!("remove {}, then run the command again", place.short(packages))),
            None => {
                failure.hint(format!("omit --python to have an environment made, or install xtask/requirements/{list}"))
            }
        })
    }

    /// This environment with NVIDIA DALI, which is installed if the environment was made by this program; otherwise the reason why DALI is missing.
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
        let (program, dali) = match install(place, "dali", "dali.txt", "DALI", "about 0.5 GB", SPACE_OF_DALI) {
            Ok(installed) => installed,
            Err(failure) => return Err((self, failure)),
        };
        // After PyTorch's folder, so that PyTorch's version of common packages is used.
        let both = Peer { program, packages: [&self.packages[..], &[dali]].concat() };
        match imports(&both) {
            Ok(()) => Ok(both),
            Err(failure) => Err((self, failure)),
        }
    }

    /// A command of the interpreter that finds these packages and not the user's.
    pub(crate) fn command(&self) -> Command {
        let mut python = Command::new(&self.program);
        // A path with a colon cannot be in PYTHONPATH; Python then reports the missing package.
        if let (false, Ok(packages)) = (self.packages.is_empty(), std::env::join_paths(&self.packages)) {
            python.env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1");
        }
        // No `__pycache__` in a repository.
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
    }

    /// Path of the interpreter.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }
}

/// The Python program and the folder `name` under `.mochi`, into which the packages of the requirements file `list` are installed if necessary.
fn install(
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
            "{label} needs {} of free disk space in .mochi, but only {} are free",
            bytes(space),
            bytes(free)
        ))
        .hint("free disk space, or give a Python that has the packages: --python PATH"));
    }
    eprintln!("setup: downloading {label} ({download}, once)");
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
