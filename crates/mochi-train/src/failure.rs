//! What is left behind when a loss stops being a number: everything that the step saw, so that it can be looked at and replayed.
//!
//! `RUN/failed/step-N/` holds the weights, the optimizer and the queue as a checkpoint does, `views.safetensors` with both batches of
//! views and the indices of their images, and `state.json` with the reason. f_q, the optimizer and the queue are as they were before
//! the step; f_k has already followed f_q (the step's second act), so a replay leaves that out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mochi_tensor::{Tensor, write_tensors};

use crate::checkpoint::{self, State};
use crate::{Learner, TrainError};

/// Writes the folder and returns its path.
pub(crate) fn save(
    run: &Path,
    learner: &Learner,
    state: &State,
    views: [&Tensor; 2],
    images: &[u32],
) -> Result<PathBuf, TrainError> {
    let folder = run.join("failed").join(format!("step-{}", state.step));
    let io = |source| mochi_tensor::TensorError::File { action: "write", path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    let images: Vec<i64> = images.iter().map(|&i| i64::from(i)).collect();
    let tensors = BTreeMap::from([
        ("view_1".to_owned(), views[0].shallow_clone()),
        ("view_2".to_owned(), views[1].shallow_clone()),
        ("images".to_owned(), Tensor::f_from_slice(&images)?),
    ]);
    write_tensors(&folder.join("views.safetensors"), &tensors, &BTreeMap::new())?;
    checkpoint::write(&folder, learner, state)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::Settings;
    use mochi_contrast::{ContrastError, Known};
    use mochi_tensor::{Compute, Device, Kind, read_tensors};

    #[test]
    fn views_that_are_not_numbers_stop_before_the_step_and_are_kept() {
        let words = [
            "model.arch=resnet20",
            "data.size=16",
            "moco.batch=4",
            "moco.queue=32",
            "moco.bn_groups=1",
            "negatives.hardest=8",
        ];
        let facts = mochi_config::Facts { images: 100, ..Default::default() };
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let (settings, _) = Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap();
        let mut learner = Learner::new(&settings, Compute::CPU).unwrap();
        let good = Tensor::randn([4, 3, 16, 16], (Kind::Float, Device::Cpu));
        let bad = &good * f64::NAN;
        let parameters = learner.query.store().parameters().iter().map(Tensor::copy).collect::<Vec<_>>();

        let error = learner.step([&bad, &good], Known::default(), 7, 0.1, true).unwrap_err();
        assert!(matches!(error, TrainError::Contrast(ContrastError::NotFinite { what: "query", step: 7 })), "{error}");
        assert!(learner.query.store().parameters().iter().zip(&parameters).all(|(now, before)| now.equal(before)));
        assert_eq!(learner.queue.filled(), 0);

        let run = tempfile::tempdir().unwrap();
        let state = State::new(&learner, 7, 100, 1, 0.0);
        let folder = save(run.path(), &learner, &state, [&bad, &good], &[3, 1, 2, 9]).unwrap();
        assert!(folder.ends_with("failed/step-7"));
        let (views, _) = read_tensors(&folder.join("views.safetensors")).unwrap();
        assert!(views["view_2"].equal(&good));
        assert_eq!(Vec::<i64>::try_from(&views["images"]).unwrap(), [3, 1, 2, 9]);
        for name in ["model.safetensors", "optimizer.safetensors", "queue.safetensors", "state.json"] {
            assert!(folder.join(name).exists(), "{name}");
        }
    }
}
