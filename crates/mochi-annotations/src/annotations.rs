//! A dataset of images with objects, whatever its files were.

use crate::Mask;
use crate::image_file::ImageFile;

/// Images with objects, in the order of the dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    /// Names of the classes; [`Object::class`] is an index.
    pub classes: Vec<String>,
    /// The number of each class in COCO files (`category_id`); 1, 2, ... for formats without such numbers. In increasing order unless the classes were
    /// given; a given class that the file does not have gets a number that the file does not use.
    pub category_ids: Vec<u64>,
    /// The images.
    pub images: Vec<AnnotatedImage>,
}

/// One image and its objects.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotatedImage {
    /// COCO's image number; the position, counted from 1, for formats without numbers.
    pub id: u64,
    /// The name for messages and result files: COCO's `file_name`, VOC's image id, the path of a YOLO image within its folder.
    pub name: String,
    /// The image file.
    pub file: ImageFile,
    /// Width in pixels, with the EXIF orientation applied if [`Self::exif_orientation`] is set.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Whether the EXIF orientation is applied when the image is decoded. It is, unless the annotated size shows that the objects were drawn on the
    /// stored pixels ([`crate::ProblemKind::StoredOrientation`]).
    pub exif_orientation: bool,
    /// The objects in the order of the file, crowds and difficult ones included.
    pub objects: Vec<Object>,
}

/// One object of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// COCO's annotation number; counted from 1 over the dataset for formats without numbers.
    pub id: u64,
    /// An index into [`Annotations::classes`].
    pub class: usize,
    /// The box (x0, y0, x1, y1) in pixels. It overlaps the image and can reach beyond it.
    pub bounds: [f64; 4],
    /// The pixels of the object, if the dataset has masks.
    pub mask: Option<Mask>,
    /// COCO's `area` in square pixels, which decides about small, medium and large. That of the mask or box where the file has none.
    pub area: f64,
    /// COCO's `iscrowd`: a group that is not trained on, and whose detection is neither right nor wrong.
    pub crowd: bool,
    /// VOC's `difficult`: trained on, but not counted in evaluation.
    pub difficult: bool,
}

impl Annotations {
    /// The images that a detector can learn from: those with an object that is no crowd (detectron2 `data/build.py`,
    /// `filter_images_with_only_crowd_annotations`).
    #[must_use]
    pub fn for_training(mut self) -> Self {
        self.images.retain(|image| image.objects.iter().any(|object| !object.crowd));
        self
    }

    /// A fingerprint of classes, names and sizes of images, and objects.
    pub fn fingerprint(&self) -> u64 {
        use std::hash::Hasher;
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        let mut text = |text: &str| {
            hash.write_u64(text.len() as u64);
            hash.write(text.as_bytes());
        };
        self.classes.iter().for_each(|class| text(class));
        for image in &self.images {
            text(&image.name);
        }
        for image in &self.images {
            hash.write_u64(u64::from(image.width) << 32 | u64::from(image.height));
            hash.write_u64(image.objects.len() as u64);
            for object in &image.objects {
                hash.write_u64(object.class as u64);
                object.bounds.iter().for_each(|side| hash.write_u64(side.to_bits()));
                hash.write_u64(u64::from(object.crowd) << 1 | u64::from(object.difficult));
                object.mask.iter().for_each(|mask| mask.feed(&mut hash));
            }
        }
        hash.finish()
    }
}
