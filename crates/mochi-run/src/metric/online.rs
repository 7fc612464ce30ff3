//! Metrics of the evaluations during pre-training (settings `evaluation.*`): an encoder in evaluation mode, always on the same images.

use super::{Chart, Unit};

static ACCURACY_CHART: Chart =
    Chart { title: "Evaluation during training, on held-out labeled images", unit: "%", from_zero: true };
static RANK_CHART: Chart =
    Chart { title: "Effective rank of the features (RankMe)", unit: "dimensions", from_zero: true };
static SPHERE_CHART: Chart =
    Chart { title: "Uniformity in evaluation mode", unit: "lower is more uniform", from_zero: true };
static SPREAD_CHART: Chart =
    Chart { title: "Spread of the embeddings", unit: "0 collapsed, 1 isotropic", from_zero: true };
static STABILITY_CHART: Chart = Chart { title: "Neighbors kept since the last evaluation", unit: "%", from_zero: true };

crate::metrics! {
    /// Top-1 accuracy of k-NN on the held-out third of the images of `evaluation.source`. This and the next two: at evaluations, with labeled images.
    ONLINE_KNN: "online_knn", Unit::Fraction, "online/knn", Last, chart ACCURACY_CHART "k-NN", terminal "evaluation" "k-NN";
    /// Top-1 accuracy of a linear classifier on the same images.
    ONLINE_LINEAR: "online_linear", Unit::Fraction, "online/linear", Last, chart ACCURACY_CHART "linear", terminal "evaluation" "linear";
    /// Number of the held-out images, on which the precision of both accuracies depends.
    ONLINE_IMAGES: "online_images", Unit::Count, "online/images", Last;
    /// RankMe, the effective rank of the backbone's features. This and the next three: at evaluations, without labels, on at most 2,048 images.
    ONLINE_RANK_ME: "online_rank_me", Unit::Named("dimensions"), "online/rank_me", Last, chart RANK_CHART "features", terminal "evaluation" "rank";
    /// Uniformity of the embeddings: log of the mean of exp(-2 d²) over pairs of images at distance d.
    ONLINE_UNIFORMITY: "online_uniformity", Unit::Scalar, "online/uniformity", Last, chart SPHERE_CHART "uniformity";
    /// Mean standard deviation of an embedding's dimensions times sqrt(D): 1 if they are isotropic, 0 if all embeddings are one point.
    ONLINE_SPREAD: "online_spread", Unit::Scalar, "online/spread", Last, chart SPREAD_CHART "spread";
    /// Mean fraction of an image's 10 nearest neighbors that were its neighbors at the evaluation before. Absent at the first of a session.
    ONLINE_STABILITY: "online_stability", Unit::Fraction, "online/neighbor_stability", Last, chart STABILITY_CHART "stability";
}
