//! What a dataset with objects has how often.

use serde::Serialize;

use crate::annotations::Annotations;

/// Areas in square pixels below which an object is small or medium (COCO, `cocoeval.py`, `areaRng`).
const SMALL: f64 = 32.0 * 32.0;
const MEDIUM: f64 = 96.0 * 96.0;

/// Numbers of images and objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Images.
    pub images: usize,
    /// Images without objects.
    pub empty_images: usize,
    /// Objects, crowds and difficult ones included.
    pub objects: usize,
    /// Objects with masks.
    pub masks: usize,
    /// Crowds.
    pub crowds: usize,
    /// Difficult objects.
    pub difficult: usize,
    /// Objects by area: below 32 x 32 pixels, below 96 x 96 pixels, and others.
    pub sizes: Sizes,
    /// Most objects of one image.
    pub most_objects: usize,
    /// Each class, in the order of the classes.
    pub classes: Vec<ClassCount>,
}

/// Objects by area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Below 32 x 32 pixels.
    pub small: usize,
    /// From 32 x 32 and below 96 x 96 pixels.
    pub medium: usize,
    /// From 96 x 96 pixels on.
    pub large: usize,
}

/// How often a class occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// Its objects.
    pub objects: usize,
    /// Images with such objects.
    pub images: usize,
}

impl Statistics {
    /// The numbers of a dataset.
    pub fn of(data: &Annotations) -> Self {
        let named = |name: &String| ClassCount { name: name.clone(), ..ClassCount::default() };
        let mut all =
            Self { images: data.images.len(), classes: data.classes.iter().map(named).collect(), ..Self::default() };
        for image in &data.images {
            all.empty_images += usize::from(image.objects.is_empty());
            all.objects += image.objects.len();
            all.most_objects = all.most_objects.max(image.objects.len());
            for (at, object) in image.objects.iter().enumerate() {
                all.masks += usize::from(object.mask.is_some());
                all.crowds += usize::from(object.crowd);
                all.difficult += usize::from(object.difficult);
                let size = match object.area {
                    area if area < SMALL => &mut all.sizes.small,
                    area if area < MEDIUM => &mut all.sizes.medium,
                    _ => &mut all.sizes.large,
                };
                *size += 1;
                let first = image.objects[..at].iter().all(|before| before.class != object.class);
                if let Some(class) = all.classes.get_mut(object.class) {
                    class.objects += 1;
                    class.images += usize::from(first);
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnnotatedImage, Object};

    #[test]
    fn objects_are_counted_by_class_and_size() {
        let object = |class: usize, area: f64, crowd: bool| Object {
            id: 1,
            class,
            bounds: [0.0, 0.0, 1.0, 1.0],
            mask: None,
            area,
            crowd,
            difficult: crowd,
        };
        let image = |objects| AnnotatedImage {
            id: 1,
            name: String::new(),
            file: std::path::PathBuf::from("a.png").into(),
            width: 640,
            height: 480,
            exif_orientation: true,
            objects,
        };
        let images = vec![
            image(vec![object(1, 1023.9, false), object(1, 1024.0, true), object(0, 9216.0, false)]),
            image(vec![]),
            image(vec![object(1, 9215.0, false)]),
        ];
        let classes = vec!["cat".to_owned(), "dog".to_owned(), "yak".to_owned()];
        let found = Statistics::of(&Annotations { classes, category_ids: vec![1, 2, 3], images });
        assert_eq!((found.images, found.empty_images, found.objects, found.most_objects), (3, 1, 4, 3));
        assert_eq!((found.crowds, found.difficult, found.masks), (1, 1, 0));
        assert_eq!(found.sizes, Sizes { small: 1, medium: 2, large: 1 });
        let classes: Vec<(usize, usize)> = found.classes.iter().map(|class| (class.objects, class.images)).collect();
        assert_eq!(classes, [(1, 1), (3, 2), (0, 0)]);
    }
}
