//! The weights that a backbone starts from: `--init` and `model.init`.

use mochi_config::{NO_WEIGHTS, StartNetwork};
use mochi_data::dataset::{path_from_text, path_to_text};
use mochi_term::Progress;
use mochi_train::{StartWeights, start_network};

use crate::failure::{Failure, Outcome};

/// The path of the weights as `model.init` has it: absolute, so that it is the same from everywhere.
pub fn whole(init: &str) -> String {
    if init == NO_WEIGHTS {
        return init.to_owned();
    }
    std::path::absolute(path_from_text(init)).map_or_else(|_| init.to_owned(), |path| path_to_text(&path))
}

/// The network of the weights at `init`, where it is known; `None` for random weights. What is not there is refused before anything else is read.
pub fn network(init: &str) -> Outcome<Option<StartNetwork>> {
    if init == NO_WEIGHTS {
        return Ok(None);
    }
    let path = path_from_text(init);
    if !path.exists() {
        let what = format!("there is no run or weight file at {}", path.display());
        let hint = match path.to_string_lossy().contains(":/") {
            true => "weights are not downloaded: give the path of the downloaded file",
            false => "give a run folder, a safetensors or PyTorch file, or none",
        };
        return Err(Failure::new(what, hint));
    }
    Ok(start_network(&path)?)
}

/// Says what the backbone starts from, and what `is_new` beside it.
pub fn describe(start: &StartWeights, is_new: &str, progress: &Progress) {
    progress.note(&format!(
        "{0} of {0} tensors of the backbone are from {1} ({2}; stride in the 3x3 convolutions, RGB, ImageNet mean and deviation); {is_new}",
        start.tensors,
        start.file.display(),
        start.naming
    ));
    if let Some(doubt) = start.doubt {
        progress.warning(doubt);
    }
}
