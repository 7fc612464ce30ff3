//! What can keep features from being judged.

use mochi_data::DataError;
use mochi_tensor::TensorError;

/// An error of a judgement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// Judging needs classes and the data set has none.
    #[error("the {kind} that begins with {first} has no labels, and judging needs them")]
    NoLabels {
        /// The data set's kind.
        kind: &'static str,
        /// Its first image.
        first: String,
    },
    /// The test split names a class that was never trained on.
    #[error("the test set has a class \"{class}\", which the training set's {known} classes do not include")]
    UnknownClass {
        /// The class of the test split.
        class: String,
        /// Number of classes of the training split.
        known: usize,
    },
    /// Less than two classes, or none with enough images.
    #[error("the training set cannot be probed: {0}")]
    TooFew(String),
    /// No image was left to judge.
    #[error("no usable image is in the {which} set")]
    Empty {
        /// "training" or "test".
        which: &'static str,
    },
    /// Parts of a set of features that do not fit each other.
    #[error("{0}")]
    Shape(String),
    /// Features that hold NaN or infinity.
    #[error("the features of {which} image {image} are not finite")]
    NotFinite {
        /// "training" or "test".
        which: &'static str,
        /// Index of the image in its data set.
        image: u32,
    },
    /// The frozen backbone is not what it was.
    #[error("the frozen backbone changed while it was judged: \"{tensor}\" is not what it was")]
    BackboneMoved {
        /// The first tensor that differs.
        tensor: String,
    },
    /// The encoder holds NaN or infinity.
    #[error("the encoder's tensor \"{tensor}\" holds values that are not finite")]
    BrokenBackbone {
        /// The first such tensor.
        tensor: String,
    },
    /// An option out of its range.
    #[error("{option} is {value}, but {expected}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The images could not be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The engine refused.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl EvalError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoLabels { .. } => {
                Some("put every image into a folder named for its class: the first folder level is the class".into())
            }
            Self::UnknownClass { .. } => {
                Some("give training and test folders the same class names; classes are matched by name".into())
            }
            Self::TooFew(_) => Some("at least two classes are needed, and at least two images in one of them".into()),
            Self::NotFinite { .. } | Self::BrokenBackbone { .. } => {
                Some("the encoder's weights have probably diverged: judge an earlier checkpoint".into())
            }
            Self::Data(error) => error.hint(),
            Self::Tensor(error) => error.hint(),
            Self::BackboneMoved { .. } => {
                Some("this is a defect of the program; please report it with the command that was run".into())
            }
            Self::Empty { .. } | Self::Shape(_) | Self::Option { .. } => None,
        }
    }
}

impl From<mochi_tensor::TchError> for EvalError {
    fn from(error: mochi_tensor::TchError) -> Self {
        Self::Tensor(error.into())
    }
}
