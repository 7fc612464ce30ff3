//! `[data]`: which images, how views are drawn, and how they are brought in.

use super::section;
use crate::choice::Augment;
use crate::keys::Kind;

section! {
    /// Images and their views.
    Data, DataSettings, "data" {
        /// Where the images are: a folder, a pattern, a list file, IDX or CIFAR files. The command line's DATA stands here.
        plain source: String = Kind::Text;
        /// More folders, patterns and list files, whose images come after those of `data.source`; `--also` on the command line.
        plain also: Vec<String> = Kind::Texts;
        /// Side of a view in pixels.
        plain size: u32 = Kind::Integer { min: 8, max: 4096 };
        /// How views are drawn from an image.
        plain augment: Augment = Kind::Choice(Augment::WORDS);
        /// Threads that decode and augment. Auto: one less than the cores on a GPU; on a CPU a quarter of them, as
        /// the network needs them more.
        auto threads: usize = Kind::Integer { min: 1, max: 1024 };
        /// Batches kept ready ahead of the step.
        plain prefetch: usize = Kind::Integer { min: 1, max: 1024 };
        /// Share of unreadable images above which the run stops.
        plain max_bad_fraction: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Decode JPEGs at a smaller scale where the view allows it: faster, pixels differ a little.
        plain fast_decode: bool = Kind::Switch;
    }
}
