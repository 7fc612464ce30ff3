//! Results of evaluations, in `RUN/eval`:
//!
//! ```text
//! NAME.json                   a result
//! NAME.partial                what an interrupted evaluation has found
//! NAME.partial.safetensors    the network that it was training
//! ```

use std::path::{Path, PathBuf};

use mochi_files::{FileType, Folder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::RunError;
use crate::folder::{RunFolder, json};
use crate::limits::WHOLE_FILE;

const RESULTS: &str = "eval";
/// Extension of what an evaluation has found so far.
const PARTIAL: &str = ".partial";
/// Extension of the network that it was training.
const PARTIAL_NETWORK: &str = ".partial.safetensors";
/// After the name of a file that is not complete.
const BEGUN: &str = ".new";

/// An evaluation result under `eval/`.
#[derive(Debug)]
pub struct StoredResult {
    /// Name of its file without `.json`.
    pub name: String,
    /// The object that it holds, or why it cannot be read.
    pub value: Result<Value, RunError>,
    /// Its step, where training has gone on since then and the name does not say so: it is no result of the newest checkpoint.
    pub outdated: Option<u64>,
}

impl StoredResult {
    /// Top-1 accuracy in percent.
    pub fn top1(&self) -> Option<f64> {
        self.value.as_ref().ok()?.get("top1")?.as_f64()
    }
}

impl RunFolder {
    /// Writes an evaluation result to `eval/NAME.json`, whole or not at all; the report shows it. Returns its path.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::Unwritable`].
    pub fn write_result<T: Serialize>(&self, name: &str, result: &T) -> Result<PathBuf, RunError> {
        let file = format!("{name}.json");
        let path = self.path().join(RESULTS).join(&file);
        self.folder().make_folder(RESULTS)?.write(file, &json(result, &path)?)?;
        Ok(path)
    }

    /// Checks that an evaluation result can be written, before the work whose result it is.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn check_results_writable(&self) -> Result<(), RunError> {
        // The folder is made with the first result.
        match self.folder().file_type(RESULTS)? {
            None => self.folder().check_writable(RESULTS)?,
            Some(_) => self.folder().folder(RESULTS)?.check_writable("result.json")?,
        }
        Ok(())
    }

    /// Writes what an evaluation has found so far to `eval/NAME.partial`, whole or not at all, so that it can be taken up again.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::Unwritable`].
    pub fn write_partial<T: Serialize>(&self, name: &str, found: &T) -> Result<(), RunError> {
        let file = format!("{name}{PARTIAL}");
        let text = json(found, &self.path().join(RESULTS).join(&file))?;
        Ok(self.folder().make_folder(RESULTS)?.write(file, &text)?)
    }

    /// What [`write_partial`](RunFolder::write_partial) wrote; `None` if there is nothing that can be read.
    pub fn read_partial<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = self.folder().folder(RESULTS).ok()?.read(format!("{name}{PARTIAL}"), WHOLE_FILE).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Has `write` write a network to a new file, which becomes `eval/NAME.partial.safetensors` when it is complete.
    ///
    /// # Errors
    /// [`RunError::File`], and what `write` returns.
    pub fn write_partial_network<E: From<RunError>>(
        &self,
        name: &str,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let complete = format!("{name}{PARTIAL_NETWORK}");
        let begun = format!("{complete}{BEGUN}");
        let new = || -> Result<Folder, RunError> {
            let folder = self.folder().make_folder(RESULTS)?;
            // A link of this name would lead elsewhere.
            folder.remove(&begun)?;
            folder.create_new(&begun)?;
            Ok(folder)
        };
        let folder = new()?;
        let written = write(&folder.path().join(&begun))
            .and_then(|()| folder.rename(&begun, complete).map_err(|error| RunError::from(error).into()));
        if written.is_err() {
            // On a full disk, the results need its space.
            let _ = folder.remove(&begun);
        }
        written
    }

    /// What [`write_partial_network`](RunFolder::write_partial_network) wrote, if it is there.
    pub fn partial_network(&self, name: &str) -> Option<PathBuf> {
        let file = format!("{name}{PARTIAL_NETWORK}");
        let folder = self.folder().folder(RESULTS).ok()?;
        let regular = matches!(folder.file_type(&file), Ok(Some(FileType::File)));
        regular.then(|| folder.path().join(file))
    }

    /// Removes what an interrupted evaluation has left, if there is anything.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn remove_partial(&self, name: &str) -> Result<(), RunError> {
        let Ok(folder) = self.folder().folder(RESULTS) else { return Ok(()) };
        for file in
            [format!("{name}{PARTIAL}"), format!("{name}{PARTIAL_NETWORK}"), format!("{name}{PARTIAL_NETWORK}{BEGUN}")]
        {
            folder.remove(file)?;
        }
        Ok(())
    }

    /// Reads every evaluation result, in the order of the files' names.
    ///
    /// # Errors
    /// [`RunError::File`] for a folder `eval` that cannot be read.
    pub fn read_results(&self) -> Result<Vec<StoredResult>, RunError> {
        let folder = match self.folder().folder(RESULTS) {
            Err(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => return Ok(Vec::new()),
            folder => folder?,
        };
        // A run without checkpoints has none that a result could be older than.
        let newest = self.checkpoints().newest_step();
        let mut results = Vec::new();
        for entry in folder.list()? {
            let Some(name) = entry.name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            let path = || folder.path().join(&entry.name);
            let text = folder.read(&entry.name, WHOLE_FILE).map_err(RunError::from);
            let value = text.and_then(|bytes| {
                serde_json::from_slice::<Value>(&bytes).map_err(|source| RunError::BadResult { path: path(), source })
            });
            let step = value.as_ref().ok().and_then(|value| value.get("step")?.as_u64());
            let older = |step: &u64| newest.is_some_and(|newest| *step < newest);
            let outdated = step.filter(older).filter(|step| !name.contains(&step_in_name(*step)));
            results.push(StoredResult { name: name.to_owned(), value, outdated });
        }
        Ok(results)
    }
}

/// What the name of a result has for the step of a checkpoint that was asked for.
pub fn step_in_name(step: u64) -> String {
    format!("-step-{step}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run can come from somebody else: a link in it must not lead a network elsewhere.
    #[test]
    fn a_partial_network_is_written_beside_the_results_and_never_through_a_link() {
        let base = tempfile::tempdir().unwrap();
        let (path, outside) = (base.path().join("run"), base.path().join("outside"));
        let run = RunFolder::create(&path).unwrap();
        std::fs::create_dir(path.join("eval")).unwrap();
        std::fs::write(&outside, "mine").unwrap();
        let link = |name: &str| std::os::unix::fs::symlink(&outside, path.join("eval").join(name)).unwrap();
        link("knn.partial.safetensors");
        assert_eq!(run.partial_network("knn"), None);
        link("knn.partial.safetensors.new");
        let write = |place: &Path| std::fs::write(place, "network").map_err(RunError::io("write", place));
        run.write_partial_network("knn", write).unwrap();
        let written = run.partial_network("knn").unwrap();
        assert_eq!(std::fs::read_to_string(&written).unwrap(), "network");
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "mine");

        // A failure leaves the complete one.
        let fail = |_: &Path| Err(RunError::Missing { path: path.clone() });
        assert!(run.write_partial_network("knn", fail).is_err());
        assert_eq!(std::fs::read_to_string(&written).unwrap(), "network");
        let names = || std::fs::read_dir(path.join("eval")).unwrap().count();
        assert_eq!(names(), 1, "nothing incomplete is left");
        run.remove_partial("knn").unwrap();
        assert_eq!(names(), 0);
    }
}
