//! Where things lie: the repository, the private folder that set-up fills, the folder of shared material beside it.

use std::path::{Path, PathBuf};

/// The repository's own folders.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// The repository that `cargo xtask` was called in: cargo names this crate's folder at run time, which stays right when the
    /// repository is moved after the build.
    pub(crate) fn find() -> Place {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = manifest.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        Place { root: here.parent().map_or_else(|| here.clone(), Path::to_path_buf) }
    }

    /// The folder that holds the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The private folder, ignored by git: everything that set-up brings lies in it.
    pub(crate) fn private(&self) -> PathBuf {
        self.root.join(".mochi")
    }

    /// The Python site folder that holds `torch/` with its libraries and headers.
    pub(crate) fn libtorch(&self) -> PathBuf {
        self.private().join("libtorch")
    }

    /// CMake, its build tool and the assembler.
    pub(crate) fn tools(&self) -> PathBuf {
        self.private().join("tools")
    }

    /// Half-made things of all set-ups: emptied at the start of every one, never read.
    pub(crate) fn all_partial(&self) -> PathBuf {
        self.private().join("partial")
    }

    /// Half-made things of this very process: a download that outlived a killed set-up must not write into the next one's.
    pub(crate) fn partial(&self) -> PathBuf {
        self.all_partial().join(std::process::id().to_string())
    }

    /// A list of Python packages with hashes.
    pub(crate) fn requirements(&self, file: &str) -> PathBuf {
        self.root.join("xtask/requirements").join(file)
    }

    /// A file of the shared material that may lie beside the repository, if it does.
    pub(crate) fn shared(&self, file: &str) -> Option<PathBuf> {
        let path = self.root.parent()?.join("shared").join(file);
        path.exists().then_some(path)
    }

    /// A path as a person would type it from the repository's root.
    pub(crate) fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside_the_repository_are_shortened() {
        let place = Place { root: PathBuf::from("/a/b") };
        assert_eq!(place.short(&place.libtorch()), ".mochi/libtorch");
        assert_eq!(place.short(Path::new("/else/where")), "/else/where");
    }
}
