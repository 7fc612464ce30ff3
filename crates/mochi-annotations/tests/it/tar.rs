//! Datasets in tar files.

use std::io::Read;
use std::path::{Path, PathBuf};

use mochi_annotations::{AnnotationError, Dataset, Format, Purpose, ReadOptions, read, splits};
use mochi_tar::Part;

use crate::folder::Folder;

fn voc() -> Folder {
    let folder = Folder::new();
    let object = |name: &str| {
        format!(
            "<annotation><size><width>40</width><height>30</height></size><object><name>{name}</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>20</xmax><ymax>21</ymax></bndbox></object></annotation>"
        )
    };
    for (id, name) in [("a", "cat"), ("b", "dog")] {
        folder.image(&format!("JPEGImages/{id}.png")).write(&format!("Annotations/{id}.xml"), object(name));
    }
    folder.write("ImageSets/Main/train.txt", "a\nb\n");
    folder
}

fn coco() -> Folder {
    let folder = Folder::new();
    let content = r#"{"images":[{"id":3,"file_name":"./a.png","width":40,"height":30}],"categories":[{"id":1,"name":"cat"}],
        "annotations":[{"id":1,"image_id":3,"category_id":1,"bbox":[1,2,10,20],"area":200,"iscrowd":0}]}"#;
    folder.image("train/a.png").write("annotations/instances_train.json", content);
    folder
}

fn yolo() -> Folder {
    let folder = Folder::new();
    folder
        .image("images/train/deep/a.png")
        .write("labels/train/deep/a.txt", "0 0.5 0.5 0.5 0.4\n")
        .write("classes.txt", "cat\n");
    folder
}

/// Writes the files of a folder into tar files, in turn, with a prefix to their names.
fn pack(folder: &Path, to: &[PathBuf], prefix: &str) {
    let mut tars: Vec<_> = to.iter().map(|path| ::tar::Builder::new(std::fs::File::create(path).unwrap())).collect();
    let mut waiting = vec![PathBuf::new()];
    let mut number = 0;
    while let Some(below) = waiting.pop() {
        for entry in std::fs::read_dir(folder.join(&below)).unwrap() {
            let entry = entry.unwrap();
            let name = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                waiting.push(name);
            } else {
                let tar = number % tars.len();
                tars[tar].append_path_with_name(entry.path(), Path::new(prefix).join(name)).unwrap();
                number += 1;
            }
        }
    }
    tars.iter_mut().for_each(|tar| tar.finish().unwrap());
}

fn read_at(path: &Path) -> Result<Dataset, AnnotationError> {
    read(path, &ReadOptions { format: None, split: None, purpose: Purpose::Training, classes: None })
}

/// The bytes of an image.
fn bytes(dataset: &Dataset, image: usize) -> Vec<u8> {
    let file = &dataset.annotations.images[image].file;
    let Some(member) = &file.member else { return std::fs::read(&file.path).unwrap() };
    let mut bytes = Vec::new();
    Part::new(std::fs::File::open(&file.path).unwrap(), member.span).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn tar_files_of_a_folder_are_read_as_the_folder() {
    for (folder, format) in [(voc(), Format::Voc), (coco(), Format::Coco), (yolo(), Format::Yolo)] {
        let plain = read_at(folder.path()).unwrap();
        assert_eq!(plain.format, format);
        let packed = tempfile::tempdir().unwrap();
        let at = |name: &str| packed.path().join(name);
        for prefix in ["", "./", "photos", "outer"] {
            pack(folder.path(), &[at("all.tar")], prefix);
            let tar = read_at(&at("all.tar")).unwrap_or_else(|e| panic!("{format} {prefix}: {e}"));
            assert!(tar.problems.is_empty(), "{:?}", tar.problems);
            assert_eq!((tar.format, &tar.split), (plain.format, &plain.split));
            for (image, (ours, wanted)) in tar.annotations.images.iter().zip(&plain.annotations.images).enumerate() {
                let file = wanted.file.clone();
                assert!(ours.file.member.is_some() && ours.file.path == at("all.tar"));
                assert_eq!(mochi_annotations::AnnotatedImage { file, ..ours.clone() }, *wanted);
                assert_eq!(bytes(&tar, image), bytes(&plain, image));
            }
            assert_eq!(tar.annotations.fingerprint(), plain.annotations.fingerprint());
        }
        std::fs::remove_file(at("all.tar")).unwrap();
        pack(folder.path(), &[at("0.tar"), at("1.tar")], "");
        for whole in [packed.path().to_owned(), at("*.tar"), at("{0..1}.tar")] {
            let shards = read_at(&whole).unwrap_or_else(|e| panic!("{format} {}: {e}", whole.display()));
            assert_eq!(shards.annotations.fingerprint(), plain.annotations.fingerprint());
        }
    }
}

#[test]
fn an_archive_that_is_no_dataset_is_an_error_that_names_it() {
    let folder = voc();
    let packed = tempfile::tempdir().unwrap();
    let path = packed.path().join("all.tar");
    pack(folder.path(), std::slice::from_ref(&path), "");
    let whole = std::fs::read(&path).unwrap();
    let message = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        splits(&path, None).unwrap_err().to_string().replace(&path.display().to_string(), "TAR")
    };
    // The first member is one block and its header; the second one ends too early.
    assert!(
        message(&whole[..1500]).starts_with("TAR is not a complete tar file: it is truncated after "),
        "{}",
        message(&whole[..1500])
    );
    assert_eq!(message(b""), "TAR is not a complete tar file: the archive is empty");
    assert_eq!(message(&[7; 4096]), "TAR is not a complete tar file: it does not start with a tar header");
    let mut other = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_ustar();
    header.set_size(0);
    header.set_cksum();
    other.append_data(&mut header, "photos/a.txt", &b""[..]).unwrap();
    assert_eq!(message(&other.into_inner().unwrap()), "TAR is not a VOC, COCO or YOLO dataset");
    let none = splits(&packed.path().join("x-*.tar"), None).unwrap_err().to_string();
    assert!(none.ends_with("x-*.tar names no tar files: no file matches it"), "{none}");
    std::fs::write(packed.path().join("all.tar.gz"), b"").unwrap();
    let packed = splits(&packed.path().join("all.tar.gz"), None).unwrap_err();
    assert!(packed.to_string().ends_with("is neither a folder nor a tar file"), "{packed}");
    assert!(packed.hint().is_some_and(|hint| hint.contains("unpack other archives")));
}
