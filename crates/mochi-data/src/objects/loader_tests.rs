use std::path::Path;

use mochi_annotations::{AnnotatedImage, ImageFile, ImageMember};

use super::*;

/// PNG images of different sizes; image i has the red value 20 i in its left half and 0 elsewhere.
fn dataset(folder: &Path, sizes: &[(u32, u32)]) -> Arc<Annotations> {
    let image = |(i, &(width, height)): (usize, &(u32, u32))| {
        let path = folder.join(format!("{i}.png"));
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), width, height);
        encoder.set_color(png::ColorType::Rgb);
        let pixel = |at: u32| if at % width < width / 2 { [20 * i as u8, 0, 0] } else { [0; 3] };
        let rgb: Vec<u8> = (0..width * height).flat_map(pixel).collect();
        encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
        AnnotatedImage {
            id: i as u64,
            name: format!("{i}.png"),
            file: path.into(),
            width,
            height,
            exif_orientation: true,
            objects: Vec::new(),
        }
    };
    Arc::new(Annotations { images: sizes.iter().enumerate().map(image).collect(), ..Annotations::default() })
}

fn options(seed: Option<u64>, batch: usize, groups: usize, end: u64) -> ObjectLoaderOptions {
    ObjectLoaderOptions {
        seed,
        batch,
        groups,
        shard: Shard::WHOLE,
        aspect_grouping: true,
        image: ObjectImageOptions { short_sides: vec![8, 16], longest_side: 24, flip: 0.5 },
        mean: [0.0; 3],
        std: [1.0; 3],
        start: 0,
        end,
        threads: 2,
        prefetch: 2,
        max_bad_fraction: 0.2,
        cancel: Cancel::default(),
    }
}

const SIZES: [(u32, u32); 8] = [(16, 8), (8, 16), (32, 16), (16, 16), (24, 16), (8, 8), (40, 8), (8, 24)];

fn all(loader: ObjectLoader) -> Vec<ObjectBatch> {
    loader.collect::<Result<_, _>>().unwrap()
}

#[test]
fn members_of_a_tar_file_are_loaded_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = dataset(folder.path(), &SIZES);
    let tar = folder.path().join("images.tar");
    let mut packed = Annotations::clone(&files);
    let mut bytes = b"before".to_vec();
    for image in &mut packed.images {
        let content = std::fs::read(&image.file.path).unwrap();
        let span = mochi_tar::Span { offset: bytes.len() as u64, length: content.len() as u64 };
        bytes.extend(content);
        let name = image.name.clone().into();
        image.file = ImageFile { path: tar.clone(), member: Some(ImageMember { name, span }) };
    }
    std::fs::write(&tar, &bytes).unwrap();
    let load = |data: Arc<Annotations>| all(ObjectLoader::new(data, options(Some(3), 4, 2, 3)).unwrap());
    let (of_files, of_tar) = (load(files), load(Arc::new(packed.clone())));
    let pixels = |batches: &[ObjectBatch]| -> Vec<Vec<f32>> {
        batches.iter().flat_map(|batch| &batch.groups).map(|group| group.pixels.clone()).collect()
    };
    assert_eq!(pixels(&of_files), pixels(&of_tar));
    // The last member is cut short: a bad image that is replaced.
    std::fs::write(&tar, &bytes[..bytes.len() - 1]).unwrap();
    let bad = super::super::find_unreadable(&packed, 1, &mut |_| {}).unwrap();
    let found: Vec<_> = bad.iter().map(|bad| (bad.index, bad.reason)).collect();
    assert_eq!(found, [(7, BadReason::Truncated)]);
}

#[test]
fn ranks_load_the_groups_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), &SIZES);
    let images = |shard: Shard| -> Vec<Vec<Vec<u32>>> {
        let options = ObjectLoaderOptions { shard, ..options(Some(1), 8, 4, 3) };
        let batches = ObjectLoader::new(data.clone(), options).unwrap().map(Result::unwrap);
        batches.map(|b| b.groups.iter().map(|g| g.images.iter().map(|i| i.index).collect()).collect()).collect()
    };
    let whole = images(Shard::WHOLE);
    let ranks = [0, 1].map(|rank| images(Shard { rank, world_size: 2 }));
    for (step, groups) in whole.iter().enumerate() {
        assert_eq!(*groups, [&ranks[0][step][..], &ranks[1][step]].concat());
    }
    let three = ObjectLoaderOptions { shard: Shard { rank: 0, world_size: 3 }, ..options(Some(1), 8, 4, 3) };
    assert!(ObjectLoader::new(data, three).is_err_and(|error| error.to_string().contains("3 processes")));
}

#[test]
fn ranks_share_the_images_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), &SIZES);
    let images = |rank: usize| -> Vec<Vec<u32>> {
        let options = ObjectLoaderOptions { shard: Shard { rank, world_size: 3 }, ..options(None, 3, 3, 3) };
        let batches = all(ObjectLoader::new(data.clone(), options).unwrap());
        batches.iter().flat_map(|b| &b.groups).map(|g| g.images.iter().map(|i| i.index).collect()).collect()
    };
    assert_eq!(images(0), [[0], [3], [6]]);
    assert_eq!(images(1), [[1], [4], [7]]);
    assert_eq!(images(2), [vec![2], vec![5], vec![]]);
}

