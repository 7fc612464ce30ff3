//! Any bytes as the index of a folder, with a checksum that fits so that they get past it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mochi_data::dataset::Index;

fuzz_target!(|bytes: &[u8]| {
    let mut file = [&b"mochi-ix\x01\0\0\0"[..], &crc32c::crc32c(bytes).to_le_bytes()].concat();
    file.extend_from_slice(bytes);
    if let Ok(index) = Index::read(file) {
        assert_eq!(index.is_empty(), index.len() == 0);
        let _ = index.images();
    }
});
