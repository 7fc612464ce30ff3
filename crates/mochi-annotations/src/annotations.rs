//! A dataset of images with objects, whatever its files were.

use std::path::PathBuf;

use crate::Mask;

/// Images with objects, in the order of the dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    /// Names of the classes; [`Object::class`] is an index.
    pub classes: Vec<String>,
    /// The number of each class in COCO files (`category_id`), in increasing order; 1, 2, ... for formats without such numbers.
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
    pub path: PathBuf,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
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
    /// The box (x0, y0, x1, y1) in pixels.
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