#[test]
fn a_batch_depends_on_seed_and_step_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), &SIZES);
    let of = |threads, start| {
        all(ObjectLoader::new(data.clone(), ObjectLoaderOptions { threads, start, ..options(Some(1), 4, 2, 12) })
            .unwrap())
    };
    let (whole, later) = (of(1, 0), of(3, 5));
    assert_eq!((whole.len(), later.len()), (12, 7));
    for (a, b) in whole[5..].iter().zip(&later) {
        assert_eq!(a.step, b.step);
        for (a, b) in a.groups.iter().zip(&b.groups) {
            assert_eq!((&a.images, &a.pixels), (&b.images, &b.pixels));
        }
    }
    let sizes: std::collections::BTreeSet<u32> =
        whole.iter().flat_map(|b| &b.groups).flat_map(|g| &g.images).map(|i| i.height.min(i.width)).collect();
    assert!(sizes.contains(&8) && sizes.contains(&16), "{sizes:?}");
}

#[test]
fn images_are_padded_and_mirrored_with_their_placement() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), &SIZES);
    let mut mirrored = 0;
    for batch in all(ObjectLoader::new(data.clone(), options(Some(2), 4, 2, 12)).unwrap()) {
        for group in &batch.groups {
            let (height, width) = (group.height as usize, group.width as usize);
            for (at, image) in group.images.iter().enumerate() {
                let red = &group.pixels[at * 3 * height * width..][..height * width];
                let value = |x: u32, y: u32| red[y as usize * width + x as usize];
                // A point in the left quarter of the original image.
                let own = &data.images[image.index as usize];
                let [x, y] = image.placement.point([f64::from(own.width) / 8.0, f64::from(own.height) / 2.0]);
                assert_eq!(value(x as u32, y as u32), 20.0 * image.index as f32);
                let [x, y] = image.placement.point([f64::from(own.width) * 7.0 / 8.0, f64::from(own.height) / 2.0]);
                assert_eq!(value(x as u32, y as u32), 0.0);
                mirrored += u32::from(image.placement.mirrored.is_some());
                let outside = red
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| (i % width) as u32 >= image.width || (i / width) as u32 >= image.height);
                assert!(outside.into_iter().all(|(_, &value)| value == 0.0));
            }
        }
    }
    assert!((8..40).contains(&mirrored), "{mirrored} of 48");
}

#[test]
fn bad_images_are_replaced_in_training_and_left_out_in_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), &SIZES);
    std::fs::write(&data.images[3].file.path, b"no image").unwrap();
    let mut loader = ObjectLoader::new(data.clone(), options(None, 1, 1, 8)).unwrap();
    let found: Vec<_> = loader.by_ref().map(Result::unwrap).flat_map(|b| b.groups).flat_map(|g| g.images).collect();
    assert_eq!(found.iter().map(|image| image.index).collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6, 7]);
    assert!(found.iter().all(|image| image.placement.mirrored.is_none() || image.index != 3));
    let bad = loader.new_bad_images();
    assert_eq!((bad.len(), bad[0].name.as_str()), (1, "3.png"));
    assert!(loader.new_bad_images().is_empty());
    let training = all(ObjectLoader::new(data.clone(), options(Some(0), 2, 1, 20)).unwrap());
    assert!(
        training.iter().flat_map(|b| &b.groups).all(|g| g.images.len() == 2 && g.images.iter().all(|i| i.index != 3))
    );
    std::fs::write(&data.images[4].file.path, b"").unwrap();
    let error = ObjectLoader::new(data, options(Some(0), 4, 1, 20)).unwrap().find_map(Result::err).unwrap();
    assert!(matches!(error, DataError::TooManyBad { bad: 2, .. }), "{error}");
}

#[test]
fn an_image_of_another_size_than_its_annotation_is_bad() {
    let folder = tempfile::tempdir().unwrap();
    let mut data = (*dataset(folder.path(), &SIZES)).clone();
    data.images[0].width = 17;
    let mut loader = ObjectLoader::new(Arc::new(data), options(None, 1, 1, 8)).unwrap();
    assert!(loader.by_ref().all(|batch| batch.is_ok()));
    assert!(loader.new_bad_images()[0].detail.contains("16 x 8 pixels, its annotation says 17 x 8"));
}

#[test]
fn waiting_ends_on_request_and_options_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), &SIZES);
    let bad = [ObjectLoaderOptions { groups: 3, ..options(Some(0), 4, 1, 1) }, options(Some(0), 0, 1, 1)];
    assert!(bad.into_iter().all(|options| ObjectLoader::new(data.clone(), options).is_err()));
    assert!(ObjectLoader::new(Arc::default(), options(Some(0), 1, 1, 1)).is_err());
    // Dropped while it waits for a place.
    drop(ObjectLoader::new(data, options(Some(0), 4, 1, u64::MAX)).unwrap());
}
