//! Every kind of data set, from files written here.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::path::Path;

use common::{fixture, folder, open};
use mochi_data::decode::{DecodeOptions, Decoder, Pixels};
use mochi_data::{DataError, Dataset, OpenOptions, Split};

fn pixels(dataset: &Dataset, index: usize) -> Pixels {
    let (mut bytes, mut pixels) = (Vec::new(), Pixels::default());
    dataset.read(index, &mut bytes).unwrap();
    dataset.decode(index, &bytes, &mut Decoder::new(), &DecodeOptions::default(), &mut pixels).unwrap();
    pixels
}

fn open_split(path: &Path, split: Split) -> Result<Dataset, DataError> {
    Dataset::open(path, &OpenOptions { split })
}

#[test]
fn a_folder_is_walked_in_order_with_classes_from_the_first_level() {
    let dir = folder(12);
    std::fs::write(dir.path().join("class0/notes.md"), "not a picture").unwrap();
    std::fs::write(dir.path().join("class1/.hidden.jpg"), fixture("444.jpg")).unwrap();
    std::fs::create_dir_all(dir.path().join("class2/deep/er")).unwrap();
    std::fs::write(dir.path().join("class2/deep/er/no-extension"), fixture("lossy.webp")).unwrap();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let dataset = open(dir.path());
    assert_eq!((dataset.len(), dataset.kind()), (13, "image folder"));
    assert_eq!(dataset.class_names(), ["class0", "class1", "class2"]);
    assert_eq!(dataset.labels().unwrap(), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    assert_eq!(dataset.name_of(12), Path::new("class2/deep/er/no-extension").display().to_string());
    assert_eq!(dataset.fingerprint(), open(dir.path()).fingerprint());
    std::fs::rename(dir.path().join("class0/0003.img.jpg"), dir.path().join("class0/0003.jpg")).unwrap();
    assert_ne!(dataset.fingerprint(), open(dir.path()).fingerprint());
    // One image outside of any class: no labels at all.
    std::fs::write(dir.path().join("stray.jpg"), fixture("444.jpg")).unwrap();
    assert_eq!(open(dir.path()).labels(), None);
}

#[test]
fn what_is_no_data_set_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| Dataset::open(&dir.path().join(name), &OpenOptions::default());
    assert!(matches!(at("nowhere"), Err(DataError::NotFound { .. })));
    std::fs::write(dir.path().join("a.tiff"), b"II*\0").unwrap();
    assert!(matches!(at("."), Err(DataError::NoImages { others: 1, .. })));
    assert!(matches!(at("a.tiff"), Err(DataError::Format { .. })));
    std::fs::write(dir.path().join("odd.bin"), [0; 100]).unwrap();
    assert!(matches!(at("odd.bin"), Err(DataError::Format { .. })));
    std::fs::write(dir.path().join("void.txt"), "# nothing\n\n").unwrap();
    let error = at("void.txt").unwrap_err();
    assert!(matches!(error, DataError::NoImages { .. }) && error.hint().is_some());
}

#[cfg(unix)]
#[test]
fn links_are_followed_loops_are_not_and_names_need_not_be_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let dir = folder(4);
    let elsewhere = folder(2);
    symlink(dir.path(), dir.path().join("class0/back")).unwrap();
    symlink(elsewhere.path(), dir.path().join("class1/more")).unwrap();
    symlink(dir.path(), elsewhere.path().join("class0/and-back")).unwrap();
    symlink(dir.path().join("nothing"), dir.path().join("class2/dangling.jpg")).unwrap();
    let odd = dir.path().join(OsStr::from_bytes(b"class0/\xff\xfe.jpg"));
    let odd_is_possible = std::fs::write(&odd, fixture("444.jpg")).is_ok();
    let dataset = open(dir.path());
    let names: Vec<String> = (0..dataset.len()).map(|i| dataset.name_of(i)).collect();
    assert_eq!(dataset.len(), 4 + 2 + usize::from(odd_is_possible), "{names:?}");
    assert!(names.iter().any(|n| n == "class1/more/class0/0000.img.jpg"), "{names:?}");
    assert_eq!(dataset.warnings().len(), 3, "{:?}", dataset.warnings());
    if odd_is_possible {
        let index = (0..dataset.len()).find(|&i| dataset.path_of(i) == Some(odd.clone())).unwrap();
        assert_eq!(pixels(&dataset, index).width, 33);
    }
}

