//! Sizes and aspect ratios of the images.

use serde::Serialize;

/// Minimum, median (of an even number of values, the mean of the two in the middle, rounded down) and maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Minimum.
    pub min: u64,
    /// Median.
    pub median: u64,
    /// Maximum.
    pub max: u64,
}

/// Bin of a histogram: values with `from <= v < to`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Text for people.
    pub label: String,
    /// Lower bound, included.
    pub from: f64,
    /// Upper bound, excluded; absent in an unbounded last bin.
    pub to: Option<f64>,
    /// Number of images.
    pub count: usize,
}

/// Sizes of the readable images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sizes {
    /// Widths in pixels.
    pub width: Spread,
    /// Heights in pixels.
    pub height: Spread,
    /// Shorter sides in pixels.
    pub short_side: Spread,
    /// Pixels per image.
    pub pixels: Spread,
    /// Bytes per encoded image; absent for raw pixels (IDX, CIFAR).
    pub file_bytes: Option<Spread>,
    /// Sum of all encoded bytes.
    pub total_bytes: u64,
    /// View size in pixels that `smaller_than_view` refers to.
    pub view: u32,
    /// Number of images whose shorter side is smaller than a view; all of their views are enlarged.
    pub smaller_than_view: usize,
    /// Histogram of the shorter side.
    pub short_sides: Vec<Bin>,
    /// Histogram of width / height. A bin is named after the common aspect ratio that it contains.
    pub aspect_ratios: Vec<Bin>,
}

/// Edges of the histogram of shorter sides.
const SIDES: [u32; 17] = [0, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];
/// Edges of the histogram of aspect ratios, between the common ones, and names of the bins.
const ASPECT_RATIOS: [(f64, &str); 11] = [
    (0.0, "< 1:3"),
    (1.0 / 3.0, "1:3"),
    (0.5, "9:16"),
    (0.61, "2:3"),
    (0.705, "3:4"),
    (0.87, "square"),
    (1.0 / 0.87, "4:3"),
    (1.0 / 0.705, "3:2"),
    (1.0 / 0.61, "16:9"),
    (2.0, "2:1"),
    (3.0, "> 3:1"),
];

impl Sizes {
    /// Sizes of images given as `(width, height, encoded bytes)`, with 0 bytes for raw pixels; `None` without images.
    pub(super) fn of(images: &[(u32, u32, u64)], view: u32) -> Option<Self> {
        let spread = |value: &dyn Fn(&(u32, u32, u64)) -> u64| spread(images.iter().map(value).collect());
        let short = |&(w, h, _): &(u32, u32, u64)| w.min(h);
        let encoded: Vec<u64> = images.iter().map(|image| image.2).filter(|&bytes| bytes > 0).collect();
        let labels = SIDES.iter().enumerate().map(|(i, from)| match SIDES.get(i + 1) {
            Some(to) => (f64::from(*from), format!("{from}–{}", to - 1)),
            None => (f64::from(*from), format!("{from}+")),
        });
        let aspect_ratios = ASPECT_RATIOS.iter().map(|&(from, label)| (from, label.to_owned()));
        Some(Self {
            width: spread(&|image| u64::from(image.0))?,
            height: spread(&|image| u64::from(image.1))?,
            short_side: spread(&|image| u64::from(short(image)))?,
            pixels: spread(&|image| u64::from(image.0) * u64::from(image.1))?,
            total_bytes: encoded.iter().sum(),
            file_bytes: self::spread(encoded),
            view,
            smaller_than_view: images.iter().filter(|image| short(image) < view).count(),
            short_sides: histogram(labels, images.iter().map(|image| f64::from(short(image)))),
            aspect_ratios: histogram(aspect_ratios, images.iter().map(|&(w, h, _)| f64::from(w) / f64::from(h.max(1)))),
        })
    }
}

pub(super) fn spread(mut values: Vec<u64>) -> Option<Spread> {
    values.sort_unstable();
    let [lower, upper] = [values.len().saturating_sub(1) / 2, values.len() / 2];
    let median = u64::midpoint(*values.get(lower)?, *values.get(upper)?);
    Some(Spread { min: *values.first()?, median, max: *values.last()? })
}

/// Counts values in bins that begin at the given edges. Empty bins at both ends are left out.
fn histogram(edges: impl Iterator<Item = (f64, String)>, values: impl Iterator<Item = f64>) -> Vec<Bin> {
    let mut bins: Vec<Bin> = edges.map(|(from, label)| Bin { label, from, to: None, count: 0 }).collect();
    let ends: Vec<f64> = bins.iter().skip(1).map(|bin| bin.from).collect();
    for (bin, end) in bins.iter_mut().zip(ends) {
        bin.to = Some(end);
    }
    for value in values {
        let at = bins.partition_point(|bin| bin.from <= value);
        if let Some(bin) = bins.get_mut(at.saturating_sub(1)) {
            bin.count += 1;
        }
    }
    let last = bins.iter().rposition(|bin| bin.count > 0).map_or(0, |at| at + 1);
    bins.truncate(last);
    let first = bins.iter().position(|bin| bin.count > 0).unwrap_or(0);
    bins.split_off(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_count_every_image_once_and_medians_are_correct() {
        let images: Vec<(u32, u32, u64)> =
            [(640, 480), (480, 640), (100, 100), (5000, 4096), (30, 9)].map(|(w, h)| (w, h, 7)).into();
        let sizes = Sizes::of(&images, 224).unwrap();
        assert_eq!(sizes.short_sides.iter().map(|bin| bin.count).sum::<usize>(), 5);
        assert_eq!(sizes.short_side, Spread { min: 9, median: 480, max: 4096 });
        assert_eq!((sizes.smaller_than_view, sizes.total_bytes), (2, 35));
        let shape = |label| sizes.aspect_ratios.iter().find(|bin| bin.label == label).unwrap().count;
        assert_eq!((shape("3:4"), shape("4:3"), shape("square"), shape("> 3:1")), (1, 2, 1, 1));
        assert_eq!(sizes.short_sides[0].label, "0–15");
        assert_eq!(sizes.short_sides.last().unwrap().to, None);
        assert!(Sizes::of(&[], 224).is_none());
    }
}
