//! Any bytes as an annotation file of COCO (JSON) beside one image: objects whose class, box and mask can be used, or an error.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mochi_annotations::{Format, Purpose, ReadOptions, read};

/// The header of a PNG file of 40 x 30 pixels.
const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x28\0\0\0\x1e\x08\x02\0\0\0";

/// A folder of this process with everything but the file.
fn place() -> &'static PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = std::env::temp_dir().join(format!("mochi-fuzz-coco-{}", std::process::id()));
        for folder in ["annotations", "train"] {
            std::fs::create_dir_all(place.join(folder)).expect("a temporary folder");
        }
        std::fs::write(place.join("train/a.png"), IMAGE).expect("an image in it");
        place
    })
}

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(place().join("annotations/instances_train.json"), bytes).expect("a file in it");
    let options = ReadOptions { format: Some(Format::Coco), split: None, purpose: Purpose::Training, classes: None };
    match read(place(), &options) {
        Ok(dataset) => {
            let data = &dataset.annotations;
            for object in data.images.iter().flat_map(|image| &image.objects) {
                let [x0, y0, x1, y1] = object.bounds;
                assert!(object.class < data.classes.len() && x0 < x1 && y0 < y1 && object.area.is_finite());
                assert!(x1 > 0.0 && y1 > 0.0 && x0 < 40.0 && y0 < 30.0);
                assert!(object.mask.iter().all(|mask| mask.to_rle(40, 30).to_rows().len() == 1200));
            }
            data.fingerprint();
        }
        Err(error) => assert!(!error.to_string().is_empty() && error.hint().is_some()),
    }
});
