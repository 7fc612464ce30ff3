//! Every kind of dataset, from files written here.

use std::io::Write;
use std::path::Path;

use crate::common::{fixture, folder, open};
use mochi_data::{DataError, Dataset, OpenOptions, Sampled, Split, sampled};
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};

fn pixels(dataset: &Dataset, index: usize) -> Pixels {
    let (mut bytes, mut pixels) = (Vec::new(), Pixels::default());
    dataset.read(index, &mut bytes).unwrap();
    dataset.decode(index, &bytes, &mut Decoder::new(), &DecodeOptions::default(), &mut pixels).unwrap();
    pixels
}

fn open_split(path: &Path, split: Split) -> Result<Dataset, DataError> {
    Dataset::open(path, &split.into())
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
    assert!(matches!(at("."), Err(DataError::NoImages { skipped, .. }) if skipped.of("tiff") == 1));
    assert!(matches!(at("a.tiff"), Err(DataError::Format { .. })));
    std::fs::write(dir.path().join("odd.bin"), [0; 100]).unwrap();
    assert!(matches!(at("odd.bin"), Err(DataError::Format { .. })));
    std::fs::write(dir.path().join("void.txt"), "# nothing\n\n").unwrap();
    let error = at("void.txt").unwrap_err();
    assert!(matches!(error, DataError::Format { .. }) && error.hint().is_some());
}

/// Field case F4.
#[test]
fn f4_files_of_other_formats_are_counted_and_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("1.jpg"), fixture("444.jpg")).unwrap();
    std::fs::write(dir.path().join("labels.json"), "{}").unwrap();
    for i in 0..30 {
        std::fs::write(dir.path().join(format!("{i}.HEIC")), b"\0\0\0\x18ftypheic").unwrap();
        std::fs::write(dir.path().join(format!("{i}.tif")), b"II*\0").unwrap();
    }
    let dataset = open(dir.path());
    assert_eq!((dataset.len(), dataset.skipped().files()), (1, 61));
    let warning = "60 files were skipped because of an unsupported format: 30 .heic, 30 .tif";
    assert_eq!(dataset.warnings(), [warning]);
    // Only as far as they were asked for.
    assert!(open(&dir.path().join("*.jpg")).warnings().is_empty());
    std::fs::remove_file(dir.path().join("1.jpg")).unwrap();
    let error = Dataset::open(dir.path(), &OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("30 .heic, 30 .tif, 1 .json"), "{error}");
    assert!(error.hint().unwrap().starts_with("convert these files"));
}

/// Field case, rows 31 and 71.
#[test]
fn rows_31_and_71_hidden_files_and_shards_are_named_where_no_image_is() {
    let hint = |name: &str| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), "").unwrap();
        Dataset::open(dir.path(), &OpenOptions::default()).unwrap_err().hint().unwrap()
    };
    assert!(hint(".hidden").contains("hidden files"), "{}", hint(".hidden"));
    assert!(hint("0.tar").ends_with("/*.tar'"), "{}", hint("0.tar"));
}

/// Field case, row 38.
#[test]
fn row_38_brackets_of_an_existing_path_are_no_wildcards() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["[2019]/{a}/1.jpg", "2/x/2.jpg"] {
        std::fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(dir.path().join(name), fixture("444.jpg")).unwrap();
    }
    for pattern in ["[2019]/{a}/*.jpg", "*/{a}/*.jpg", "[2019]/*"] {
        assert_eq!(open(&dir.path().join(pattern)).len(), 1, "{pattern}");
    }
    assert_eq!(names(&open(&dir.path().join("[12]/x/*.jpg"))), ["2/x/2.jpg"]);
}

