//! The analysis of a run's checkpoints: a sample of images, every encoder's measures of it, and what they suggest.

use super::checkpoint::{CheckpointAnalysis, Embedded, measure};
use super::collapse::{self, Collapse};
use super::measure::{RANK_ME_EMBEDDINGS, SPREAD};
use super::neighbors::Neighbors;
use super::pairs::{Pairs, pairs};
use super::principal_components::{PrincipalComponents, principal_components};
use super::proxy_accuracy::ProxyTask;
use super::reading;
use super::sample::{Draw, Outputs, Pass, check_finite, pass};
use super::sheet::{SheetRow, sheet};
use super::t_sne::{ITERATIONS, TSne, t_sne};
use crate::nearest::unit_rows;
use crate::{EvalError, FrozenEncoder, Progress, Stage, ViewOptions, classes};
use mochi_contrast::{DrawKey, Objective};
use mochi_data::{BadImage, DataError, Dataset};
use mochi_nets::Encoder;
use mochi_tensor::Tensor;
use mochi_views::Augmentation;
use serde::Serialize;

/// Options of an analysis.
#[derive(Clone, Debug)]
pub struct AnalysisOptions {
    /// Images in the sample, at most; 2 to [`AnalysisOptions::MAX_IMAGES`].
    pub images: usize,
    /// Seed of the sample and of the augmented views.
    pub seed: u64,
    /// Neighbors of each image; fewer if there are fewer images.
    pub k: usize,
    /// The run's objective: temperature of the matching probabilities, synthetic negatives of the proxy task.
    pub objective: Objective,
    /// Number of candidate keys of a query in training.
    pub keys: usize,
    /// Views; their augmentation pipeline is that of the run.
    pub views: ViewOptions,
}

impl AnalysisOptions {
    /// Upper bound of `images`: all pairs of them are compared, which then takes 64 MiB for each matrix of cosines.
    pub const MAX_IMAGES: usize = 4096;

    /// Checks the ranges of `images` and `k`; [`Analyzer::new`] does so too, but only after a checkpoint has been loaded.
    ///
    /// # Errors
    /// [`EvalError::Option`].
    pub fn check_counts(images: usize, k: usize) -> Result<(), EvalError> {
        let refuse =
            |option, value: usize, expected| Err(EvalError::Option { option, value: value.to_string(), expected });
        if !(2..=Self::MAX_IMAGES).contains(&images) {
            return refuse("images", images, "an integer from 2 to 4096");
        }
        if !(1..Self::MAX_IMAGES).contains(&k) {
            return refuse("k", k, "an integer from 1 to 4095");
        }
        Ok(())
    }
}

/// Result of an analysis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// Images in the sample.
    pub images: usize,
    /// Images in the dataset.
    pub dataset_images: usize,
    /// Seed of the sample and of the augmented views.
    pub seed: u64,
    /// Number of neighbors.
    pub k: usize,
    /// Temperature of the matching probabilities.
    pub temperature: f64,
    /// F, the number of features per image.
    pub features: usize,
    /// D, the dimension of the embeddings.
    pub dim: usize,
    /// Classes with images in the sample; `None` without labels, or if all images have one class.
    pub classes: Option<usize>,
    /// Whether the last checkpoint's embeddings have collapsed.
    pub collapse: Collapse,
    /// What the measures suggest, the collapse check first.
    pub findings: Vec<String>,
    /// By rising step.
    pub checkpoints: Vec<CheckpointAnalysis>,
    /// Images that could not be read.
    pub bad_images: Vec<BadImage>,
    /// For each row of the sample, the image's index in the dataset.
    #[serde(skip)]
    pub sample: Vec<u32>,
    /// Classes of the sample's images.
    #[serde(skip)]
    pub labels: Option<Vec<u32>>,
    /// The last checkpoint's neighbors.
    #[serde(skip)]
    pub neighbors: Neighbors,
    /// The last checkpoint's positives and hardest negatives; empty if an image of the sample could not be read again for its views.
    #[serde(skip)]
    pub pairs: Pairs,
    /// How the augmented views were drawn, in epoch 0 of `seed`, and their width and height in pixels.
    #[serde(skip)]
    pub views: (Augmentation, u32),
    /// Principal components of the last checkpoint's features, scaled to norm 1.
    #[serde(skip)]
    pub components: Option<PrincipalComponents>,
    /// t-SNE of the same.
    #[serde(skip)]
    pub t_sne: Option<TSne>,
}

