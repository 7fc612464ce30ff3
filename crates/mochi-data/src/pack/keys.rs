//! Keys of packed images: their names in the source, changed so that tar programs and WebDataset read them in the same way.

use std::collections::HashSet;

use crate::dataset::{Dataset, has_image_extension};

/// A key for each image, by its index: unique, relative, `/` between folders, no dot in the last part (WebDataset ends keys there).
pub(super) fn keys(dataset: &Dataset) -> Vec<String> {
    let mut taken = HashSet::new();
    (0..dataset.len())
        .map(|index| {
            let mut key = plain(&dataset.name_of(index));
            if key.is_empty() || !taken.insert(key.clone()) {
                // Indices are unique, so this key exists only if another name looks like it.
                key = format!("{key}_{index}");
                while !taken.insert(key.clone()) {
                    key.push('_');
                }
            }
            key
        })
        .collect()
}

/// The name without its image extension, and with underscores instead of special characters.
fn plain(name: &str) -> String {
    let name = match name.rsplit_once('.') {
        Some((stem, _)) if has_image_extension(name.as_bytes()) => stem,
        _ => name,
    };
    let odd = |c: char| c.is_control() || matches!(c, '\\' | ':' | '#' | '\u{FFFD}');
    let parts: Vec<String> = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != "." && *part != "..")
        .map(|part| part.replace(odd, "_"))
        .collect();
    let Some((last, folders)) = parts.split_last() else { return String::new() };
    let mut key: String = folders.iter().flat_map(|folder| [folder, "/"]).collect();
    key.push_str(&last.replace('.', "_"));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys_that_end_at_no_dot() {
        assert_eq!(plain("class.a/0001.img.JPG"), "class.a/0001_img");
        assert_eq!(plain("../../etc/x.png"), "etc/x");
        assert_eq!(plain("/abs//x"), "abs/x");
        assert_eq!(plain("train-images.gz#17"), "train-images_gz_17");
        assert_eq!(plain("a\nb.jpg"), "a_b");
        assert_eq!(plain(".."), "");
    }
}
