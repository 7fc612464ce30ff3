//! `write_atomic` and `check_writable`.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use mochi_files::{FileError, check_writable, is_temporary, write_atomic};

use crate::{make_pipe, make_socket, names};

#[test]
fn a_file_is_replaced_and_nothing_is_left_beside_it() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("page.html");
    for text in ["first", "second", ""] {
        check_writable(&path).unwrap();
        write_atomic(&path, text.as_bytes()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(names(base.path()), ["page.html"]);
    }
}

#[test]
fn permissions_of_an_existing_file_are_kept() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("page.html");
    write_atomic(&path, b"first").unwrap();
    let fresh = base.path().join("made-by-std");
    std::fs::write(&fresh, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&path), mode(&fresh), "a new file follows the umask");
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    write_atomic(&path, b"second").unwrap();
    assert_eq!(mode(&path), 0o640);
}

/// Field case F1: `--out /dev/null` as root replaced the device by a file.
#[test]
fn f1_devices_pipes_sockets_and_folders_are_refused_and_stay() {
    let base = tempfile::tempdir().unwrap();
    let (pipe, socket, folder) = (base.path().join("pipe"), base.path().join("socket"), base.path().join("folder"));
    make_pipe(&pipe);
    make_socket(&socket);
    std::fs::create_dir(&folder).unwrap();
    let link = base.path().join("link");
    symlink("/dev/null", &link).unwrap();
    let before = names(base.path());
    let cases = [
        (Path::new("/dev/null"), "device"),
        (&link, "device"),
        (&pipe, "pipe"),
        (&socket, "socket"),
        (&folder, "folder"),
    ];
    for (path, word) in cases {
        for error in [check_writable(path).unwrap_err(), write_atomic(path, b"x").unwrap_err()] {
            assert_eq!(error.to_string(), format!("{} is a {word}, expected a regular file", path.display()));
            assert!(error.hint().is_some());
        }
    }
    assert_eq!(names(base.path()), before);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn f1_a_link_is_kept_and_its_target_is_written() {
    let base = tempfile::tempdir().unwrap();
    let at = |name: &str| base.path().join(name);
    std::fs::create_dir(at("deep")).unwrap();
    std::fs::write(at("deep/page.html"), "old").unwrap();
    symlink("deep/page.html", at("link.html")).unwrap();
    symlink("link.html", at("second.html")).unwrap();
    write_atomic(&at("second.html"), b"new").unwrap();
    assert_eq!(std::fs::read_to_string(at("deep/page.html")).unwrap(), "new");
    symlink("deep/later.html", at("dangling.html")).unwrap();
    write_atomic(&at("dangling.html"), b"made").unwrap();
    assert_eq!(std::fs::read_to_string(at("deep/later.html")).unwrap(), "made");
    for link in ["link.html", "second.html", "dangling.html"] {
        assert!(std::fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
    }
    symlink("loop", at("loop")).unwrap();
    assert!(matches!(write_atomic(&at("loop"), b"x"), Err(FileError::Io { .. })));
    assert_eq!(names(&at("deep")), ["later.html", "page.html"]);
}

#[test]
fn paths_that_name_no_file_are_refused_with_a_hint() {
    let base = tempfile::tempdir().unwrap();
    for name in ["-", "", ".."] {
        let error = write_atomic(Path::new(name), b"x").unwrap_err();
        assert!(error.hint().is_some(), "{name}: {error}");
    }
    assert_eq!(write_atomic(Path::new("-"), b"x").unwrap_err().to_string(), "\"-\" is not a file name");
    let missing = base.path().join("no/such/page.html");
    let error = check_writable(&missing).unwrap_err();
    assert_eq!(error.hint(), Some(format!("create the folder {} first", base.path().join("no/such").display())));
    std::fs::write(base.path().join("file"), "").unwrap();
    assert!(check_writable(&base.path().join("file/page.html")).unwrap_err().hint().is_some());
    assert_eq!(names(base.path()), ["file"]);
}

/// Field cases F12 and F18: a failed write left its temporary file. A name that is too long fails at the rename, the last step.
#[test]
fn f18_a_failed_write_leaves_nothing() {
    let base = tempfile::tempdir().unwrap();
    let long = base.path().join("n".repeat(300));
    assert!(write_atomic(&long, b"x").is_err());
    assert_eq!(names(base.path()), [""; 0]);
}

/// Only root can mount a small disk to fill it, so a limit on the size of files takes its place.
#[test]
fn f12_a_write_that_is_cut_short_leaves_nothing() {
    // The limit holds for the whole process, so a process of its own meets it.
    if std::env::var_os("MOCHI_TEST_LIMITED").is_some() {
        let path = std::env::var_os("MOCHI_TEST_LIMITED").unwrap();
        let error = write_atomic(Path::new(&path), &[0; 1 << 16]).unwrap_err();
        println!("refused: {error}");
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("page.html");
    std::fs::write(&path, "old").unwrap();
    let this = std::env::current_exe().unwrap();
    let test = "atomic::f12_a_write_that_is_cut_short_leaves_nothing";
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$1\" --exact --nocapture";
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .arg(this)
        .arg(test)
        .env("MOCHI_TEST_LIMITED", &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("refused: cannot write"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(base.path()), ["page.html"]);
}

/// Security review S5: 400 links with guessed names led the write elsewhere.
#[test]
fn s5_names_of_temporary_files_differ_and_are_recognized() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("out/page.html");
    std::fs::create_dir(base.path().join("out")).unwrap();
    let watched = base.path().join("out");
    let writer = std::thread::spawn(move || {
        for _ in 0..200 {
            write_atomic(&path, &[0; 4096]).unwrap();
        }
    });
    let mut seen = std::collections::BTreeSet::new();
    while !writer.is_finished() {
        seen.extend(names(&watched).into_iter().filter(|name| name != "page.html"));
    }
    writer.join().unwrap();
    assert!(seen.len() > 1, "every write has a name of its own: {seen:?}");
    assert!(seen.iter().all(|name| is_temporary(OsStr::new(name))), "{seen:?}");
    for name in [
        "page.html",
        ".mochi-.tmp",
        ".mochi-00112233445566zz.tmp",
        ".mochi-0011223344556677",
        ".mochi-0011223344556677.tmp2",
    ] {
        assert!(!is_temporary(OsStr::new(name)), "{name}");
    }
}
