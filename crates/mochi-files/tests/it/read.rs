//! `read_capped` and `open_regular`.

use std::path::Path;

use mochi_files::{FileError, open_regular, read_capped};

use crate::{make_pipe, make_socket};

#[test]
fn a_file_is_read_up_to_its_limit() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("config.toml");
    std::fs::write(&path, "seed = 0\n").unwrap();
    assert_eq!(read_capped(&path, 9).unwrap(), b"seed = 0\n");
    let error = read_capped(&path, 8).unwrap_err();
    assert!(matches!(error, FileError::TooLarge { limit: 8, .. }), "{error}");
    assert!(error.hint().is_some());
}

/// Security review S7: a sparse file of 3 GiB was read whole.
#[test]
fn s7_a_sparse_file_is_refused_at_once() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("config.toml");
    std::fs::File::create(&path).unwrap().set_len(3 << 30).unwrap();
    assert!(matches!(read_capped(&path, 1 << 20), Err(FileError::TooLarge { .. })));
}

/// Security review S14: a pipe in place of a file blocked for ever.
#[test]
fn s14_pipes_sockets_devices_and_folders_do_not_block() {
    let base = tempfile::tempdir().unwrap();
    let (pipe, socket) = (base.path().join("pipe"), base.path().join("socket"));
    make_pipe(&pipe);
    make_socket(&socket);
    for (path, word) in
        [(&*pipe, "pipe"), (&*socket, "socket"), (Path::new("/dev/zero"), "device"), (base.path(), "folder")]
    {
        let error = open_regular(path).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is a {word}, expected a regular file", path.display()));
        assert!(read_capped(path, 100).is_err());
    }
    assert_eq!(read_capped(&base.path().join("none"), 1).unwrap_err().kind(), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn links_that_a_user_names_are_followed() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("file"), "x").unwrap();
    std::os::unix::fs::symlink("file", base.path().join("link")).unwrap();
    assert_eq!(read_capped(&base.path().join("link"), 1).unwrap(), b"x");
}
