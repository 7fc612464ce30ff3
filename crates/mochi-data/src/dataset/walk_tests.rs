#![allow(clippy::unwrap_used)]

use std::os::unix::fs::symlink;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1];

/// Keeps everything at once: tests do not wait two seconds for a folder to settle.
fn cache(folder: &Path) -> Cache {
    Cache { folder: Some(folder.join("cache")), least_files: 0, least_time: Duration::ZERO, settle: Duration::ZERO }
}

fn nowhere() -> Cache {
    Cache { folder: None, ..cache(Path::new("")) }
}

fn look(root: &Path, cache: &Cache) -> Walked {
    let tally = Tally::default();
    let walked = walk(root, cache, &Watch::default(), &tally).unwrap();
    assert_eq!(
        tally.count(),
        walked.images.len() as u64,
        "whoever waits sees every image counted, remembered ones too"
    );
    walked
}

/// What must not depend on whether there is an index.
fn found(walked: &Walked) -> (Vec<&[u8]>, usize, &[String]) {
    (walked.images.iter().collect(), walked.others, &walked.warnings)
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A folder's time moves in steps of the kernel's clock; what happens after this happens in another step than what came before.
fn later() {
    std::thread::sleep(Duration::from_millis(25));
}

#[test]
fn only_folders_that_changed_are_listed_again() {
    let dir = tempfile::tempdir().unwrap();
    let (root, cache) = (dir.path().join("photos"), cache(dir.path()));
    for i in 0..30 {
        write(&root, &format!("{}/{}/{i}.jpg", i % 3, i % 5), b"");
    }
    write(&root, "1/notes.md", b"not a picture");
    write(&root, "1/named-by-hash", JPEG);
    later();
    let first = look(&root, &cache);
    assert_eq!((first.listed, first.images.len(), first.others), (19, 31, 1));
    let second = look(&root, &cache);
    assert_eq!((second.listed, found(&second)), (0, found(&first)));

    later();
    write(&root, "2/4/new.jpg", b"");
    let third = look(&root, &cache);
    assert_eq!((third.listed, found(&third)), (1, found(&look(&root, &nowhere()))));
    assert_eq!(third.images.len(), 32);
    later();
    assert_eq!(look(&root, &cache).listed, 0);
    fs::rename(root.join("2/4"), root.join("2/44")).unwrap();
    fs::remove_dir_all(root.join("0")).unwrap();
    let fourth = look(&root, &cache);
    assert_eq!(found(&fourth), found(&look(&root, &nowhere())));
    assert_eq!(fourth.listed, 3, "the root, 2, and 2/44 by its new name");
    // Another root is another index.
    assert_eq!(look(&root.join("1"), &cache).listed, 6);
    assert_eq!(look(&root.join("../photos/1"), &cache).listed, 0);
}

#[test]
fn a_folder_that_changed_just_now_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("photos");
    write(&root, "a/1.jpg", b"");
    let cautious = Cache { settle: Duration::from_secs(2), ..cache(dir.path()) };
    for _ in 0..2 {
        assert_eq!(look(&root, &cautious).listed, 2);
    }
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    let at = |modified, changed| Stamp { inode: 0, modified: (modified, 0), changed: (changed, 0) };
    let settle = Duration::from_secs(2);
    assert!(at(998, 998).is_settled(past, settle));
    assert!(!at(999, 1).is_settled(past, settle) && !at(1, 999).is_settled(past, settle));
    assert!(!at(5000, 1).is_settled(past, settle), "from the future");
}

#[test]
fn where_links_lead_is_looked_up_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let (root, cache) = (dir.path().join("photos"), cache(dir.path()));
    write(&root, "a/1.jpg", b"");
    write(dir.path(), "one/x.jpg", b"");
    write(dir.path(), "two/y.jpg", b"");
    symlink(dir.path().join("one"), dir.path().join("current")).unwrap();
    symlink(dir.path().join("current"), root.join("link")).unwrap();
    symlink(&root, root.join("a/loop")).unwrap();
    symlink(dir.path().join("one/x.jpg"), root.join("a/x.jpg")).unwrap();
    symlink("self.jpg", root.join("a/self.jpg")).unwrap();
    later();
    let first = look(&root, &cache);
    assert!(first.images.iter().eq([&b"a/1.jpg"[..], b"a/x.jpg", b"link/x.jpg"]));
    assert_eq!(first.warnings.len(), 2, "{:?}", first.warnings);
    // No folder below the root changes; what its links lead to does.
    fs::remove_file(dir.path().join("current")).unwrap();
    symlink(dir.path().join("two"), dir.path().join("current")).unwrap();
    fs::remove_file(dir.path().join("one/x.jpg")).unwrap();
    let second = look(&root, &cache);
    assert!(second.images.iter().eq([&b"a/1.jpg"[..], b"link/y.jpg"]));
    assert_eq!(found(&second), found(&look(&root, &nowhere())));
    assert_eq!(second.warnings.len(), 3, "{:?}", second.warnings);
}

#[test]
fn a_file_that_was_too_short_to_tell_is_looked_at_again() {
    let dir = tempfile::tempdir().unwrap();
    let (root, cache) = (dir.path().join("photos"), cache(dir.path()));
    write(&root, "a/1.jpg", b"");
    write(&root, "b/download", b"");
    later();
    assert_eq!(look(&root, &cache).images.len(), 1);
    write(&root, "b/download", JPEG);
    let second = look(&root, &cache);
    assert_eq!((second.listed, second.images.len()), (1, 2));
}

