//! Any bytes as a list of sources, among a few files and folders: a dataset that can be named from end to end, or an error.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mochi_data::{Dataset, OpenOptions};

/// `1.jpg`, `a/2.jpg` and `a/b/3.png` below a folder of this process.
fn place() -> &'static PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = std::env::temp_dir().join(format!("mochi-fuzz-list-{}", std::process::id()));
        std::fs::create_dir_all(place.join("a/b")).expect("a temporary folder");
        for name in ["1.jpg", "a/2.jpg", "a/b/3.png"] {
            std::fs::write(place.join(name), "").expect("a file in it");
        }
        place
    })
}

fuzz_target!(|bytes: &[u8]| {
    // Nothing outside of the folder: `/**` would go through the whole machine.
    let leaves = |line: &[u8]| line.starts_with(b"/") || line.windows(2).any(|two| two == b"..");
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.starts_with(&[0x1F, 0x8B]) || text.split(|&b| b == b'\n').any(leaves) {
        return;
    }
    let list = place().join("list.txt");
    std::fs::write(&list, bytes).expect("a file in it");
    match Dataset::open(&list, &OpenOptions::default()) {
        Ok(dataset) => {
            let last = dataset.len() - 1;
            assert!(dataset.path_of(last).is_some() && dataset.path_of(last + 1).is_none());
            assert!(dataset.labels().is_none_or(|labels| labels.len() == dataset.len()));
            let classes = dataset.class_names().len();
            assert!(dataset.labels().is_none_or(|labels| labels.iter().all(|&label| (label as usize) < classes)));
            dataset.fingerprint();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