impl Analysis {
    /// At most `rows` queries with at most `columns` of their neighbors and negatives, see [`sheet`](fn@sheet).
    pub fn sheet(&self, rows: usize, columns: usize) -> Vec<SheetRow> {
        sheet(&self.neighbors, &self.pairs, self.labels.as_deref(), (rows, columns))
    }
}

/// What the next checkpoint and the result need of the last one.
struct Last {
    /// The sample.
    images: Vec<u32>,
    neighbors: Neighbors,
    /// (N, F), float32 on the CPU.
    features: Tensor,
    /// Embeddings of two augmented views, (N, D) each; `None` if they are of other images.
    views: Option<[Tensor; 2]>,
}

/// An analysis in progress: checkpoints are added in the order of their steps.
pub struct Analyzer<'a> {
    dataset: &'a Dataset,
    options: AnalysisOptions,
    checkpoints: Vec<CheckpointAnalysis>,
    last: Option<Last>,
    bad_images: Vec<BadImage>,
    /// F and D.
    sizes: [usize; 2],
}

/// Whether the images of a dataset have classes, at least two.
pub fn is_labeled(dataset: &Dataset) -> bool {
    dataset.labels().is_some_and(|labels| classes::count(labels) > 1)
}

impl<'a> Analyzer<'a> {
    /// No checkpoint yet.
    ///
    /// # Errors
    /// [`EvalError::Option`], [`EvalError::TooFewImages`].
    pub fn new(dataset: &'a Dataset, options: AnalysisOptions) -> Result<Self, EvalError> {
        AnalysisOptions::check_counts(options.images, options.k)?;
        if dataset.len() < 2 {
            return Err(EvalError::TooFewImages { images: dataset.len(), needed: 2 });
        }
        Ok(Self { dataset, options, checkpoints: vec![], last: None, bad_images: vec![], sizes: [0; 2] })
    }

    /// Measures encoders with their steps. The images are read once for all of them, so memory grows with their number.
    ///
    /// # Errors
    /// [`EvalError::EncoderNotFinite`], [`EvalError::FeaturesNotFinite`], too few readable images, too many bad ones, or an error of libtorch.
    pub fn add(&mut self, encoders: &[(u64, &Encoder)], progress: &mut dyn FnMut(Progress)) -> Result<(), EvalError> {
        let frozen = encoders.iter().map(|(_, encoder)| FrozenEncoder::snapshot(encoder));
        let frozen: Vec<FrozenEncoder> = frozen.collect::<Result<_, _>>()?;
        let nets: Vec<&Encoder> = encoders.iter().map(|(_, encoder)| *encoder).collect();
        let AnalysisOptions { images, seed, k, objective, keys, views } = self.options.clone();
        let draw = Draw { images, seed };
        let plain = (views.augmentation.evaluation(views.size), 1);
        let whole = pass(self.dataset, &nets, plain, draw, &views, (Stage::Features, &mut *progress))?;
        let augmented = (views.augmentation.clone(), 2);
        let pairs = pass(self.dataset, &nets, augmented, draw, &views, (Stage::Views, &mut *progress))?;
        frozen.iter().try_for_each(FrozenEncoder::check)?;

        let (labels, pair_labels) = (self.labels(&whole.images), self.labels(&pairs.images));
        for (done, (((step, _), whole_of), pairs_of)) in
            encoders.iter().zip(&whole.outputs).zip(&pairs.outputs).enumerate()
        {
            let total = encoders.len();
            progress(Progress { stage: Stage::Measures, done, total });
            let ([embeddings], [first, second]) = (of_views(whole_of)?, of_views(pairs_of)?);
            for (values, images) in [(&whole_of.features, &whole.images), (embeddings, &whole.images)] {
                check_finite(values, images)?;
            }
            [first, second].into_iter().try_for_each(|views| check_finite(views, &pairs.images))?;
            let embedded = Embedded {
                features: &whole_of.features,
                embeddings,
                labels: labels.as_deref(),
                views: [first, second],
                view_labels: pair_labels.as_deref(),
            };
            // Sets of neighbors are compared only if they are of the same images.
            let before = self.last.as_ref().filter(|last| last.images == whole.images).map(|last| &last.neighbors);
            let draws = DrawKey { seed, step: *step, ..DrawKey::default() };
            let task = ProxyTask { objective: &objective, keys, draws, samples: &[] };
            let (measured, found) = measure(*step, &embedded, (k, &task), before)?;
            self.checkpoints.push(measured);
            self.sizes = [&whole_of.features, embeddings].map(|t| t.size().get(1).map_or(0, |&n| n.max(0) as usize));
            let features = whole_of.features.shallow_clone();
            let views = [first, second].map(Tensor::shallow_clone);
            let views = (pairs.images == whole.images).then_some(views);
            self.last = Some(Last { images: whole.images.clone(), neighbors: found, features, views });
            progress(Progress { stage: Stage::Measures, done: done + 1, total });
        }
        self.note_bad([whole, pairs]);
        Ok(())
    }

