//! Percent encoding of names and paths.

/// A name as one part of a path.
pub(super) fn encoded(name: &str) -> String {
    encode(name, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// A path that may already be encoded in part: only characters that are invalid in an address are encoded.
pub(super) fn encoded_path(path: &str) -> String {
    encode(path, |byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

/// The name of an object as a path: everything except letters, digits, `-._~` and slashes is encoded.
pub(super) fn object(name: &str) -> String {
    encode(name, |byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte))
}

fn encode(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
