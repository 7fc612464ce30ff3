//! Names of folders: readable parts, and identities.

use sha2::{Digest, Sha256};

/// Hexadecimal digits of an identity.
const ID_DIGITS: usize = 12;

/// Longest readable part of a folder's name, in characters.
const LONGEST: usize = 60;

/// Lower-case letters, digits, dots and hyphens of a name, for a folder.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() || c == '.' {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(LONGEST);
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "unnamed".to_owned() } else { slug.to_owned() }
}

/// An identity that follows from these lines.
pub(crate) fn short_hash<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line);
        hash.update("\n");
    }
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..ID_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_are_readable() {
        assert_eq!(slug("MoCHi (1024, 512, 256), 0.2"), "mochi-1024-512-256-0.2");
        assert_eq!(slug("../é"), "unnamed");
        assert_eq!(slug(&"a".repeat(100)).len(), LONGEST);
    }
}
