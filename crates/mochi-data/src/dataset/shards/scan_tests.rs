//! Tar files of other programs, damaged ones, and ones made to do harm.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use super::*;

/// A tar file from (type, name, link target, data).
fn tar_of(members: &[(u8, &str, &str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, name, target, data) in members {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.as_old_mut().linkflag[0] = *kind;
        header.set_size(data.len() as u64);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn scan_bytes(bytes: &[u8]) -> std::io::Result<Scanned> {
    scan_from(Cursor::new(bytes), bytes.len() as u64, "x.tar")
}

fn names(scanned: &Scanned) -> Vec<&str> {
    scanned.listing.images.iter().map(|image| image.name.as_str()).collect()
}

#[test]
fn keys_end_at_the_first_dot_behind_the_last_slash() {
    assert_eq!(split("a.b/c.d.jpg"), Some(("a.b/c", "d.jpg")));
    assert_eq!(split("c.cls"), Some(("c", "cls")));
    assert_eq!(split("./c.cls"), Some(("./c", "cls")));
    assert_eq!(split("dir/._c.jpg"), None);
    assert_eq!(split("README"), None);
}

// Field case F3.
#[test]
fn f3_a_shard_that_is_cut_short_anywhere_is_reported() {
    let members: Vec<(u8, String, &str, Vec<u8>)> =
        (0..4).map(|i| (b'0', format!("{i}.jpg"), "", vec![7; 700 + i])).collect();
    let members: Vec<_> =
        members.iter().map(|(kind, name, target, data)| (*kind, name.as_str(), *target, &data[..])).collect();
    let whole = tar_of(&members);
    let complete = scan_bytes(&whole).unwrap();
    assert!(complete.warnings.is_empty() && !complete.incomplete && complete.listing.images.len() == 4);
    // The last 1024 bytes are the end marker, of which the first block is enough.
    for cut in 0..whole.len() - 512 {
        match scan_bytes(&whole[..cut]) {
            Ok(scanned) => {
                assert!(scanned.incomplete && scanned.warnings.len() == 1, "cut at {cut}");
                assert!(scanned.warnings[0].contains("truncated"), "{}", scanned.warnings[0]);
            }
            Err(error) => {
                assert!(cut < 512 && error.kind() == std::io::ErrorKind::InvalidData, "cut at {cut}: {error}")
            }
        }
    }
    let mut damaged = whole.clone();
    damaged[1536 + 20] ^= 1;
    let scanned = scan_bytes(&damaged).unwrap();
    assert!(scanned.incomplete && names(&scanned) == ["0.jpg"] && scanned.warnings[0].contains("damaged at byte 1536"));
}

// Field case F7.
#[test]
fn f7_links_within_an_archive_are_followed_and_others_told() {
    let tar = tar_of(&[
        (b'0', "./a/one.jpg", "", b"first"),
        (b'1', "a/hard.jpg", "a/one.jpg", b""),
        (b'1', "a/hard.cls", "a/nothing", b""),
        (b'2', "b/soft.jpg", "../a/one.jpg", b""),
        (b'2', "b/chain.jpg", "soft.jpg", b""),
        (b'2', "b/lost.jpg", "/etc/passwd", b""),
        (b'2', "b/loop.jpg", "loop.jpg", b""),
        (b'2', "b/later.jpg", "two.jpg", b""),
        (b'0', "b/two.jpg", "", b"second!"),
    ]);
    let scanned = scan_bytes(&tar).unwrap();
    assert_eq!(names(&scanned), ["./a/one.jpg", "a/hard.jpg", "b/soft.jpg", "b/chain.jpg", "b/later.jpg", "b/two.jpg"]);
    let content = |image: &Member| &tar[image.offset as usize..][..image.length as usize];
    let contents: Vec<&[u8]> = scanned.listing.images.iter().map(content).collect();
    assert_eq!(contents, [&b"first"[..], b"first", b"first", b"first", b"second!", b"second!"]);
    assert!(
        scanned.warnings.len() == 1 && scanned.warnings[0].contains("2 links have no target"),
        "{:?}",
        scanned.warnings
    );
}

// Field case F17.
#[test]
fn f17_a_volume_label_is_passed_over() {
    let mut tar = tar_of(&[(b'V', "label", "", b""), (b'0', "a.jpg", "", b"x")]);
    tar[124..136].fill(b' ');
    let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
    header.set_cksum();
    tar[..512].copy_from_slice(header.as_bytes());
    assert_eq!(names(&scan_bytes(&tar).unwrap()), ["a.jpg"]);
}

// Security case S6.
#[test]
fn s6_long_names_and_pax_headers_are_bounded() {
    let long = vec![b'n'; 70_000];
    for kind in [b'L', b'x'] {
        let tar = tar_of(&[(kind, "l", "", &long), (b'0', "cut.jpg", "", b"x"), (b'0', "b.jpg", "", b"x")]);
        let scanned = scan_bytes(&tar).unwrap();
        assert_eq!(names(&scanned), ["b.jpg"]);
        assert!(scanned.warnings[0].contains("1 image is in an unsupported form"), "{:?}", scanned.warnings);
    }
    // A sparse file of 3 GiB that is one long name.
    let mut bomb = tar::Header::new_gnu();
    bomb.as_old_mut().linkflag[0] = b'L';
    bomb.set_size(3 << 30);
    bomb.set_cksum();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bomb.as_bytes()).unwrap();
    file.as_file().set_len(3 << 30).unwrap();
    assert!(scan(file.path()).is_err());
}

#[test]
fn pax_records_give_names_targets_and_sizes() {
    let record = |key: &str, value: &str| {
        let mut length = key.len() + value.len() + 4;
        length = key.len() + value.len() + 3 + length.to_string().len();
        format!("{length} {key}={value}\n")
    };
    let pax = record("comment", "a\nb") + &record("path", "d/\u{e9}.jpg") + &record("size", "5");
    let link = record("linkpath", "d/\u{e9}.jpg");
    let tar = tar_of(&[
        (b'g', "g", "", b"not read"),
        (b'x', "p", "", pax.as_bytes()),
        (b'0', "short", "", b"hello"),
        (b'x', "p", "", link.as_bytes()),
        (b'1', "l.jpg", "", b""),
        (b'x', "p", "", record("GNU.sparse.major", "1").as_bytes()),
        (b'0', "holes.jpg", "", b"map"),
    ]);
    let scanned = scan_bytes(&tar).unwrap();
    assert_eq!(names(&scanned), ["d/\u{e9}.jpg", "l.jpg"]);
    assert!(scanned.listing.images.iter().all(|image| image.length == 5));
    assert!(scanned.warnings.len() == 1 && scanned.warnings[0].contains("a sparse file"), "{:?}", scanned.warnings);
}

// Field case 67.
#[test]
fn row_67_classes_that_are_no_numbers_or_far_away_are_told() {
    let tar = tar_of(&[
        (b'0', "a.jpg", "", b"x"),
        (b'0', "a.cls", "", b"cat"),
        (b'0', "b.cls", "", b"-1"),
        (b'0', "b.jpg", "", b"x"),
        (b'0', "c.jpg", "", b"x"),
        (b'0', "c.cls", "", b"99999999999999999999"),
        (b'0', "d.jpg", "", b"x"),
        (b'0', "e.jpg", "", b"x"),
        (b'0', "d.cls", "", b"1"),
    ]);
    let scanned = scan_bytes(&tar).unwrap();
    assert!(scanned.listing.images.len() == 5 && scanned.listing.images.iter().all(|image| image.class.is_none()));
    let told = scanned.warnings.join("\n");
    assert!(told.contains("3 .cls files do not contain a class number, first: a.cls: \"cat\""), "{told}");
    assert!(told.contains("1 .cls file is not next to") && told.contains("d.cls"), "{told}");
}

// Field case 64.
#[test]
fn row_64_names_with_dots_are_told_with_the_next_step() {
    let tar = tar_of(&[(b'0', "22.05/f.0001.jpg", "", b"x"), (b'0', "22.05/f.0002.jpg", "", b"y")]);
    let scanned = scan_bytes(&tar).unwrap();
    assert!(
        scanned.listing.images.len() == 1 && scanned.warnings[0].contains("`mochi pack`"),
        "{:?}",
        scanned.warnings
    );
}

// Field case 70.
#[test]
fn row_70_what_is_no_tar_is_told_without_its_content() {
    let page = b"<!doctype html><title>Not found</title>".repeat(40);
    for (bytes, words) in [
        (&page[..], "does not start with a tar header"),
        (b"", "the file is empty"),
        (&[0u8; 10_240][..], "the archive is empty"),
        (&page[..100], "ends inside its first member"),
    ] {
        let error = scan_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("doctype"), "{error}");
    }
}

#[test]
fn random_bytes_with_right_checksums_never_panic() {
    let mut state = 1u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..2000 {
        let mut bytes: Vec<u8> = (0..1536).map(|_| next() as u8).collect();
        for header in bytes.chunks_exact_mut(512) {
            header[156] = b"0127LKxgSVS5\0"[(next() % 13) as usize];
            let mut fixed = tar::Header::from_byte_slice(header).clone();
            if next() % 2 == 0 {
                fixed.set_size(next() % 2000);
            }
            fixed.set_cksum();
            header.copy_from_slice(fixed.as_bytes());
        }
        if let Ok(scanned) = scan_bytes(&bytes) {
            assert!(scanned.listing.images.len() <= 3);
        }
    }
}
