//! Errors of an evaluation.

use crate::near_miss::{NearMiss, unknown_classes};
use mochi_contrast::ContrastError;
use mochi_data::DataError;
use mochi_tensor::TensorError;
use mochi_text::{counted, counted_with};

/// An error of an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// Evaluation needs class labels and the dataset has none.
    #[error("evaluation requires labels, but the {set} set has none ({kind} starting with {first})")]
    NoLabels {
        /// "training" or "test".
        set: &'static str,
        /// The dataset's format.
        kind: &'static str,
        /// Its first image.
        first: String,
    },
    /// The test split has images of classes that the training split does not have.
    #[error("{}", unknown_classes(unknown, known, near_misses))]
    UnknownClasses {
        /// The classes, all of them, in the test split's order.
        unknown: Vec<String>,
        /// The classes of the training split.
        known: Vec<String>,
        /// Pairs of names that a reader takes for the same.
        near_misses: Vec<NearMiss>,
    },
    /// Less than two classes to tell apart.
    #[error("the training set has images of {}; evaluation needs at least 2", counted(classes, "class"))]
    TooFewClasses {
        /// Number of classes with training images.
        classes: usize,
    },
    /// No class has two images, so the learning rate cannot be selected on held-out ones.
    #[error("no training class has two images, so none can be held out to select the learning rate")]
    NothingToHoldOut,
    /// Fewer classes have enough training images, and a test image, than an episode draws.
    #[error(
        "{} {} training images and a test image, and an episode draws {ways}",
        counted_with(classes, "class", ["has", "have"]),
        if *shots == 1 { "a".to_owned() } else { format!("at least {shots}") }
    )]
    TooFewShots {
        /// Classes that an episode draws.
        ways: usize,
        /// Training images that it draws per class.
        shots: usize,
        /// Classes with so many.
        classes: usize,
    },
    /// A fraction of the labels leaves no class with two images, so the learning rate cannot be selected on held-out ones.
    #[error(
        "{percent} % of the training labels leave no class with two images, so none can be held out to select the learning rate"
    )]
    TooFewLabels {
        /// The fraction in percent.
        percent: f64,
    },
    /// No classifier stayed finite.
    #[error("the linear classifier diverged at {}", rates(learning_rates))]
    Diverged {
        /// The learning rates that were tried.
        learning_rates: Vec<f64>,
    },
    /// The test set is the training set.
    #[error("the {} as well", counted_with(images, "test image", ["is a training image", "are all training images"]))]
    SameImages {
        /// Number of test images.
        images: usize,
    },
    /// No image could be read.
    #[error("the {set} set has no readable image")]
    Empty {
        /// "training" or "test".
        set: &'static str,
    },
    /// Features, labels or class names that do not fit each other.
    #[error("{0}")]
    Shape(String),
    /// Features that hold NaN or infinity.
    #[error("the features of {set} image {image} are not finite")]
    FeaturesNotFinite {
        /// "training" or "test".
        set: &'static str,
        /// Index of the image in its dataset.
        image: u32,
    },
    /// The frozen encoder has changed.
    #[error("encoder tensor \"{tensor}\" changed during evaluation, although the encoder is frozen")]
    EncoderChanged {
        /// The first tensor that differs.
        tensor: String,
    },
    /// The encoder holds NaN or infinity.
    #[error("encoder tensor \"{tensor}\" has values that are not finite")]
    EncoderNotFinite {
        /// The first such tensor.
        tensor: String,
    },
    /// Too few images to analyze.
    #[error("an analysis compares images with each other and needs at least {needed}, but {images} could be read")]
    TooFewImages {
        /// Readable images.
        images: usize,
        /// Images that are needed.
        needed: usize,
    },
    /// An option out of its range.
    #[error("invalid value for {option}: expected {expected}, got {value}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: String,
        /// The values allowed.
        expected: &'static str,
    },
    /// The images could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The measurements of the loss failed.
    #[error(transparent)]
    Contrast(#[from] ContrastError),
    /// libtorch failed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl EvalError {
    /// What to do about it, as an imperative.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoLabels { .. } => {
                "put every image into a folder named for its class: the first folder level is the class".into()
            }
            Self::UnknownClasses { near_misses, .. } if !near_misses.is_empty() => {
                "rename the test folders to match the training folders exactly; classes are matched by name".into()
            }
            Self::UnknownClasses { .. } => {
                "give training and test folders the same class names; classes are matched by name".into()
            }
            Self::TooFewClasses { .. } => "give a training set with at least two class folders".into(),
            Self::TooFewShots { classes: 2.., .. } => {
                "draw fewer classes with --ways (in a plan of `mochi eval all`: ways), or fewer images with --shots"
                    .into()
            }
            Self::TooFewShots { .. } => "add training images to each class, or draw fewer with --shots".into(),
            Self::TooFewLabels { .. } => "add training images, or use a larger fraction of the labels".into(),
            Self::NothingToHoldOut => "add training images, or set a single learning rate".into(),
            Self::Diverged { .. } => {
                "set a smaller learning rate; if that diverges too, check the encoder's features for extreme values"
                    .into()
            }
            Self::SameImages { .. } => {
                "give test images that the classifier has not seen: accuracy on its own training images means nothing"
                    .into()
            }
            Self::FeaturesNotFinite { .. } | Self::EncoderNotFinite { .. } => {
                "evaluate an earlier checkpoint: the encoder's weights have probably diverged".into()
            }
            Self::EncoderChanged { .. } => "report this bug in Mochi with the full command line".into(),
            Self::Data(error) => return error.hint(),
            Self::Tensor(error) => return error.hint(),
            Self::Contrast(error) => return error.hint(),
            Self::TooFewImages { .. } => "give a dataset with more readable images".into(),
            Self::Empty { .. } | Self::Shape(_) | Self::Option { .. } => return None,
        })
    }
}

/// "learning rate 30" or "all 8 learning rates (0.1 to 300)".
fn rates(rates: &[f64]) -> String {
    match rates {
        [] => "every learning rate".to_owned(),
        [only] => format!("learning rate {only}"),
        [first, .., last] => format!("all {} learning rates ({first} to {last})", rates.len()),
    }
}

impl From<mochi_tensor::TchError> for EvalError {
    fn from(error: mochi_tensor::TchError) -> Self {
        Self::Tensor(error.into())
    }
}
