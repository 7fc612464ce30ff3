//! Whether the embeddings have collapsed.
//!
//! | what | when | meaning |
//! |---|---|---|
//! | complete collapse | spread below 0.1 | all images have nearly one embedding (Chen & He 2021) |
//! | dimensional collapse | RankMe below 3 % of min(N, D), or below 2 | embeddings lie in few dimensions (Jing et al., *Understanding Dimensional Collapse*, ICLR 2022) |
//! | none | otherwise | |
//!
//! The thresholds are ours. Isotropic embeddings have a spread of 1 and an effective rank near min(N, D). Short healthy runs on small images had spreads of 0.7
//! to 0.9 and effective ranks of 13 to 32 with D = 128, at their first checkpoints 0.2 and 9.

use serde::Serialize;

/// Spread below which embeddings count as one point.
pub const SPREAD: f64 = 0.1;
/// Fraction of the largest possible RankMe below which dimensions count as collapsed.
pub const RANK: f64 = 0.03;

/// Result of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Collapse {
    /// The embeddings have not collapsed.
    None,
    /// All embeddings are nearly one point.
    Complete,
    /// The embeddings lie in few dimensions.
    Dimensional,
}

/// The check, from the spread and RankMe of the embeddings, of which RankMe can be at most `most`.
pub fn collapse(spread: f64, rank_me: f64, most: usize) -> Collapse {
    let floor = (RANK * most as f64).max(2.0).min(most as f64);
    match (spread, rank_me) {
        (spread, _) if spread < SPREAD => Collapse::Complete,
        (_, rank_me) if rank_me < floor => Collapse::Dimensional,
        _ => Collapse::None,
    }
}

/// The result as a sentence.
pub fn sentence(collapse: Collapse, spread: f64, rank_me: f64, most: usize) -> String {
    let values = format!("spread {spread:.2} of 1, effective rank {rank_me:.1} of at most {most}");
    match collapse {
        Collapse::None => format!("The embeddings have not collapsed ({values})."),
        Collapse::Complete => format!(
            "The embeddings have collapsed: all images have nearly the same one ({values}). Train again with a lower learning rate, or with batch norm \
             statistics over smaller groups."
        ),
        Collapse::Dimensional => format!(
            "The embeddings have collapsed to few dimensions ({values}): images that differ are hard to tell apart. Train longer, or with more negatives."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_decides() {
        assert_eq!(collapse(0.099, 100.0, 128), Collapse::Complete);
        assert_eq!(collapse(0.101, 3.8, 128), Collapse::Dimensional);
        assert_eq!(collapse(0.101, 3.9, 128), Collapse::None);
        // Of few dimensions or images, 2 are required, or all.
        assert_eq!((collapse(0.9, 1.9, 8), collapse(0.9, 2.1, 8)), (Collapse::Dimensional, Collapse::None));
        assert_eq!(collapse(0.9, 1.0, 1), Collapse::None);
        assert!(
            sentence(Collapse::Complete, 0.02, 1.2, 128)
                .contains("spread 0.02 of 1, effective rank 1.2 of at most 128")
        );
    }
}
