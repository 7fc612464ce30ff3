//! The Python environment of the peers: PyTorch and torchvision of the pinned versions, in a folder of their own under `.mochi`.
//! A folder on `PYTHONPATH` and not a virtual environment, because Debian's Python makes none without a further package.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, bytes};
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup::{self, Python};

/// PyTorch with the CUDA libraries that `import torch` insists on, unpacked, beside its wheels.
const SPACE: u64 = 12_000_000_000;

/// A Python that can import torch, torchvision, safetensors, numpy and Pillow.
pub(crate) struct Peer {
    program: PathBuf,
    packages: Option<PathBuf>,
}

impl Peer {
    /// The interpreter that was named, else our own environment, made where it is not there yet.
    pub(crate) fn find(place: &Place, named: Option<PathBuf>) -> Outcome<Peer> {
        let peer = match named {
            Some(program) => Peer { program, packages: None },
            None => Peer::bring(place)?,
        };
        let imported = command::capture(
            peer.command().args(["-c", "import torch, torchvision, safetensors, numpy, PIL; print(torch.__version__)"]),
        )?;
        if imported.status.success() {
            return Ok(peer);
        }
        let failure =
            Failure::new(format!("{} cannot import what the peers need: {}", peer.program.display(), imported.tail(1)));
        Err(match peer.packages {
            Some(packages) => failure.hint(format!("remove {} and run it again", place.short(&packages))),
            None => failure.hint(
                "leave --python away to have an environment made, or install xtask/requirements/peer.txt into yours",
            ),
        })
    }

    fn bring(place: &Place) -> Outcome<Peer> {
        let python = Python::find()?;
        let packages = place.private().join("python");
        let list = place.root().join("xtask/requirements/peer.txt");
        let wanted = std::fs::read_to_string(&list).map_err(|error| Failure::io("read", &list, &error))?;
        let stamp_path = packages.join("mochi-stamp");
        let stamp = format!("{}\n{wanted}", python.program().display());
        if std::fs::read_to_string(&stamp_path).is_ok_and(|found| found == stamp) {
            return Ok(Peer { program: python.program().to_owned(), packages: Some(packages) });
        }

        let _lock = setup::lock(place)?;
        let partial = place.partial();
        if let Some(free) = setup::free_space(&partial).filter(|&free| free < SPACE) {
            return Err(Failure::new(format!(
                "PyTorch with what it depends on needs {} of free disk in .mochi, and {} are free",
                bytes(SPACE),
                bytes(free)
            ))
            .hint("free some space, or name a Python that has PyTorch: --python PATH"));
        }
        eprintln!("setup: fetching PyTorch for the peers (about 3 GB, once)");
        let made = partial.join("python");
        python.fetch(&setup::Fetch {
            label: "PyTorch for the peers",
            requirements: setup::Requirements::File(&list),
            target: &made,
            scratch: &partial.join("tmp"),
            watched: &partial,
            with_dependencies: true,
            for_this_python: true,
        })?;
        let inside = made.join("mochi-stamp");
        std::fs::write(&inside, stamp).map_err(|error| Failure::io("write", &inside, &error))?;
        setup::put(&made, &packages, &partial)?;
        Ok(Peer { program: python.program().to_owned(), packages: Some(packages) })
    }

    /// A call of the interpreter that finds the packages and nothing of the user's own.
    pub(crate) fn command(&self) -> Command {
        let mut python = Command::new(&self.program);
        if let Some(packages) = &self.packages {
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
