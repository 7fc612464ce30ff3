//! Packing and shards on a disk: what is packed is what is read, a stopped pack goes on to the same bytes, other people's shards are read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::{all, content, fixture, folder, image_path, open, options};
use mochi_data::pack::{PackOptions, ShardSize, pack};
use mochi_data::{DataError, Dataset, Loader, LoaderOptions, OpenOptions, Position, ReadError};
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::{BadReason, DecodeError};

fn small() -> PackOptions {
    PackOptions { shard_size: ShardSize::Images(16), threads: 2, ..PackOptions::default() }
}

fn packed(source: &Dataset, options: &PackOptions) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    pack(source, out.path(), options, &mut |_| ()).unwrap();
    out
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

fn bytes_of(dataset: &Dataset, index: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    dataset.read(index, &mut bytes).unwrap();
    bytes
}

/// Why an image is bad.
fn bad(dataset: &Dataset, index: usize) -> DecodeError {
    match dataset.read(index, &mut Vec::new()) {
        Err(ReadError::Image(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Names without extension, with bytes and class name.
fn table(dataset: &Dataset) -> BTreeMap<String, (Vec<u8>, Option<String>)> {
    let class = |i: usize| dataset.labels().map(|l| dataset.class_names()[l[i] as usize].clone());
    let key = |i: usize| dataset.name_of(i).rsplit_once('.').unwrap().0.replace(".img", "_img");
    (0..dataset.len()).map(|i| (key(i), (bytes_of(dataset, i), class(i)))).collect()
}

#[test]
fn packing_keeps_every_byte_and_class_and_mixes_the_order() {
    let dir = folder(50);
    let source = open(dir.path());
    let out = packed(&source, &small());
    let shards = open(out.path());
    assert_eq!((shards.len(), shards.kind()), (50, "tar shards"));
    assert_eq!(table(&shards), table(&source));
    assert_eq!(shards.class_names(), source.class_names());
    let names = |d: &Dataset| (0..d.len()).map(|i| d.name_of(i)).collect::<Vec<_>>();
    assert!(!names(&shards).is_sorted(), "images are shuffled over the shards");
    // One PNG is named .jpg in the source: the shard says what it is.
    assert!(names(&shards).iter().any(|n| n.ends_with(".png")) && names(&shards).iter().any(|n| n.ends_with(".webp")));
    let written = files(out.path());
    let list: Vec<&str> = written.keys().map(String::as_str).collect();
    let shard = |i: usize| [format!("{i:06}.idx"), format!("{i:06}.tar")];
    let mut expected: Vec<String> = (0..4).flat_map(shard).collect();
    expected.push("dataset.json".into());
    assert_eq!(list, expected);
    // Threads change no byte, the seed does.
    assert!(files(packed(&source, &PackOptions { threads: 5, ..small() }).path()) == written);
    assert!(files(packed(&source, &PackOptions { seed: 1, ..small() }).path()) != written);
}

#[test]
fn shards_in_order_train_like_the_folder_bit_for_bit() {
    let dir = folder(40);
    let source = open(dir.path());
    let shards = packed(&source, &PackOptions { in_order: true, ..small() });
    let shards = open(shards.path());
    let (a, b) = (all(&source, options(8)), all(&shards, options(8)));
    assert!(content(&a) == content(&b));
    let rest = all(&shards, LoaderOptions { start: Position { epoch: 2, batch: 3 }, ..options(8) });
    assert!(content(&a[3..]) == content(&rest));
    assert_ne!(source.fingerprint(), shards.fingerprint(), "a run is not resumed with other files");
    assert_eq!(source.labels(), shards.labels());
}

#[test]
fn a_shard_a_list_and_a_star_are_data_sets_with_and_without_index() {
    let out = packed(&open(folder(50).path()), &small());
    let at = |name: &str| open(&out.path().join(name));
    let whole = open(out.path());
    let names = |d: &Dataset| (0..d.len()).map(|i| d.name_of(i)).collect::<Vec<_>>();
    let first = at("000000.tar");
    let (some, star, manifest) = (at("{000001..000003}.tar"), at("*.tar"), at("dataset.json"));
    assert_eq!(names(&first), names(&whole)[..16]);
    assert_eq!(names(&some), names(&whole)[16..]);
    assert_eq!(names(&star), names(&whole));
    assert_eq!(names(&manifest), names(&whole));
    assert_eq!(star.class_names(), ["0", "1", "2"], "without dataset.json classes have numbers only");
    let content = table(&star);
    for i in 0..4 {
        fs::remove_file(out.path().join(format!("{i:06}.idx"))).unwrap();
    }
    let scanned = at("*.tar");
    assert!(table(&scanned) == content && names(&scanned) == names(&whole) && scanned.warnings().is_empty());
    let missing = Dataset::open(&out.path().join("{000002..000007}.tar"), &OpenOptions::default());
    assert!(matches!(missing, Err(DataError::NotFound { path }) if path.ends_with("000004.tar")));
}

#[test]
fn foreign_shards_are_read_by_webdatasets_rules() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foreign.tar");
    // GNU format, as Python's tarfile and most tars wrote it for long.
    let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    let long = "a".repeat(130);
    for (i, extension) in ["jpg", "jpeg", "png", "webp", "JPG"].into_iter().enumerate() {
        let image = fixture(["420.jpg", "444.jpg", "rgb.png", "lossy.webp", "420.jpg"][i]);
        // The class may stand before the image as well as behind.
        if i % 2 == 0 {
            add(&format!("./train/{long}{i}.cls"), format!("{}\n", i * 2).as_bytes());
        }
        add(&format!("./train/{long}{i}.{extension}"), &image);
        add(&format!("./train/{long}{i}.json"), b"{}");
        if i % 2 == 1 {
            add(&format!("./train/{long}{i}.cls"), (i * 2).to_string().as_bytes());
        }
    }
    add("mask.jpg", &fixture("420.jpg"));
    add("mask.seg.png", &fixture("rgb.png"));
    add("mask.cls", b"1");
    add("README", b"no image");
    tar.finish().unwrap();
    drop(tar);
    let dataset = open(&path);
    assert_eq!(dataset.len(), 6);
    assert_eq!(dataset.labels(), Some(&[0, 2, 4, 6, 8, 1][..]));
    assert_eq!(dataset.class_names().len(), 9);
    assert!(
        dataset.warnings().len() == 1 && dataset.warnings()[0].contains(": 1 image was ignored "),
        "{:?}",
        dataset.warnings()
    );
    assert_eq!(bytes_of(&dataset, 2), fixture("rgb.png"));
    assert_eq!(bytes_of(&dataset, 5), fixture("420.jpg"));
    assert_eq!(all(&dataset, options(3)).len(), 2);
    // Packing it again gives it an index, and names that fit no header go into pax headers.
    let out = packed(&dataset, &small());
    let again = open(out.path());
    let mut sorted: Vec<_> = (0..6).map(|i| (bytes_of(&again, i), again.labels().unwrap()[i])).collect();
    let mut expected: Vec<_> = (0..6).map(|i| (bytes_of(&dataset, i), dataset.labels().unwrap()[i])).collect();
    sorted.sort();
    expected.sort();
    assert!(sorted == expected);
    let indexed: Vec<String> = (0..6).map(|i| again.name_of(i)).collect();
    fs::remove_file(out.path().join("000000.idx")).unwrap();
    let scanned = open(&out.path().join("000000.tar"));
    assert_eq!((0..6).map(|i| scanned.name_of(i)).collect::<Vec<_>>(), indexed);
    assert!(indexed.iter().any(|n| n.contains(&long)));
}

#[test]
fn bad_images_are_left_out_and_listed() {
    let dir = folder(20);
    fs::write(image_path(dir.path(), 4), b"").unwrap();
    fs::write(image_path(dir.path(), 5), b"no picture").unwrap();
    fs::write(image_path(dir.path(), 6), &fixture("420.jpg")[..300]).unwrap();
    let source = open(dir.path());
    let out = tempfile::tempdir().unwrap();
    let mut last = 0;
    let done = pack(&source, out.path(), &small(), &mut |n| last = n).unwrap();
    assert_eq!((done.images, last), (17, 20));
    let reasons = [BadReason::Empty, BadReason::Truncated, BadReason::Corrupt];
    assert!(done.bad.len() == 3 && reasons.iter().all(|r| done.bad[r] == 1), "{:?}", done.bad);
    assert_eq!(open(out.path()).len(), 17);
    let listed = fs::read_to_string(out.path().join("bad-images.jsonl")).unwrap();
    assert!(listed.lines().count() == 3 && listed.contains("class1/0004.img.jpg") && listed.contains("\"empty\""));

    for i in 0..20 {
        fs::write(image_path(dir.path(), i), b"no picture").unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    let none = pack(&open(dir.path()), out.path(), &small(), &mut |_| ());
    assert!(matches!(none, Err(DataError::TooManyBad { bad: 20, .. })));
    assert!(!out.path().join("dataset.json").exists());
}

/// A folder in the place of a file that is to be written: the write fails, as on a full disk.
#[test]
fn a_failed_write_is_one_error_and_the_same_call_ends_with_the_same_bytes() {
    let dir = folder(50);
    let source = open(dir.path());
    let whole = files(packed(&source, &small()).path());
    let out = tempfile::tempdir().unwrap();
    fs::write(out.path().join("notes.txt"), "mine").unwrap();
    let refused = pack(&source, out.path(), &small(), &mut |_| ());
    assert!(matches!(refused, Err(DataError::Occupied { .. })), "a folder that holds anything else is left alone");
    fs::remove_file(out.path().join("notes.txt")).unwrap();

    let stop_at = |blocked: &str, told: &str| {
        let mut made = false;
        // The first progress comes when the folder is begun.
        let error = pack(&source, out.path(), &small(), &mut |_| {
            if !std::mem::replace(&mut made, true) {
                fs::create_dir(out.path().join(blocked)).unwrap();
            }
        });
        let Err(error) = error else { panic!("the write did not fail") };
        assert!(matches!(&error, DataError::Write { path, .. } if path.ends_with(told)), "{error}");
        assert!(error.hint().unwrap().contains("same command again"));
        fs::remove_dir(out.path().join(blocked)).unwrap();
    };
    stop_at(".000002.tar.partial", "000002.tar");
    let left = files(out.path());
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        ["000000.idx", "000000.tar", "000001.idx", "000001.tar", "pack-unfinished.json"]
    );
    let unfinished = Dataset::open(out.path(), &OpenOptions::default());
    assert!(matches!(unfinished, Err(DataError::Format { detail, .. }) if detail.contains("interrupted")));
    // Other options do not go on.
    let other = pack(&source, out.path(), &PackOptions { seed: 3, ..small() }, &mut |_| ());
    assert!(matches!(other, Err(DataError::Occupied { .. })));
    stop_at("000003.idx", "000003.idx");
    let done = pack(&source, out.path(), &small(), &mut |_| ()).unwrap();
    assert_eq!((done.continued_from, done.images, done.shards), (48, 50, 4));
    assert!(files(out.path()) == whole);
    let again = pack(&source, out.path(), &small(), &mut |_| ());
    assert!(matches!(again, Err(DataError::Packed { .. })), "a complete dataset is named as such");
}

// Security case S5.
#[cfg(unix)]
#[test]
fn s5_links_in_the_place_of_partial_files_are_not_followed() {
    let dir = folder(20);
    let (out, victim) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    fs::write(victim.path(), "precious").unwrap();
    let mut made = false;
    pack(&open(dir.path()), out.path(), &small(), &mut |_| {
        if !std::mem::replace(&mut made, true) {
            for name in [".000000.tar.partial", ".000001.tar.partial", ".000000.idx.partial", ".dataset.json.partial"] {
                std::os::unix::fs::symlink(victim.path(), out.path().join(name)).unwrap();
            }
        }
    })
    .unwrap();
    assert_eq!(fs::read(victim.path()).unwrap(), b"precious");
    assert_eq!(open(out.path()).len(), 20);
}

// House review H6.4.
#[test]
fn h6_4_a_source_that_is_gone_does_not_make_a_small_pack() {
    let dir = folder(400);
    let source = open(dir.path());
    let out = tempfile::tempdir().unwrap();
    let hidden = dir.path().with_extension("gone");
    let mut gone = false;
    let error = pack(&source, out.path(), &small(), &mut |done| {
        if done > 0 && !std::mem::replace(&mut gone, true) {
            fs::rename(dir.path(), &hidden).unwrap();
        }
    });
    assert!(matches!(error, Err(DataError::Io { .. })), "{error:?}");
    assert!(!out.path().join("dataset.json").exists());
    fs::rename(&hidden, dir.path()).unwrap();
    // One file that is missing is one bad image.
    fs::remove_file(image_path(dir.path(), 399)).unwrap();
    let done = pack(&source, out.path(), &small(), &mut |_| ()).unwrap();
    assert!(done.images >= 399 && done.bad.get(&BadReason::Vanished).is_none_or(|&count| count == 1), "{done:?}");
}

#[test]
fn the_short_side_is_limited_and_smaller_pictures_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["420.jpg", "cmyk.jpg", "turned.jpg", "rgb.png", "lossy.webp"] {
        fs::write(dir.path().join(name), fixture(name)).unwrap();
    }
    let source = open(dir.path());
    let out = tempfile::tempdir().unwrap();
    let options = PackOptions { short_side: Some(20), in_order: true, ..small() };
    let done = pack(&source, out.path(), &options, &mut |_| ()).unwrap();
    let shards = open(out.path());
    let (mut before, mut after, mut decoder) = (Pixels::default(), Pixels::default(), Decoder::new());
    let mut resized = 0;
    for i in 0..source.len() {
        let (old, new) = (bytes_of(&source, i), bytes_of(&shards, i));
        decoder.decode(&old, &DecodeOptions::default(), &mut before).unwrap();
        decoder.decode(&new, &DecodeOptions::default(), &mut after).unwrap();
        if before.width.min(before.height) <= 20 {
            assert_eq!(old, new, "{}", source.name_of(i));
            continue;
        }
        resized += 1;
        assert_eq!(after.width.min(after.height), 20);
        assert!(shards.name_of(i).ends_with(".jpg"));
        let mean = |p: &Pixels| p.rgb.iter().map(|&v| f64::from(v)).sum::<f64>() / p.rgb.len() as f64;
        assert!(
            (mean(&before) - mean(&after)).abs() < 3.0,
            "{}: {} {}",
            source.name_of(i),
            mean(&before),
            mean(&after)
        );
    }
    assert!(resized >= 3 && done.resized == resized, "{resized}");
    // The image that says it lies on its side still says so.
    let turned = (0..5).find(|&i| source.name_of(i) == "turned.jpg").unwrap();
    let upright = DecodeOptions { exif_orientation: true, ..DecodeOptions::default() };
    decoder.decode(&bytes_of(&source, turned), &upright, &mut before).unwrap();
    decoder.decode(&bytes_of(&shards, turned), &upright, &mut after).unwrap();
    assert_eq!(before.width > before.height, after.width > after.height);
}

#[test]
fn raw_pixels_become_png_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..5u32 * 7 * 6).map(|i| (i * 37 % 251) as u8).collect();
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 7, 0, 0, 0, 6];
    images.extend(&pixels);
    fs::write(dir.path().join("train-images-idx3-ubyte"), images).unwrap();
    fs::write(dir.path().join("train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 5, 3, 1, 0, 1, 2]).unwrap();
    let out = packed(&open(dir.path()), &PackOptions { in_order: true, ..small() });
    let shards = open(out.path());
    assert_eq!((shards.labels(), shards.is_raw()), (Some(&[3, 1, 0, 1, 2][..]), false));
    let mut read = Pixels::default();
    for i in 0..5 {
        Decoder::new().decode(&bytes_of(&shards, i), &DecodeOptions::default(), &mut read).unwrap();
        let want: Vec<u8> = pixels[i * 42..(i + 1) * 42].iter().flat_map(|&v| [v; 3]).collect();
        assert_eq!(read.rgb, want);
    }
}

#[test]
fn damage_to_shards_is_told_and_costs_no_more_than_the_images_it_hit() {
    let dir = folder(50);
    let out = packed(&open(dir.path()), &small());
    let path = out.path().join("000001.tar");
    let good = fs::read(&path).unwrap();
    let whole = open(out.path());

    // Bytes that change under an open dataset: the checksum tells.
    let name = whole.name_of(20);
    let middle = good.windows(name.len()).position(|w| w == name.as_bytes()).unwrap() + 512 + 100;
    let mut bytes = good.clone();
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = bad(&whole, 20);
    assert!(error.reason == BadReason::Corrupt && error.detail.contains("CRC"), "{error}");
    whole.read(21, &mut Vec::new()).unwrap();

    // A file that shrinks: an error, not the end of the program.
    fs::write(&path, &good[..middle]).unwrap();
    assert_eq!(bad(&whole, 20).reason, BadReason::Truncated);
    let mut loader = Loader::new(&whole, LoaderOptions { max_bad_fraction: 0.5, ..options(10) }).unwrap();
    assert_eq!(loader.by_ref().map(|b| b.unwrap().images.len()).sum::<usize>(), 50);
    assert!(loader.bad_images().len() >= 10 && loader.bad_images().iter().all(|b| b.reason == BadReason::Truncated));
    // Its index tells, with dataset.json and without.
    for source in [out.path(), &path] {
        let error = Dataset::open(source, &OpenOptions::default()).unwrap_err();
        assert!(
            matches!(&error, DataError::CutShort { path: shard, bytes, .. } if *shard == path && *bytes == middle as u64)
        );
        assert!(error.hint().unwrap().contains("copy"), "{error}");
    }
    // Field case F3: without an index it is read as far as it goes, with a warning.
    fs::rename(out.path().join("000001.idx"), out.path().join("kept")).unwrap();
    let alone = open(&path);
    assert!(alone.len() < 16 && alone.warnings().iter().any(|w| w.contains("truncated")), "{:?}", alone.warnings());
    assert_eq!(bad(&alone, alone.len() - 1).reason, BadReason::Truncated);
    let error = Dataset::open(out.path(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(&error, DataError::Format { detail, .. } if detail.contains("incomplete")), "{error}");
    fs::rename(out.path().join("kept"), out.path().join("000001.idx")).unwrap();
    // The index of another shard is not used.
    fs::write(&path, &good).unwrap();
    fs::copy(out.path().join("000003.idx"), out.path().join("000001.idx")).unwrap();
    let other = open(&path);
    assert!(other.len() == 16 && other.warnings().iter().any(|w| w.contains("headers are read")));

    // A damaged index is passed over, a file that is no tar refused.
    fs::write(&path, &good).unwrap();
    fs::write(out.path().join("000001.idx"), b"MOCHIIDX and rubbish").unwrap();
    assert!(table(&open(out.path())) == table(&whole));
    fs::write(&path, vec![7u8; 5000]).unwrap();
    assert!(matches!(Dataset::open(&path, &OpenOptions::default()), Err(DataError::Format { .. })));
}

// Field case 71.
#[test]
fn row_71_a_folder_of_tars_names_the_pattern() {
    let out = packed(&open(folder(20).path()), &small());
    fs::remove_file(out.path().join("dataset.json")).unwrap();
    let error = Dataset::open(out.path(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::TarFolder { count: 2, .. }), "{error}");
    assert!(error.hint().unwrap().contains("/*.tar'"));
    assert_eq!(open(&out.path().join("*.tar")).len(), 20);
}

// Field case 70.
#[test]
fn row_70_a_tar_without_images_says_what_it_looks_for() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("x.tar");
    let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    tar.append_data(&mut header, "image", &b"abc"[..]).unwrap();
    tar.finish().unwrap();
    let error = Dataset::open(&path, &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::NoImagesInShards { others: 1, .. }) && error.hint().is_some(), "{error}");
}
