//! Paths: the repository, the private folder that `setup` fills, and a folder of shared files next to the repository.

use std::path::{Path, PathBuf};

/// Folders of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// The repository that `cargo xtask` runs in. Cargo gives this crate's folder at run time, which is correct even if the repository was moved
    /// after the build.
    pub(crate) fn find() -> Place {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = manifest.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        Place { root: here.parent().map_or_else(|| here.clone(), Path::to_path_buf) }
    }

    /// The folder that holds the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The private folder, ignored by git, with everything that `setup` installs.
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

    /// Incomplete files of all setups. Each setup empties it at its start; nothing in it is used.
    pub(crate) fn all_partial(&self) -> PathBuf {
        self.private().join("partial")
    }

    /// Incomplete files of this process. A download that outlives a killed setup must not write into the folder of the next one.
    pub(crate) fn partial(&self) -> PathBuf {
        self.all_partial().join(std::process::id().to_string())
    }

    /// A list of Python packages with hashes.
    pub(crate) fn requirements(&self, file: &str) -> PathBuf {
        self.root.join("xtask/requirements").join(file)
    }

    /// A file in the folder `shared` next to the repository, if it exists.
    pub(crate) fn shared(&self, file: &str) -> Option<PathBuf> {
        let path = self.root.parent()?.join("shared").join(file);
        path.exists().then_some(path)
    }

    /// A path relative to the repository's root, if it is inside.
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