#[test]
fn a_broken_index_is_ignored_with_a_remark_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let (root, cache) = (dir.path().join("photos"), cache(dir.path()));
    write(&root, "a/1.jpg", b"");
    later();
    let whole = look(&root, &cache);
    let folder = dir.path().join("cache/folders");
    let index = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let faults: [fn(&mut Vec<u8>); 3] = [|b| b.truncate(20), Vec::clear, |b| *b.last_mut().unwrap() ^= 4];
    for break_it in faults {
        let mut bytes = fs::read(&index).unwrap();
        break_it(&mut bytes);
        fs::write(&index, bytes).unwrap();
        let walked = look(&root, &cache);
        assert!(walked.images == whole.images && walked.listed == 2);
        assert!(walked.warnings[0].contains("was not used: "), "{:?}", walked.warnings);
        assert_eq!((look(&root, &cache).listed, look(&root, &cache).warnings.len()), (0, 0));
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_cache_that_cannot_be_written_costs_a_remark() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("photos");
    write(&root, "a/1.jpg", b"");
    write(dir.path(), "file", b"");
    for folder in [dir.path().join("file"), "/dev/full".into(), "/proc/mochi".into()] {
        let walked = look(&root, &Cache { folder: Some(folder), ..cache(dir.path()) });
        assert_eq!(walked.images.len(), 1);
        assert!(
            walked.warnings.len() == 1 && walked.warnings[0].contains("could not be kept"),
            "{:?}",
            walked.warnings
        );
    }
}

#[test]
fn a_few_files_are_not_worth_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("photos");
    write(&root, "a/1.jpg", b"");
    look(&root, &Cache { least_files: 2, least_time: Duration::from_secs(60), ..cache(dir.path()) });
    assert!(!dir.path().join("cache").exists());
}

#[test]
fn pipes_and_folders_named_like_images_are_no_images() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("folder.jpg/sub.png")).unwrap();
    write(dir.path(), "folder.jpg/1.jpg", b"");
    let mut others = 0;
    for name in ["pipe.jpg", "pipe"] {
        others += usize::from(crate::testing::make_pipe(&dir.path().join(name)));
    }
    symlink("/dev/zero", dir.path().join("zero.jpg")).unwrap();
    let walked = look(dir.path(), &nowhere());
    assert!(walked.images.iter().eq([&b"folder.jpg/1.jpg"[..]]));
    assert_eq!(walked.others, others + 1);
}

#[test]
fn a_file_system_that_hangs_ends_the_walk_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/1.jpg", b"");
    write(dir.path(), "b/named-by-hash", JPEG);
    let Some(_held) = crate::testing::hold(&dir.path().join("b/named-by-hash")) else { return };
    let root = dir.path().to_owned();
    let begun = Instant::now();
    let hung = super::super::patience::patiently(dir.path(), Duration::from_millis(300), move |watch| {
        walk(&root, &nowhere(), watch, &Tally::default()).map(|_| ())
    });
    assert!(matches!(&hung, Err(DataError::ListingStalled { path, .. }) if path.ends_with("b")), "{hung:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// Anything that may happen to a folder between two openings.
#[derive(Clone, Debug)]
enum Change {
    Write(u8, u8),
    Remove(u8, u8),
    Rename(u8, u8),
    RemoveFolder(u8),
}

fn change() -> impl Strategy<Value = Change> {
    let (folder, name) = (0u8..6, 0u8..6);
    prop_oneof![
        (folder.clone(), name.clone()).prop_map(|(f, n)| Change::Write(f, n)),
        (folder.clone(), name).prop_map(|(f, n)| Change::Remove(f, n)),
        (folder.clone(), folder.clone()).prop_map(|(a, b)| Change::Rename(a, b)),
        folder.prop_map(Change::RemoveFolder),
    ]
}

fn apply(root: &Path, change: &Change) {
    // Nested, and such that the order of names and of paths differ ("a-b" < "a/" < "a.").
    let folder = |f: u8| root.join(["", "a", "a-b", "a/b", "a.c", "z/a"][usize::from(f)]);
    let name = |n: u8| ["0.jpg", "a.jpg", "a-.png", "notes.txt", "named-by-hash", ".hidden.jpg"][usize::from(n)];
    let _ = match *change {
        Change::Write(f, n) => fs::create_dir_all(folder(f)).and_then(|()| fs::write(folder(f).join(name(n)), JPEG)),
        Change::Remove(f, n) => fs::remove_file(folder(f).join(name(n))),
        Change::Rename(a, b) => fs::rename(folder(a), folder(b)),
        Change::RemoveFolder(f) if f > 0 => fs::remove_dir_all(folder(f)),
        Change::RemoveFolder(_) => Ok(()),
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn with_an_index_the_walk_finds_the_same_whatever_happened(
        rounds in prop::collection::vec(prop::collection::vec(change(), 0..8), 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (root, cache) = (dir.path().join("photos"), cache(dir.path()));
        fs::create_dir(&root).unwrap();
        for changes in &rounds {
            changes.iter().for_each(|change| apply(&root, change));
            later();
            let (with, without) = (look(&root, &cache), look(&root, &nowhere()));
            prop_assert_eq!(found(&with), found(&without));
            prop_assert!(without.images.sorted() == without.images, "in the order of their bytes");
        }
    }
}
