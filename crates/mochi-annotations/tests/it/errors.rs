//! Every error that ends the reading, with its hint.

use std::path::PathBuf;

use mochi_annotations::{Format, Purpose, ReadOptions, read};

use crate::folder::Folder;
use crate::{coco, voc};

fn cat() -> String {
    voc::object("cat", ["1", "1", "9", "9"], "")
}

/// The error of a folder, its text and its hint.
fn refused(path: PathBuf, format: Option<Format>, split: Option<&str>, classes: Option<&[String]>) -> [String; 3] {
    let options = ReadOptions { format, split, purpose: Purpose::Training, classes };
    let error = read(&path, &options).unwrap_err();
    let variant = format!("{error:?}").split([' ', '(']).next().unwrap().to_owned();
    [variant, error.to_string(), error.hint().unwrap_or_default()]
}

#[test]
fn every_error_says_what_to_do_next() {
    let empty = Folder::new();
    empty.write("a.txt", "words");
    let several = Folder::new();
    voc::add(&several, "", "a", &cat());
    several.image("images/a.png").write("labels/a.txt", "0 0.5 0.5 1 1");
    let lists = Folder::new();
    voc::add(&lists, "", "a", &cat());
    lists.write("ImageSets/Main/first.txt", "a").write("ImageSets/Main/train.txt", b"a\xff");
    let odd = Folder::new();
    voc::add(&odd, "", "a", &cat());
    odd.write("ImageSets/Main/first.txt", "a");
    let json = |text: &str| {
        let folder = Folder::new();
        folder.write("annotations/instances_train.json", text);
        folder
    };
    let whole = coco::document(serde_json::json!([])).to_string();
    let (cut, nan, nothing) = (json(&whole[..whole.len() - 1]), json("{\"images\": [NaN]}"), json(&whole));
    let unnamed = Folder::new();
    unnamed.image("images/a.png").write("labels/a.txt", "0 0.5 0.5 1 1");
    let odd_names = Folder::new();
    odd_names.image("images/a.png").write("labels/a.txt", "0 0.5 0.5 1 1").write("data.yaml", "names: {a: b}");
    let gap = Folder::new();
    gap.image("images/a.png").write("labels/a.txt", "0 0.5 0.5 1 1").write("classes.txt", "cat\n\ndog\n");
    let other = ["dog".to_owned()];
    let here = |folder: &Folder| folder.path().to_owned();
    let cases: Vec<(&str, [String; 3], &str, &str)> = vec![
        ("File", refused(empty.at("absent"), None, None, None), "cannot read", "check"),
        (
            "NotAFolder",
            refused(empty.at("a.txt"), None, None, None),
            "is neither a folder nor a tar file",
            "give the folder",
        ),
        ("NoFormat", refused(here(&empty), None, None, None), "is not a VOC, COCO or YOLO", "VOC has Annotations"),
        ("SeveralFormats", refused(here(&several), None, None, None), "several formats: VOC, YOLO", "--format"),
        ("OtherFormat", refused(here(&lists), Some(Format::Coco), None, None), "is not a COCO dataset", "COCO ann"),
        ("NoSplit", refused(here(&lists), None, Some("val"), None), "split named val; it has first, train", "--split"),
        (
            "NoDefaultSplit",
            refused(here(&odd), None, None, None),
            "for training with a usual name; it has first",
            "--sp",
        ),
        ("Malformed", refused(here(&lists), None, None, None), "train.txt is malformed: byte 1", "correct the file"),
        ("Malformed", refused(here(&cut), None, None, None), "EOF while parsing", "ends early"),
        ("Malformed", refused(here(&nan), None, None, None), "instances_train.json is malformed", "json.tool"),
        (
            "Malformed",
            refused(here(&odd_names), None, None, None),
            "data.yaml is malformed: `names`",
            "correct the file",
        ),
        ("Malformed", refused(here(&gap), None, None, None), "classes.txt is malformed: line 2", "correct the file"),
        ("NoClasses", refused(here(&unnamed), None, None, None), "has no names of classes", "write a classes.txt"),
        (
            "NoObjects",
            refused(here(&nothing), None, None, None),
            "no object that can be used (0 images",
            "correct the files",
        ),
        ("NoObjects", refused(here(&odd), None, Some("first"), Some(&other)), "1 image; 1 problem", "trained model"),
    ];
    for (wanted, [variant, text, hint], words, next) in &cases {
        assert_eq!(wanted, variant, "{text}");
        assert!(text.contains(words) && hint.contains(next), "{wanted}: {text} | {hint}");
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    }
}
