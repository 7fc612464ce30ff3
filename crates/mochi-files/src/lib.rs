//! Opening, reading and writing files safely: the one place of the workspace where files of a run and files that a user names are made.
//!
//! | item | does |
//! |---|---|
//! | [`write_atomic`] | replaces a file as a whole, or leaves the old one |
//! | [`check_writable`] | tells before long work whether [`write_atomic`] can work |
//! | [`open_regular`], [`read_capped`] | read regular files only, so that a pipe does not block, and no more than a limit |
//! | [`Folder`] | opens, makes, lists and removes what is below a folder, without following links |
//! | [`shell_word`] | writes a path so that a command with it can be copied |
//!
//! ```
//! use mochi_files::{Folder, read_capped, write_atomic};
//! # let temporary = tempfile::tempdir()?;
//! # let base = temporary.path();
//! let page = base.join("page.html");
//! write_atomic(&page, b"<p>first")?;
//! write_atomic(&page, b"<p>second")?;
//! assert_eq!(read_capped(&page, 1 << 20)?, b"<p>second");
//!
//! let folder = Folder::open(base)?;
//! std::os::unix::fs::symlink("page.html", base.join("link.html"))?;
//! assert!(folder.read("link.html", 1 << 20).is_err(), "links below a folder are refused");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod atomic;
mod error;
mod folder;
mod name;
mod permissions;
mod read;
mod remove;
mod shell;

pub use atomic::{check_writable, is_temporary, write_atomic};
pub use error::FileError;
pub use folder::{Entry, FileType, Folder};
pub use name::random;
pub use read::{open_regular, read_capped};
pub use shell::shell_word;
