//! What `mochi augment` shows is what training sees.

use crate::common::{all, folder, image_path, open, options};
use mochi_data::preview::{PreviewOptions, Previewer, png_of_view, preview, sheet, strip};
use mochi_data::{DataError, LoaderOptions};
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};

fn shown(images: usize, like: &LoaderOptions) -> PreviewOptions {
    PreviewOptions {
        images,
        seed: like.seed,
        epoch: like.start.epoch,
        views: 2,
        size: like.size,
        augmentation: like.augmentation.clone(),
        fast_decode: like.fast_decode,
        thumbnail: 64,
        within: None,
    }
}

#[test]
fn views_are_the_pixels_of_the_first_batch() {
    let dir = folder(30);
    // The replacement of a bad image keeps the views that were drawn for the image it replaces.
    for bad in [3, 4, 11, 20] {
        std::fs::write(image_path(dir.path(), bad), b"no picture").unwrap();
    }
    let dataset = open(dir.path());
    for fast_decode in [false, true] {
        let options = LoaderOptions { fast_decode, max_bad_fraction: 1.0, ..options(30) };
        let batch = all(&dataset, options.clone()).remove(0);
        let (previews, bad) = preview(&dataset, &shown(30, &options)).unwrap();
        assert_eq!(bad.len(), 4);
        let used: Vec<u32> = previews.iter().map(|preview| preview.index as u32).collect();
        assert_eq!(used, batch.images);
        let area = 20 * 20;
        for (place, preview) in previews.iter().enumerate() {
            for (number, view) in preview.views.iter().enumerate() {
                let floats = &batch.views[number][place * area * 3..(place + 1) * area * 3];
                for (at, &byte) in view.rgb.iter().enumerate() {
                    let (pixel, c) = (at / 3, at % 3);
                    let value =
                        (floats[c * area + pixel] * options.augmentation.std[c] + options.augmentation.mean[c]) * 255.0;
                    assert!(
                        (value - f32::from(byte)).abs() < 1e-3,
                        "{} view {number}: {value} is not {byte}",
                        preview.name
                    );
                }
            }
        }
        // The same of single images; an image that also replaces a bad one is shown as it is first.
        let mut previewer = Previewer::new(&dataset, shown(1, &options), &bad).unwrap();
        let mut seen = std::collections::HashSet::new();
        for preview in previews.iter().filter(|preview| seen.insert(preview.index)) {
            let again = previewer.make(preview.index).unwrap();
            assert_eq!((&again.name, again.views.len()), (&preview.name, 2));
            for (a, b) in again.views.iter().zip(&preview.views) {
                assert!(a.plan == b.plan && a.rgb == b.rgb, "{}", preview.name);
            }
        }
        assert!(seen.len() == 26 && previewer.make(bad[0].index).is_err());
        let small = previews[0].views[0].thumbnail(20, 10).unwrap();
        assert_eq!((small.width, small.height), (10, 10));
        assert!(Previewer::new(&dataset, PreviewOptions { size: 0, ..shown(1, &options) }, &bad).is_err());
    }
}

#[test]
fn a_strip_is_a_small_jpeg_with_a_column_for_each_image() {
    let dir = folder(12);
    let dataset = open(dir.path());
    let size_of = |size: u32, cell: u32, columns: u32, side: u32| {
        let options = PreviewOptions { size, ..shown(8, &options(8)) };
        let (previews, _) = preview(&dataset, &options).unwrap();
        let jpeg = strip(&previews, size, cell).unwrap();
        let mut pixels = Pixels::default();
        Decoder::new().decode(&jpeg, &DecodeOptions::default(), &mut pixels).unwrap();
        assert_eq!((pixels.width, pixels.height), (columns * (side + 4) + 4, 3 * (side + 4) + 4), "{size} {cell}");
        assert!(jpeg.len() < 100_000, "{} bytes", jpeg.len());
    };
    size_of(20, 96, 8, 80);
    size_of(96, 96, 8, 96);
    size_of(224, 96, 8, 96);
    // No further image is begun when the time is over; one is drawn in any case.
    let short = PreviewOptions { within: Some(std::time::Duration::ZERO), ..shown(8, &options(8)) };
    assert_eq!(preview(&dataset, &short).unwrap().0.len(), 1);
}

#[test]
fn sheets_hold_the_views_as_they_are() {
    let dir = folder(6);
    let options = shown(4, &options(6));
    let (previews, _) = preview(&open(dir.path()), &options).unwrap();
    let decode = |bytes: &[u8]| {
        let mut pixels = Pixels::default();
        Decoder::new().decode(bytes, &DecodeOptions::default(), &mut pixels).unwrap();
        pixels
    };
    assert_eq!(decode(&png_of_view(&previews[0].views[0].rgb, 20).unwrap()).rgb, previews[0].views[0].rgb);
    let sheet = decode(&sheet(&previews, 20).unwrap());
    assert_eq!((sheet.width, sheet.height), (3 * 20 + 4 * 8, 4 * 28 + 8));
    // Row 2, second view, its third line.
    let (left, line) = (8 + 2 * 28, 8 + 2 * 28 + 3);
    let at = (line * sheet.width as usize + left) * 3;
    assert_eq!(sheet.rgb[at..at + 60], previews[2].views[1].rgb[3 * 60..4 * 60]);
}

/// Report: of a preset with eight views, two were shown.
#[test]
fn every_view_of_a_preset_with_several_is_shown() {
    let dir = folder(6);
    let (two, _) = preview(&open(dir.path()), &shown(4, &options(6))).unwrap();
    let (eight, _) = preview(&open(dir.path()), &PreviewOptions { views: 8, ..shown(4, &options(6)) }).unwrap();
    assert_eq!(eight[1].views.len(), 8);
    assert_eq!(
        eight[1].views[..2].iter().map(|v| &v.rgb).collect::<Vec<_>>(),
        two[1].views.iter().map(|v| &v.rgb).collect::<Vec<_>>()
    );
    let mut pixels = Pixels::default();
    Decoder::new().decode(&sheet(&eight, 20).unwrap(), &DecodeOptions::default(), &mut pixels).unwrap();
    assert_eq!((pixels.width, pixels.height), (9 * 28 + 8, 4 * 28 + 8));
}

#[test]
fn a_folder_of_nothing_readable_is_one_error() {
    let dir = folder(5);
    for i in 0..5 {
        std::fs::write(image_path(dir.path(), i), b"").unwrap();
    }
    let error = preview(&open(dir.path()), &shown(3, &options(5))).unwrap_err();
    assert!(matches!(error, DataError::NoneReadable { images: 5, .. }), "{error}");
    assert!(error.hint().is_some());
}