    /// The result; `None` without a checkpoint.
    ///
    /// # Errors
    /// [`mochi_data::DataError::Canceled`], or an error of libtorch.
    pub fn finish(self, progress: &mut dyn FnMut(Progress)) -> Result<Option<Analysis>, EvalError> {
        let (Some(Last { images: sample, neighbors, features, views }), Some(last)) =
            (&self.last, self.checkpoints.last())
        else {
            return Ok(None);
        };
        let unit = unit_rows(features)?;
        let components = principal_components(&unit)?;
        let t_sne = t_sne(&unit, &mut |done| {
            progress(Progress { stage: Stage::Map, done, total: ITERATIONS });
            if self.options.views.cancel.requested() { Err(DataError::Canceled.into()) } else { Ok(()) }
        })?;
        let [width, dim] = self.sizes;
        let most = dim.min(sample.len());
        let spread = last.values.get(&SPREAD).unwrap_or(0.0);
        // Embeddings have norm 1, so they are not all 0.
        let rank = last.values.get(&RANK_ME_EMBEDDINGS).unwrap_or(1.0);
        let collapse = collapse::collapse(spread, rank, most);
        let mut findings = vec![collapse::sentence(collapse, spread, rank, most)];
        let k = self.options.k.min(sample.len().saturating_sub(1));
        let pairs = match views {
            Some([first, second]) => pairs([first, second], k)?,
            None => Pairs::default(),
        };
        findings.extend(reading::sentences(&self.checkpoints, k));
        let labels = self.labels(sample);
        Ok(Some(Analysis {
            images: sample.len(),
            dataset_images: self.dataset.len(),
            seed: self.options.seed,
            k,
            temperature: self.options.objective.temperature,
            features: width,
            dim,
            classes: labels.as_deref().map(classes::count),
            collapse,
            findings,
            sample: sample.clone(),
            neighbors: neighbors.clone(),
            pairs,
            views: (self.options.views.augmentation.clone(), self.options.views.size),
            components,
            t_sne,
            labels,
            checkpoints: self.checkpoints,
            bad_images: self.bad_images,
        }))
    }

    /// Classes of images; `None` without labels, or if all images have one class, which says nothing.
    fn labels(&self, images: &[u32]) -> Option<Vec<u32>> {
        let all = self.dataset.labels()?;
        let labels: Vec<u32> = images.iter().filter_map(|&image| all.get(image as usize).copied()).collect();
        (classes::count(&labels) > 1 && labels.len() == images.len()).then_some(labels)
    }

    fn note_bad(&mut self, passes: [Pass; 2]) {
        self.bad_images.extend(passes.into_iter().flat_map(|pass| pass.bad));
        self.bad_images.sort_by_key(|image| image.index);
        self.bad_images.dedup_by_key(|image| image.index);
    }
}

/// The embeddings of an encoder, one for each of the views that were asked for.
fn of_views<const VIEWS: usize>(outputs: &Outputs) -> Result<[&Tensor; VIEWS], EvalError> {
    let all: Vec<&Tensor> = outputs.embeddings.iter().collect();
    all.try_into()
        .map_err(|all: Vec<_>| EvalError::Shape(format!("expected {VIEWS} views of each image, got {}", all.len())))
}
