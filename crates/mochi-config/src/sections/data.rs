//! `[data]`: images, augmentation and loading.

use crate::choice::Augment;
use crate::kind::Kind;
use crate::section::section;

section! {
    /// Images, augmentation and loading.
    Data, DataSettings, "data" {
        /// Images: a folder (searched recursively), a glob, a `.txt` list of folders, globs and images, IDX or CIFAR binary files, or tar
        /// shards. The command line's DATA argument sets this key.
        plain source: String = Kind::Text;
        /// More sources, whose images follow those of `data.source`. `--also` on the command line sets this key.
        plain also: Vec<String> = Kind::Texts;
        /// View size: width and height in pixels. auto: the largest of 32, 48, 64, 96, 128, 160, 192 and 224, up to the images' shorter side,
        /// at which the time allows 32 x size x size views (images x epochs x views); without a time limit the shorter side, at most 128.
        auto size: u32 = Kind::Integer { min: 8, max: 4096 };
        /// V: views of each image in a step. More than 2 require `moco.encoder = "shared"`: each view of an image is then a positive of all its
        /// others.
        plain views: usize = Kind::Integer { min: 2, max: 16 };
        /// Augmentation pipeline that draws the views of an image: `moco-v1`, `moco-v2`, `simclr`, `cifar` (MoCo's CIFAR-10 notebook:
        /// crops of 0.08 to 1, no blur), `supcon-cifar` (the same with crops of 0.2 to 1), `infomin` (PyContrast's steps, with RandAugment
        /// about twice as strong: both of its operations are always applied, there each with probability 0.5), `gray` (small grayscale
        /// images such as Fashion-MNIST: no color changes).
        /// auto: `gray` if all images of a sample are grayscale, otherwise `simclr`.
        auto augment: Augment = Kind::Choice(Augment::WORDS);
        /// Smallest area of a random crop, as a fraction of the image's area. 0: that of the augmentation pipeline (0.2 for `moco-v2`).
        plain crop_min_scale: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Threads that decode and augment images. auto: all cores but one with a GPU, at most 32; a quarter of the cores on a CPU, at most
        /// 8, because the network needs the others.
        auto threads: usize = Kind::Integer { min: 1, max: 1024 };
        /// Batches prepared in advance.
        plain prefetch: usize = Kind::Integer { min: 1, max: 1024 };
        /// Largest fraction of bad images (images that cannot be read or decoded). Bad images are reported and replaced by the next one;
        /// the run stops if their fraction exceeds this value. One bad image never ends a run, however few images there are, unless the value
        /// is 0.
        plain max_bad_fraction: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Decode JPEGs at 1/2, 1/4 or 1/8 of their size if that is at least twice the view size. Faster; pixels differ slightly, and crops
        /// of less than a quarter of the image's area (`simclr` and `cifar` go down to 0.08) are enlarged from the reduced image.
        plain fast_decode: bool = Kind::Switch;
        /// Keep decoded images in memory, up to a quarter of it, reduced to the size that the smallest crop of a view needs. Later epochs then
        /// neither read nor decode them, which is much faster for large photos. Images larger than that (2.24 times the view size for
        /// the crops of `moco-v2`) are resized twice, so pixels differ slightly from torchvision's.
        plain cache: bool = Kind::Switch;
    }
}