/// Field cases, rows 51 to 58.
#[test]
fn rows_51_to_58_what_is_wrong_with_a_list_is_told_with_the_line() {
    let dir = folder(4);
    let list = dir.path().join("list.txt");
    let with = |text: &[u8]| {
        std::fs::write(&list, text).unwrap();
        Dataset::open(&list, &OpenOptions::default())
    };
    for text in [
        &b"class0/0000.img.jpg \n class1/0001.img.jpg\n \n"[..],
        b"'class0/0000.img.jpg'\n\"class1/0001.img.jpg\" # good\n",
        b"class0/0000.img.jpg\rclass1/0001.img.jpg\r",
        b"path\nclass0/0000.img.jpg\nclass1/0001.img.jpg",
    ] {
        let dataset = with(text).unwrap();
        assert_eq!(names(&dataset), ["class0/0000.img.jpg", "class1/0001.img.jpg"], "{}", text.escape_ascii());
    }
    let dataset = with(b"path\tlabel\nclass0/0000.img.jpg\tcat\n").unwrap();
    assert_eq!((dataset.class_names(), dataset.warnings().len()), (&["cat".to_owned()][..], 1));
    for (text, wanted) in [
        (
            &b"class0/0000.img.jpg\nclass0/0000.img.jpg,0\n"[..],
            "line 2: \"class0/0000.img.jpg,0\" does not exist; separate path and class",
        ),
        (
            b"# one\nclass0/0000.img.jpg 0\n",
            "line 2: \"class0/0000.img.jpg 0\" does not exist; separate path and class",
        ),
        (b"~/x.jpg", "line 1: \"~/x.jpg\": ~ is not expanded"),
        (b"file:///x.jpg", "is an address; give a file path"),
        (b"https://host/x.jpg", "only tar shards can be read"),
        (b"class0\\0000.img.jpg", "separate folders by /"),
        (b"a.jpg\nb.jpg\n", "none of 2 files that were checked exists"),
        (b"class9/\n", "folder \"class9/\" does not exist"),
        (b"\xff\xfea\0.\0j\0p\0g\0", "UTF-16"),
        (b"\x7fELF\0\0\x1b[2J", "not a text file"),
        (b"# nothing\n", "empty"),
    ] {
        let error = with(text).unwrap_err();
        assert!(error.to_string().contains(wanted) && error.hint().is_some(), "{}: {error}", text.escape_ascii());
        assert!(!error.to_string().contains('\x1b'));
    }
    // Field case, row 59: one of several is a bad image.
    assert_eq!(with(b"class0/0000.img.jpg\nmissing.jpg\n").unwrap().len(), 2);
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

fn names(dataset: &Dataset) -> Vec<String> {
    (0..dataset.len()).map(|i| dataset.name_of(i)).collect()
}

/// `photos/2019-01/{a,b}.jpg`, `photos/2019-02/deep/c.jpg`, `photos/2020/d.png`, `photos/[x].jpg`, and what is no image.
fn album() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["2019-01/a.jpg", "2019-01/b.jpg", "2019-02/deep/c.jpg", "2020/d.png", "[x].jpg", "2020/.e.jpg"] {
        let path = dir.path().join("photos").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, fixture("444.jpg")).unwrap();
    }
    std::fs::write(dir.path().join("photos/2020/notes.md"), "not a picture at all").unwrap();
    dir
}

#[test]
fn patterns_take_files_and_whole_folders() {
    let dir = album();
    let at = |pattern: &str| Dataset::open(&dir.path().join(pattern), &OpenOptions::default());
    for (pattern, expected) in [
        ("photos/2019-*/**/*.jpg", &["2019-01/a.jpg", "2019-01/b.jpg", "2019-02/deep/c.jpg"][..]),
        ("photos/2019-*", &["2019-01/a.jpg", "2019-01/b.jpg", "2019-02/deep/c.jpg"]),
        ("photos/2019-*/?.jpg", &["2019-01/a.jpg", "2019-01/b.jpg"]),
        ("photos/*/deep", &["2019-02/deep/c.jpg"]),
        ("photos/*/deep/c.jpg", &["2019-02/deep/c.jpg"]),
        ("photos/{2019-01/b,20*/d}.{jpg,png}", &["2019-01/b.jpg", "2020/d.png"]),
        ("photos/20[!1]*/*", &["2020/d.png"]),
        ("photos/**/d*", &["2019-02/deep/c.jpg", "2020/d.png"]),
        ("photos/*", &["2019-01/a.jpg", "2019-01/b.jpg", "2019-02/deep/c.jpg", "2020/d.png", "[x].jpg"]),
        ("*/2020/../2020/*", &["photos/2020/../2020/d.png"]),
        ("photos/20*/.e.jpg", &["2020/.e.jpg"]),
    ] {
        let dataset = at(pattern).unwrap();
        assert_eq!(
            (names(&dataset), dataset.kind()),
            (expected.iter().map(|&n| n.into()).collect(), "pattern"),
            "{pattern}"
        );
        assert!(dataset.path_of(0).unwrap().is_file());
    }
    let dataset = at("photos/2019-*/**").unwrap();
    assert_eq!(
        (dataset.labels().unwrap(), dataset.class_names()),
        (&[0, 0, 1][..], &["2019-01".into(), "2019-02".into()][..])
    );
    assert_eq!(at("photos/*").unwrap().labels(), None, "an image without a folder has no class");
    // What exists is no pattern.
    assert_eq!(names(&at("photos/[x].jpg").unwrap()), ["[x].jpg"]);
    std::fs::create_dir(dir.path().join("a*")).unwrap();
    std::fs::write(dir.path().join("a*/1.jpg"), fixture("444.jpg")).unwrap();
    assert_eq!(at("a*").unwrap().kind(), "image folder");
    for nothing in ["photos/2018-*", "photos/2020/*.md", "nowhere/*.jpg", "photos/*/a.jpg/*"] {
        let error = at(nothing).unwrap_err();
        assert!(matches!(error, DataError::NoMatch { .. }) && error.hint().is_some(), "{nothing}: {error}");
        assert!(error.to_string().contains(nothing), "{error}");
    }
    assert!(matches!(at("photos/{a,b*/c"), Err(DataError::Pattern { .. })));
}

