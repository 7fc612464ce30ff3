#![allow(clippy::unwrap_used)]

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::timeout::with_timeout;
use super::*;

const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1];

fn walked(root: &Path) -> Walked {
    let counter = Counter::default();
    let walked = walk(root, &Watch::default(), &counter).unwrap();
    assert_eq!(counter.count(), walked.images.len() as u64, "every image is counted once");
    walked
}

fn names(walked: &Walked) -> Vec<String> {
    walked.images.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn images_are_told_by_extension_or_content_and_all_else_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a/1.JPG", "a/named-by-hash", "b.png"] {
        write(dir.path(), name, JPEG);
    }
    for name in ["a/notes.md", "a/2.HEIC", "b/3.heic", "b/empty", ".hidden.jpg", ".git/x.jpg"] {
        write(dir.path(), name, b"");
    }
    let walked = walked(dir.path());
    assert_eq!(names(&walked), ["a/1.JPG", "a/named-by-hash", "b.png"]);
    assert_eq!(walked.skipped.to_string(), "2 .heic, 1 without an extension, 1 .md");
    assert_eq!(walked.skipped.hidden, 2);
}

/// Field case, row 32.
#[test]
fn row_32_folders_of_storage_systems_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["1.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/2.jpg", "a/@eaDir/3.jpg", "lost+found/4.jpg"]
    {
        write(dir.path(), name, JPEG);
    }
    assert_eq!(names(&walked(dir.path())), ["1.jpg"]);
}

/// Field case F14.
#[test]
fn f14_folders_that_link_to_each_other_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let n = 40;
    for i in 0..n {
        write(dir.path(), &format!("d{i:02}/{i}.jpg"), b"");
        for j in (0..n).filter(|&j| j != i) {
            symlink(format!("../d{j:02}"), dir.path().join(format!("d{i:02}/to{j}"))).unwrap();
        }
    }
    let begun = Instant::now();
    let walked = walked(dir.path());
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(walked.images.len(), n);
    assert_eq!(
        walked.warnings,
        ["1560 links lead to folders that are already part of the dataset; their images are used once; first: d00/to1"]
    );
}

/// Field case F14 and row 41.
#[test]
fn f14_a_folder_reached_by_two_links_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    write(dir.path(), "outside/deep/1.jpg", b"");
    write(dir.path(), "outside/2.jpg", b"");
    write(&root, "own/3.jpg", b"");
    symlink(dir.path().join("outside"), root.join("b")).unwrap();
    symlink(dir.path().join("outside"), root.join("a")).unwrap();
    // Inside of what `a` leads to, and found in the same round.
    symlink(dir.path().join("outside/deep"), root.join("own/deep")).unwrap();
    let first = walked(&root);
    assert_eq!(names(&first), ["a/2.jpg", "own/3.jpg", "own/deep/1.jpg"]);
    assert_eq!(first.warnings.len(), 1, "{:?}", first.warnings);
    assert!(
        first.warnings[0].starts_with("2 links lead to folders that are already part of the dataset"),
        "{:?}",
        first.warnings
    );
    for _ in 0..20 {
        let again = walked(&root);
        assert_eq!((names(&again), &again.warnings), (names(&first), &first.warnings), "whatever the threads do");
    }
}

#[test]
fn links_back_dead_links_and_links_to_themselves_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    write(&root, "a/1.jpg", b"");
    symlink(&root, root.join("a/back")).unwrap();
    symlink(dir.path(), root.join("a/above")).unwrap();
    symlink("self", root.join("a/self")).unwrap();
    symlink("nothing", root.join("a/dead.jpg")).unwrap();
    let walked = walked(&root);
    assert_eq!((names(&walked), walked.warnings.len()), (vec!["a/1.jpg".into()], 4), "{:?}", walked.warnings);
    assert_eq!(walked.warnings.iter().filter(|w| w.contains("leads to a folder above")).count(), 2);
}

#[test]
fn pipes_and_folders_named_like_images_are_no_images() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("folder.jpg/sub.png")).unwrap();
    write(dir.path(), "folder.jpg/1.jpg", b"");
    let mut skipped = 0;
    for name in ["pipe.jpg", "pipe"] {
        skipped += usize::from(crate::testing::make_pipe(&dir.path().join(name)));
    }
    symlink("/dev/zero", dir.path().join("zero.jpg")).unwrap();
    let walked = walked(dir.path());
    assert_eq!(names(&walked), ["folder.jpg/1.jpg"]);
    assert_eq!(walked.skipped.files(), skipped + 1);
}

#[test]
fn a_file_system_that_hangs_ends_the_walk_with_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/1.jpg", b"");
    write(dir.path(), "b/named-by-hash", JPEG);
    let Some(_held) = crate::testing::hold(&dir.path().join("b/named-by-hash")) else { return };
    let root = dir.path().to_owned();
    let begun = Instant::now();
    let hung = with_timeout(dir.path(), Duration::from_millis(300), move |watch| {
        walk(&root, watch, &Counter::default()).map(|_| ())
    });
    assert!(matches!(&hung, Err(DataError::ListingStalled { path, .. }) if path.ends_with("b")), "{hung:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// Report H6.8.
#[test]
fn h6_8_a_panic_in_one_thread_ends_the_others() {
    let watch = Watch::default();
    let counter = Counter::default();
    let walk = Walk {
        root: Path::new(""),
        watch: &watch,
        counter: &counter,
        seen: HashSet::new(),
        // A folder is being listed by the thread that will panic: `open` never becomes 0.
        state: Mutex::new(State { open: 2, ..State::default() }),
        changed: Condvar::new(),
    };
    let ended = std::thread::scope(|scope| {
        let others: Vec<_> = (0..3).map(|_| scope.spawn(|| walk.work())).collect();
        let panicking = scope.spawn(|| {
            let _guard = walk.guard();
            panic!("on purpose");
        });
        assert!(panicking.join().is_err());
        others.into_iter().all(|other| other.join().is_ok())
    });
    assert!(ended);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn images_come_in_the_order_of_their_bytes(
        files in prop::collection::btree_set((0usize..6, 0usize..6), 1..20), links in prop::collection::vec((0usize..6, 0usize..6), 0..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        // Nested, and such that the order of names and of paths differ ("a-b" < "a/" < "a.").
        let folders = ["", "a", "a-b", "a/b", "a.c", "z/a"];
        for &(folder, name) in &files {
            let name = ["0.jpg", "a.jpg", "a-.png", "notes.txt", "named-by-hash", ".hidden.jpg"][name];
            write(dir.path(), Path::new(folders[folder]).join(name).to_str().unwrap(), JPEG);
        }
        for (number, &(from, to)) in links.iter().enumerate() {
            let from = dir.path().join(folders[from]);
            if from.exists() {
                let _ = symlink(dir.path().join(folders[to]), from.join(format!("link{number}")));
            }
        }
        let once = walked(dir.path());
        prop_assert!(once.images.sorted() == once.images);
        let visible = files.iter().filter(|(_, name)| *name < 5).count();
        // "notes.txt" holds a JPEG here, so its content tells.
        prop_assert_eq!(once.images.len(), visible);
    }
}
