//! Paths of sources as text, because `config.toml` is UTF-8 and paths need not be.
//!
//! A UTF-8 path is written unchanged. Any other path becomes `file:` and its bytes, of which non-ASCII bytes are written as `%FF`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::paths::as_bytes;

const SCHEME: &str = "file:";

/// The path as text; [`path_from_text`] is the inverse.
pub fn path_to_text(path: &Path) -> String {
    match path.to_str() {
        Some(text) if !text.starts_with(SCHEME) => text.to_owned(),
        _ => as_bytes(path).iter().fold(SCHEME.to_owned(), |text, &byte| match byte {
            b' '..=b'~' if byte != b'%' => text + char::from(byte).encode_utf8(&mut [0; 4]),
            _ => text + &format!("%{byte:02X}"),
        }),
    }
}

/// The path of a text. A `%` without two hexadecimal digits after it is kept.
pub fn path_from_text(text: &str) -> PathBuf {
    let Some(coded) = text.strip_prefix(SCHEME) else { return text.into() };
    let mut bytes = Vec::with_capacity(coded.len());
    let mut rest = coded.as_bytes();
    while let [byte, after @ ..] = rest {
        let digits =
            after.split_at_checked(2).filter(|(two, _)| *byte == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        let decoded =
            digits.and_then(|(two, after)| Some((u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()?, after)));
        let (byte, after) = decoded.unwrap_or((*byte, after));
        bytes.push(byte);
        rest = after;
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_paths_stay_readable() {
        assert_eq!(path_to_text(Path::new("/photos/été 100%")), "/photos/été 100%");
        let odd = PathBuf::from(OsString::from_vec(b"/photos/\xff 100%".to_vec()));
        assert_eq!(path_to_text(&odd), "file:/photos/%FF 100%25");
        assert_eq!(path_from_text("file:/a%2"), PathBuf::from("/a%2"));
    }

    proptest! {
        #[test]
        fn any_path_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..20), scheme: bool) {
            let bytes = if scheme { [SCHEME.as_bytes(), &bytes].concat() } else { bytes };
            let path = PathBuf::from(OsString::from_vec(bytes));
            prop_assert_eq!(path_from_text(&path_to_text(&path)), path);
        }
    }
}