#[test]
fn a_list_can_name_folders_and_patterns() {
    let dir = album();
    let list = dir.path().join("list.txt");
    let write = |text: &[u8]| std::fs::write(&list, text).unwrap();
    write(b"photos/2020/d.png\nphotos/2019-02/\nphotos/2019-01\nphotos/[x].jpg\nphotos/**/[ab].jpg\n");
    let dataset = open(&list);
    let expected = [
        "photos/2020/d.png",
        "photos/2019-02/deep/c.jpg",
        "photos/2019-01/a.jpg",
        "photos/2019-01/b.jpg",
        "photos/[x].jpg",
    ];
    assert_eq!((names(&dataset), dataset.labels()), (expected.map(String::from).to_vec(), None));
    assert!(dataset.warnings()[0].starts_with("2 images are given by two lines"), "{:?}", dataset.warnings());
    assert!((0..5).all(|i| dataset.path_of(i).unwrap().is_file()));

    // A class after a tab is that of all images of the line; without, each folder has classes of its own.
    write(b"photos/2019-*\told\nphotos/2020/d.png\tnew\n");
    assert_eq!(
        (open(&list).labels().unwrap(), open(&list).class_names()),
        (&[1, 1, 1, 0][..], &["new".into(), "old".into()][..])
    );
    write([b"photos/2019-*\n", dir.path().as_os_str().as_encoded_bytes(), b"/photos/20*\n"].concat().as_slice());
    let dataset = open(&list);
    assert_eq!(dataset.labels().unwrap(), [0, 0, 1, 2], "the same images by another spelling");
    assert_eq!(dataset.class_names(), ["2019-01", "2019-02", "2020"]);

    // Nothing is lost in silence.
    write(b"photos/2020/gone.png\nphotos/2021\n");
    let dataset = open(&list);
    assert!(
        dataset.len() == 2 && dataset.warnings()[0].contains(": 1 entry does not exist; first: "),
        "{:?}",
        dataset.warnings()
    );
    write(b"photos/2021/\nphotos/2020\n");
    assert!(matches!(Dataset::open(&list, &OpenOptions::default()), Err(DataError::List { line: 1, .. })));
    write(b"photos/2020\nphotos/2021-*\n");
    assert!(matches!(Dataset::open(&list, &OpenOptions::default()), Err(DataError::NoMatch { .. })));
    write(b"photos/2020/d.png\nphotos/2020/d.png\n");
    assert!(open(&list).len() == 2 && open(&list).warnings()[0].contains("used once per line"));
}

#[cfg(unix)]
#[test]
fn lists_and_patterns_take_names_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join(OsStr::from_bytes(b"\xff\xfe.jpg"));
    if std::fs::write(&odd, fixture("444.jpg")).is_err() {
        println!("skipped: names that are not UTF-8: this file system has none");
        return;
    }
    std::fs::write(dir.path().join("list.txt"), b"\xff\xfe.jpg\r\n").unwrap();
    for source in [dir.path().join("list.txt"), dir.path().join(OsStr::from_bytes(b"\xff*.jpg")), odd.clone()] {
        let dataset = open(&source);
        assert_eq!((dataset.len(), dataset.path_of(0)), (1, Some(odd.clone())), "{}", source.display());
    }
}