#[test]
fn a_list_names_files_relative_to_itself_and_classes_after_a_tab() {
    let dir = folder(3);
    let list = dir.path().join("list.txt");
    std::fs::write(
        &list,
        "\u{feff}# three\r\nclass1/0001.img.jpg\tdog\r\n\r\nclass0/0000.img.jpg\tcat\nclass1/0001.img.jpg\tdog",
    )
    .unwrap();
    let dataset = open(&list);
    assert_eq!((dataset.len(), dataset.kind()), (3, "list file"));
    assert_eq!((dataset.labels().unwrap(), dataset.class_names()), (&[1, 0, 1][..], &["cat".into(), "dog".into()][..]));
    assert_eq!(pixels(&dataset, 1).rgb.len(), 33 * 21 * 3);
    std::fs::write(&list, "a.jpg\tcat\nb.jpg\n").unwrap();
    assert!(matches!(Dataset::open(&list, &OpenOptions::default()), Err(DataError::Format { .. })));
    std::fs::write(&list, "class0/0000.img.jpg\n").unwrap();
    assert_eq!(open(&list).labels(), None);
}

fn idx(kind: u8, dimensions: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, kind, dimensions.len() as u8];
    dimensions.iter().for_each(|d| file.extend(d.to_be_bytes()));
    file.extend(bytes);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_files_open_as_a_folder_or_alone_zipped_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let images: Vec<u8> = (0..5 * 4 * 3).collect();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte.gz", &gzip(&idx(8, &[5, 4, 3], &images)));
    write("train-labels-idx1-ubyte", &idx(8, &[5], &[0, 2, 1, 2, 0]));
    let dataset = open(dir.path());
    assert_eq!((dataset.len(), dataset.kind(), dataset.uniform_size()), (5, "IDX", Some((3, 4))));
    assert_eq!(dataset.labels().unwrap(), [0, 2, 1, 2, 0]);
    assert_eq!(dataset.class_names(), ["0", "1", "2"]);
    assert_eq!(dataset.name_of(3), "train-images-idx3-ubyte.gz#3");
    assert_eq!(pixels(&dataset, 1).rgb[..6], [12, 12, 12, 13, 13, 13]);
    assert!(matches!(open_split(dir.path(), Split::Test), Err(DataError::SplitMissing { split: "test", .. })));

    write("t10k-images.idx3-ubyte", &idx(8, &[2, 4, 3], &images[..24]));
    assert_eq!(open_split(dir.path(), Split::Test).unwrap().len(), 2);
    let alone = open(&dir.path().join("train-images-idx3-ubyte.gz"));
    assert_eq!((alone.len(), alone.labels().map(<[u32]>::len)), (5, Some(5)));

    write("cut", &idx(8, &[5, 4, 3], &images[..50]));
    write("floats", &idx(13, &[1, 1, 1], &[0; 4]));
    write("huge", &idx(8, &[u32::MAX, u32::MAX, u32::MAX], &images));
    for name in ["cut", "floats", "huge"] {
        assert!(matches!(open_split(&dir.path().join(name), Split::Train), Err(DataError::Format { .. })), "{name}");
    }
}

#[test]
fn cifar_batches_open_as_a_folder_or_alone() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&inner).unwrap();
    let batch = |labels: &[u8]| -> Vec<u8> {
        labels
            .iter()
            .flat_map(|&l| [vec![l], vec![10 + l; 1024], vec![20 + l; 1024], vec![30 + l; 1024]].concat())
            .collect()
    };
    std::fs::write(inner.join("data_batch_1.bin"), batch(&[1, 2])).unwrap();
    std::fs::write(inner.join("data_batch_2.bin"), batch(&[9])).unwrap();
    for path in [dir.path(), &inner] {
        let dataset = open(path);
        assert_eq!((dataset.len(), dataset.kind()), (3, "CIFAR-10"));
        assert_eq!((dataset.labels().unwrap(), dataset.class_names().len()), (&[1, 2, 9][..], 10));
        assert_eq!(
            (dataset.name_of(1), dataset.name_of(2)),
            ("data_batch_1.bin#1".into(), "data_batch_2.bin#0".into())
        );
        assert_eq!(pixels(&dataset, 2).rgb[..3], [19, 29, 39]);
        assert_eq!(dataset.name_of(3), "");
    }
    assert!(matches!(open_split(&inner, Split::Test), Err(DataError::SplitMissing { .. })));
    assert_eq!(open(&inner.join("data_batch_1.bin")).len(), 2);
    std::fs::write(inner.join("data_batch_1.bin"), batch(&[10])).unwrap();
    assert!(matches!(open_split(&inner, Split::Train), Err(DataError::Format { .. })));

    let hundred = tempfile::tempdir().unwrap();
    let record = [vec![4, 77], vec![5; 3072]].concat();
    std::fs::write(hundred.path().join("test.bin"), record).unwrap();
    std::fs::write(
        hundred.path().join("fine_label_names.txt"),
        (0..100).map(|i| format!("c{i}\n")).collect::<String>(),
    )
    .unwrap();
    let dataset = open_split(hundred.path(), Split::Test).unwrap();
    assert_eq!((dataset.kind(), dataset.labels().unwrap()), ("CIFAR-100", &[77][..]));
    assert_eq!(dataset.class_names()[77], "c77");
}
