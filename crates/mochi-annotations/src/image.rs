//! The size of an image, from its header, against the size in the annotation.

use std::path::Path;

use mochi_views::decode::{ImageHeader, read_header};

use crate::problem::ProblemKind;
use crate::tree::Tree;

/// Size of an image with the orientation in which its objects were drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageSize {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) exif_orientation: bool,
}

/// A kind of problem and the values in question.
pub(crate) type Fault = (ProblemKind, String);

/// Reads the header of an image.
pub(crate) fn header(tree: &Tree, name: &Path) -> Result<ImageHeader, Fault> {
    let mut file = match tree.reader(name) {
        Ok(file) => file,
        Err(error) => {
            let missing =
                matches!(error.kind(), Some(std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory));
            let kind = if missing { ProblemKind::MissingImage } else { ProblemKind::UnreadableImage };
            return Err((kind, error.to_string()));
        }
    };
    read_header(&mut file).map_err(|error| (ProblemKind::UnreadableImage, error.to_string()))
}

/// Decides which size counts, and what is to be reported about it. `fits` tells whether the objects lie within an image of this size.
///
/// An image whose size is not the annotated one is not used: its objects may have been drawn on another version of it. detectron2 stops there.
/// Two differences have an explanation: the objects were drawn without the EXIF orientation, or width and height were written in the wrong order.
pub(crate) fn settle(
    declared: Option<(u32, u32)>,
    header: &ImageHeader,
    fits: impl FnOnce(u32, u32) -> bool,
) -> Result<(ImageSize, Option<Fault>), Fault> {
    let (width, height) = header.displayed();
    let displayed = ImageSize { width, height, exif_orientation: true };
    let stored = ImageSize { width: header.width, height: header.height, exif_orientation: false };
    let Some((w, h)) = declared.filter(|&(w, h)| w > 0 && h > 0) else {
        return Ok((displayed, Some((ProblemKind::NoSize, format!("the image is {width} x {height}")))));
    };
    let difference = || format!("{w} x {h} in the annotation, the image is {width} x {height}");
    if (w, h) == (width, height) {
        Ok((displayed, None))
    } else if (w, h) == (stored.width, stored.height) {
        let detail = format!("{} with EXIF orientation {}", difference(), header.orientation);
        Ok((stored, Some((ProblemKind::StoredOrientation, detail))))
    } else if (h, w) == (width, height) && fits(width, height) {
        Ok((displayed, Some((ProblemKind::SwappedSize, difference()))))
    } else {
        Err((ProblemKind::SizeConflict, difference()))
    }
}

#[cfg(test)]
mod tests {
    use mochi_views::decode::Format;

    use super::*;

    #[test]
    fn only_explained_differences_are_accepted() {
        let upright = ImageHeader { format: Format::Jpeg, width: 40, height: 30, orientation: 1 };
        let turned = ImageHeader { orientation: 6, ..upright };
        let kind = |declared, header, fits: bool| match settle(declared, header, |_, _| fits) {
            Ok((size, fault)) => ((size.width, size.height, size.exif_orientation), fault.map(|fault| fault.0)),
            Err(fault) => ((0, 0, false), Some(fault.0)),
        };
        assert_eq!(kind(Some((40, 30)), &upright, false), ((40, 30, true), None));
        assert_eq!(kind(Some((30, 40)), &turned, false), ((30, 40, true), None));
        assert_eq!(kind(Some((40, 30)), &turned, false), ((40, 30, false), Some(ProblemKind::StoredOrientation)));
        assert_eq!(kind(Some((30, 40)), &upright, true), ((40, 30, true), Some(ProblemKind::SwappedSize)));
        assert_eq!(kind(Some((30, 40)), &upright, false), ((0, 0, false), Some(ProblemKind::SizeConflict)));
        assert_eq!(kind(Some((80, 60)), &upright, true), ((0, 0, false), Some(ProblemKind::SizeConflict)));
        assert_eq!(kind(Some((0, 0)), &turned, true), ((30, 40, true), Some(ProblemKind::NoSize)));
        assert_eq!(kind(None, &turned, true), ((30, 40, true), Some(ProblemKind::NoSize)));
    }
}
