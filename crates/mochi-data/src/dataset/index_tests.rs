#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn stamp(n: i64) -> Stamp {
    Stamp { inode: n as u64, modified: (n, n % 1000), changed: (-n, 999_999_999) }
}

fn paths(names: &[Vec<u8>]) -> Paths {
    names.iter().map(|name| &name[..]).collect()
}

fn names() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..8)
}

fn example() -> Vec<u8> {
    let images: Vec<Vec<u8>> = (0..40).map(|i| format!("n01440764_{:05}.JPEG", i * 37).into_bytes()).collect();
    let listing = Listing { images: paths(&images), folders: paths(&[b"\xff".to_vec()]), ..Listing::default() };
    write(b"/root", &[(b"", stamp(1), &listing), (b"a", stamp(2), &listing), (b"a/b", stamp(3), &listing)])
}

/// With the checksum that fits, so that a test gets past it.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some((head, body)) = bytes.split_at_mut_checked(HEAD) {
        head[12..].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    }
    bytes
}

proptest! {
    #[test]
    fn what_was_written_is_read(folders in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..9), (names(), names(), 0usize..1 << 40, any::<i32>()), 0..6)) {
        let listings: Vec<(Vec<u8>, Listing)> = folders.into_iter().map(|(path, (images, folders, others, at))| {
            let stamp = Some(stamp(i64::from(at).abs()));
            (path, Listing { images: paths(&images), folders: paths(&folders), others, stamp, ..Listing::default() })
        }).collect();
        let kept: Vec<_> = listings.iter().map(|(path, l)| (&path[..], l.stamp.unwrap(), l)).collect();
        let index = Index::read(write(b"/ro\xffot", &kept)).unwrap();
        prop_assert_eq!((index.root(), index.len()), (&b"/ro\xffot"[..], kept.len()));
        for (path, stamp, listing) in kept {
            let read = index.get(path, stamp);
            prop_assert_eq!(read.as_ref(), Some(listing));
            let another = Stamp { inode: stamp.inode ^ 1, ..stamp };
            prop_assert!(index.get(path, another).is_none());
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_within_bounds(at in 0usize..2000, byte: u8, cut in 0usize..3000) {
        let mut bytes = example();
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        bytes.truncate(cut);
        if bytes != example() && bytes.len() > HEAD {
            prop_assert!(Index::read(bytes.clone()).is_err());
        }
        if let Ok(index) = Index::read(sealed(bytes)) {
            let _ = (index.images(), index.is_empty());
        }
    }
}

#[test]
fn names_that_share_too_much_are_refused_rather_than_blown_up() {
    let mut body = vec![0, 1, 0, 0];
    body.extend([0; 32]);
    let mut names = Vec::new();
    number(&mut names, 1000);
    shared(&mut names, b"", &[b'x'; 300]);
    names.extend([0xAC, 0x02, 0].repeat(999));
    body.push(0);
    number(&mut body, names.len());
    body.extend(names);
    let index = Index::read(sealed([&MAGIC[..], &VERSION.to_le_bytes(), &[0; 4], &body].concat())).unwrap();
    assert_eq!((index.len(), index.images()), (1, None));
}

#[test]
fn every_fault_has_its_words() {
    let of = |bytes: Vec<u8>| Index::read(bytes).unwrap_err();
    assert_eq!(of(Vec::new()), "it is cut short");
    assert_eq!(of(vec![7; 40]), "it is no index of Mochi's");
    let mut newer = example();
    newer[8] = 2;
    assert_eq!(of(newer), "it is of version 2, not 1");
    let mut flipped = example();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(of(flipped), "its checksum does not fit");
    let cut = example();
    assert_eq!(of(sealed(cut[..cut.len() - 1].to_vec())), "its parts do not fit together");
}
