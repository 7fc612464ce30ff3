//! Masks of all kinds as the run lengths that overlaps are computed from, and COCO's text for run lengths.
//!
//! Pixels of polygons and the text are those of pycocotools (`maskApi.c`), through `hotcoco`.

use hotcoco::mask;
use hotcoco::types::{Rle as Runs, Segmentation};
use mochi_annotations::{Mask, Rle};
use serde_json::value::RawValue;

/// The largest coordinate of a polygon, in pixels. Beyond it the integers of `maskApi.c` overflow.
const FARTHEST: f64 = (1 << 22) as f64;

/// The `segmentation` of a COCO file: polygons, run lengths as numbers or as text.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn from_json(text: &RawValue, size: [u32; 2]) -> Result<Runs, String> {
    from_segmentation(parsed(text)?, size)
}

/// As [`from_json`], but text stays text, which takes a third of the memory. Also returns the area.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn checked_json(text: &RawValue, size: [u32; 2]) -> Result<(Segmentation, f64), String> {
    match parsed(text)? {
        Segmentation::CompressedRle { size: own, counts } => {
            let area = area(&from_text(&counts, own, size)?);
            Ok((Segmentation::CompressedRle { size: own, counts }, area))
        }
        other => {
            let runs = from_segmentation(other, size)?;
            let area = area(&runs);
            Ok((to_segmentation(runs), area))
        }
    }
}

/// Run lengths as `hotcoco` stores them.
pub(crate) fn to_segmentation(runs: Runs) -> Segmentation {
    Segmentation::UncompressedRle { size: [runs.h, runs.w], counts: runs.counts }
}

/// The mask of an annotated object.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn from_mask(mask: &Mask, size: [u32; 2]) -> Result<Runs, String> {
    match mask {
        Mask::Polygons(polygons) => from_polygons(polygons, size),
        Mask::Rle(rle) => from_rle(rle, size),
    }
}

/// The mask of a detection.
///
/// # Errors
/// If its size is not that of the image (height, width), or if its runs do not fill it.
pub(crate) fn from_rle(rle: &Rle, size: [u32; 2]) -> Result<Runs, String> {
    checked(Runs { h: rle.height, w: rle.width, counts: rle.counts.clone() }, size)
}

/// COCO's text for run lengths.
pub(crate) fn to_text(rle: &Rle) -> String {
    mask::rle_to_string(&Runs { h: rle.height, w: rle.width, counts: rle.counts.clone() })
}

/// The box (x0, y0, width, height) around the mask, as `pycocotools.mask.toBbox` has it.
pub(crate) fn bounds(runs: &Runs) -> [f64; 4] {
    mask::to_bbox(runs)
}

/// The number of pixels.
pub(crate) fn area(runs: &Runs) -> f64 {
    mask::area(runs) as f64
}

const FORM: &str = "segmentation is neither a list of polygons nor run lengths with size and counts";

fn parsed(text: &RawValue) -> Result<Segmentation, String> {
    serde_json::from_str(text.get()).map_err(|error| format!("{FORM}: {error}"))
}

fn from_segmentation(segmentation: Segmentation, image: [u32; 2]) -> Result<Runs, String> {
    match segmentation {
        Segmentation::Polygon(polygons) => from_polygons(&polygons, image),
        Segmentation::UncompressedRle { size, counts } => checked(Runs { h: size[0], w: size[1], counts }, image),
        Segmentation::CompressedRle { size, counts } => from_text(&counts, size, image),
        _ => Err(FORM.to_owned()),
    }
}

fn from_text(text: &str, [h, w]: [u32; 2], size: [u32; 2]) -> Result<Runs, String> {
    same_size([h, w], size)?;
    let runs = mask::rle_from_string(text, h, w).map_err(|error| format!("run lengths cannot be read: {error}"))?;
    checked(runs, size)
}

/// As `frPyObjects` of `pycocotools/_mask.pyx`: lists of four numbers are boxes x, y, width, height if the first is one.
fn from_polygons(polygons: &[Vec<f64>], [height, width]: [u32; 2]) -> Result<Runs, String> {
    let Some(first) = polygons.first() else {
        return Err("segmentation has no polygon".to_owned());
    };
    if let Some(value) = polygons.iter().flatten().find(|value| value.is_nan() || value.abs() > FARTHEST) {
        return Err(format!("polygon coordinate {value:?}, expected at most {FARTHEST} pixels"));
    }
    let boxes = first.len() == 4;
    if let Some(short) = polygons.iter().find(|one| if boxes { one.len() != 4 } else { one.len() < 6 }) {
        let expected = if boxes { "4 numbers as in the first" } else { "at least 6 numbers" };
        return Err(format!("polygon of {} numbers, expected {expected}", short.len()));
    }
    let drawn = if boxes {
        let corners = |one: &Vec<f64>| Segmentation::rect_corners(&[one[0], one[1], one[2], one[3]]).to_vec();
        mask::fr_polys(&polygons.iter().map(corners).collect::<Vec<_>>(), height, width)
    } else {
        mask::fr_polys(polygons, height, width)
    };
    drawn.map_err(|error| error.to_string())
}

fn checked(runs: Runs, size: [u32; 2]) -> Result<Runs, String> {
    same_size([runs.h, runs.w], size)?;
    let pixels = u64::from(runs.h) * u64::from(runs.w);
    if u32::try_from(pixels).is_err() {
        return Err(format!("mask of {pixels} pixels, at most {} are supported", u32::MAX));
    }
    let covered: u64 = runs.counts.iter().copied().map(u64::from).sum();
    if covered != pixels {
        return Err(format!("run lengths cover {covered} pixels, but the mask has {pixels}"));
    }
    Ok(runs)
}

fn same_size([h, w]: [u32; 2], [height, width]: [u32; 2]) -> Result<(), String> {
    if [h, w] == [height, width] {
        return Ok(());
    }
    Err(format!("mask of {w} x {h} pixels in an image of {width} x {height}"))
}

#[cfg(test)]
#[path = "masks_tests.rs"]
mod tests;
