//! `Folder`: everything below it is opened without following links.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use mochi_files::{FileError, FileType, Folder};

use crate::{make_pipe, names};

const LIMIT: u64 = 1 << 20;

#[test]
fn files_and_folders_below_are_made_read_listed_and_removed() {
    let base = tempfile::tempdir().unwrap();
    let folder = Folder::create(&base.path().join("deep/run")).unwrap();
    folder.make_folder("eval").unwrap().write("knn.json", b"{}").unwrap();
    folder.write("eval/knn.json", b"{1}").unwrap();
    folder.create_new("log").unwrap().write_all(b"first\n").unwrap();
    assert_eq!(folder.create_new("log").unwrap_err().kind(), Some(std::io::ErrorKind::AlreadyExists));
    let mut log = folder.open_write("log").unwrap();
    log.seek(SeekFrom::End(0)).unwrap();
    log.write_all(b"second\n").unwrap();
    let mut text = String::new();
    folder.open_file("log").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "first\nsecond\n");
    assert_eq!(folder.read("eval/knn.json", LIMIT).unwrap(), b"{1}");
    let listed: Vec<_> = folder.list().unwrap().into_iter().map(|entry| (entry.name, entry.file_type)).collect();
    assert_eq!(listed, [("eval".into(), FileType::Folder), ("log".into(), FileType::File)]);
    assert_eq!(folder.file_type("eval/none").unwrap(), None);
    assert_eq!(folder.file_type("none/none").unwrap(), None);
    folder.rename("log", "eval/log").unwrap();
    folder.remove("eval").unwrap();
    folder.remove("eval").unwrap();
    folder.sync().unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn names_that_lead_out_are_refused() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("outside"), "precious").unwrap();
    let folder = Folder::create(&base.path().join("run")).unwrap();
    for name in ["../outside", "/etc/passwd", "", ".", "a/../../outside"] {
        let refused = [folder.read(name, LIMIT).err(), folder.write(name, b"x").err(), folder.remove(name).err()];
        assert!(refused.iter().all(|error| matches!(error, Some(FileError::Name { .. }))), "{name}: {refused:?}");
    }
    assert_eq!(std::fs::read_to_string(base.path().join("outside")).unwrap(), "precious");
}

/// Security review S1: whatever lies in place of a file, the bytes that it leads to stay.
#[test]
fn s1_links_hard_links_pipes_and_folders_are_refused_and_targets_stay() {
    let base = tempfile::tempdir().unwrap();
    let at = |name: &str| base.path().join(name);
    std::fs::write(at("target"), "precious").unwrap();
    let folder = Folder::create(&at("run")).unwrap();
    symlink("../target", at("run/link")).unwrap();
    symlink("../made", at("run/dangling")).unwrap();
    std::fs::hard_link(at("target"), at("run/hard")).unwrap();
    make_pipe(&at("run/pipe"));
    std::fs::create_dir(at("run/folder")).unwrap();
    let file = |result: Result<std::fs::File, FileError>| result.err();
    for name in ["link", "dangling", "pipe", "folder"] {
        let refused = [
            file(folder.open_write(name)),
            file(folder.create_new(name)),
            file(folder.open_file(name)),
            folder.read(name, LIMIT).err(),
            folder.write(name, b"x").err(),
        ];
        assert!(refused.iter().all(Option::is_some), "{name}: {refused:?}");
    }
    assert!(matches!(folder.open_write("link"), Err(FileError::Link { .. })));
    let hard = folder.open_write("hard").unwrap_err();
    assert!(matches!(hard, FileError::HardLink { links: 2, .. }), "{hard}");
    assert_eq!(folder.read("hard", LIMIT).unwrap(), b"precious", "reading changes nothing");
    folder.write("hard", b"new").unwrap();
    assert_eq!(std::fs::read_to_string(at("target")).unwrap(), "precious", "a new file took the place of one name");
    assert!(!at("made").exists());
}

#[test]
fn s1_links_on_the_way_are_refused() {
    let base = tempfile::tempdir().unwrap();
    let at = |name: &str| base.path().join(name);
    std::fs::create_dir(at("outside")).unwrap();
    std::fs::write(at("outside/file"), "precious").unwrap();
    let folder = Folder::create(&at("run")).unwrap();
    symlink("../outside", at("run/eval")).unwrap();
    let refused = [
        folder.read("eval/file", LIMIT).err(),
        folder.write("eval/file", b"x").err(),
        folder.remove("eval/file").err(),
        folder.folder("eval").err(),
        folder.make_folder("eval").err(),
    ];
    assert!(refused.iter().all(|error| matches!(error, Some(FileError::Link { .. }))), "{refused:?}");
    assert_eq!(std::fs::read_to_string(at("outside/file")).unwrap(), "precious");
}

/// Security review S9: removing went through links.
#[test]
fn s9_removing_a_link_keeps_what_it_leads_to() {
    let base = tempfile::tempdir().unwrap();
    let at = |name: &str| base.path().join(name);
    std::fs::create_dir_all(at("outside/deep")).unwrap();
    std::fs::write(at("outside/deep/file"), "precious").unwrap();
    let folder = Folder::create(&at("run")).unwrap();
    std::fs::create_dir(at("run/step-4")).unwrap();
    symlink("../../outside", at("run/step-4/link")).unwrap();
    symlink("../outside", at("run/link")).unwrap();
    folder.remove("link").unwrap();
    folder.remove("step-4").unwrap();
    assert_eq!(names(&at("run")), [""; 0]);
    assert_eq!(std::fs::read_to_string(at("outside/deep/file")).unwrap(), "precious");
}

#[test]
fn the_folder_itself_may_be_a_link() {
    let base = tempfile::tempdir().unwrap();
    std::fs::create_dir(base.path().join("real")).unwrap();
    symlink("real", base.path().join("run")).unwrap();
    Folder::open(&base.path().join("run")).unwrap().write("file", b"x").unwrap();
    assert_eq!(names(&base.path().join("real")), ["file"]);
    assert!(matches!(Folder::open(&base.path().join("real/file")), Err(FileError::NotAFolder { .. })));
    let missing = Folder::open(Path::new("/no/such/folder")).unwrap_err();
    assert_eq!(missing.kind(), Some(std::io::ErrorKind::NotFound));
}
