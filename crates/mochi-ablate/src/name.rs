//! Names of folders.

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