#[test]
fn several_sources_are_one_set_with_names_that_stay_apart() {
    let dir = album();
    let photos = dir.path().join("photos");
    let twin = dir.path().join("twin/2019-01");
    std::fs::create_dir_all(&twin).unwrap();
    std::fs::copy(photos.join("2019-01/a.jpg"), twin.join("a.jpg")).unwrap();
    let open_all = |sources: &[&Path]| Dataset::open_all(sources, &OpenOptions::default());
    let dataset = open_all(&[&photos.join("2019-*"), &dir.path().join("twin")]).unwrap();
    assert_eq!(
        names(&dataset),
        ["photos/2019-01/a.jpg", "photos/2019-01/b.jpg", "photos/2019-02/deep/c.jpg", "twin/2019-01/a.jpg"]
    );
    assert_eq!((dataset.labels().unwrap(), dataset.kind()), (&[0, 0, 1, 0][..], "several sources"));
    assert!((0..4).all(|i| dataset.path_of(i).unwrap().is_file()));
    assert_eq!(dataset.class_names(), ["2019-01", "2019-02"]);
    let other_way = open_all(&[&dir.path().join("twin"), &photos.join("2019-*")]).unwrap();
    assert_ne!(dataset.fingerprint(), other_way.fingerprint(), "another order is another run");
    // Sources that overlap: each image once. And one that has no classes takes them from all.
    std::fs::write(dir.path().join("list.txt"), format!("{}\n", twin.join("a.jpg").display())).unwrap();
    let dataset = open_all(&[&photos, &photos.join("2020"), &twin, &dir.path().join("list.txt")]).unwrap();
    assert_eq!((dataset.len(), dataset.labels()), (6, None));
    assert!(dataset.warnings()[0].starts_with("2 images are in two"), "{:?}", dataset.warnings());
    assert_eq!(open_all(&[&photos]).unwrap().fingerprint(), open(&photos).fingerprint());

    let numbers = tempfile::tempdir().unwrap();
    std::fs::write(numbers.path().join("train-images-idx3-ubyte"), idx(8, &[1, 1, 1], &[7])).unwrap();
    assert!(matches!(open_all(&[&photos, numbers.path()]), Err(DataError::Format { .. })));
    assert!(matches!(open_all(&[&photos, &dir.path().join("nowhere")]), Err(DataError::NotFound { .. })));
    assert!(matches!(open_all(&[]), Err(DataError::NotFound { .. })));
}

#[test]
fn pipes_and_devices_are_refused_before_they_can_block() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["list.txt", "images"] {
        let made = std::process::Command::new("mkfifo").arg(dir.path().join(name)).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: named pipes as data: mkfifo is not there");
            return;
        }
        let error = Dataset::open(&dir.path().join(name), &OpenOptions::default()).unwrap_err();
        assert!(matches!(error, DataError::Format { .. }) && error.to_string().contains("pipe"), "{error}");
    }
    assert!(Dataset::open(Path::new("/dev/zero"), &OpenOptions::default()).is_err());
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

/// Grayscale images in files with three channels are grayscale; one image in color makes the set one in color.
#[test]
fn a_sample_tells_the_size_and_whether_all_images_are_grayscale() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = mochi_data::Cancel::default();
    let of = |path: &Path| sampled(&open(path), &cancel);
    std::fs::write(dir.path().join("train-images-idx3-ubyte"), idx(8, &[2, 4, 3], &[7; 24])).unwrap();
    assert_eq!(of(dir.path()), Sampled { short_side: Some(3), grayscale: true });

    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("a.jpg"), fixture("gray.jpg")).unwrap();
    let gray = of(files.path());
    assert!(gray.grayscale && gray.short_side.is_some(), "{gray:?}");
    std::fs::write(files.path().join("b.png"), fixture("rgb.png")).unwrap();
    assert!(!of(files.path()).grayscale);

    let broken = tempfile::tempdir().unwrap();
    std::fs::write(broken.path().join("a.jpg"), b"no image").unwrap();
    assert_eq!(of(broken.path()), Sampled::default());
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
    assert!(matches!(open_split(&dir.path().join("cut"), Split::Train), Err(DataError::Damaged { .. })));
    for name in ["floats", "huge"] {
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
