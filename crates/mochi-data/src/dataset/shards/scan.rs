//! Listing a shard that has no index by reading its tar headers once: WebDataset shards of any origin, or any tar of pictures.
//!
//! A sample is what shares a key, the name up to the first dot behind the last slash (WebDataset's rule), in members that follow
//! each other. Its image is the first member with an image's extension; `.cls` holds its class as a number; all else is passed over.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::index::{Listing, Member};
use crate::dataset::has_image_extension;

/// Listing and what to warn of; an error is what is wrong with the file.
pub(super) fn scan(path: &Path) -> std::io::Result<(Listing, Vec<String>)> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    // Small: most of what is read ahead belongs to pictures and is skipped.
    let mut archive = tar::Archive::new(BufReader::with_capacity(4096, file));
    let mut listing = Listing { bytes, images: Vec::new() };
    let mut warnings = Vec::new();
    let (mut key, mut sample) = (String::new(), Sample::default());
    let mut more_images = 0usize;
    for entry in archive.entries_with_seek()? {
        let mut entry = match entry {
            Ok(entry) => entry,
            // What was listed so far is there; a tar that is none at all has nothing listed.
            Err(error) if !listing.images.is_empty() || sample.image.is_some() => {
                warnings.push(format!("shard {} is damaged or cut short: {error}", path.display()));
                break;
            }
            Err(error) => return Err(error),
        };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((this_key, extension)) = split(&name) else { continue };
        if this_key != key {
            listing.images.extend(std::mem::take(&mut sample).finish());
            key = this_key.to_owned();
        }
        if has_image_extension(name.as_bytes()) {
            let length = u32::try_from(entry.size()).unwrap_or(u32::MAX);
            let member = Member { name, offset: entry.raw_file_position(), length, crc: None, class: None };
            if sample.image.is_none() { sample.image = Some(member) } else { more_images += 1 }
        } else if extension == "cls" && entry.size() <= 32 {
            let mut text = String::new();
            // A class that cannot be read is no class; the warning about missing ones will tell.
            let _ = entry.read_to_string(&mut text);
            sample.class = text.trim().parse().ok();
        }
    }
    listing.images.extend(sample.finish());
    if more_images > 0 {
        warnings.push(format!(
            "{more_images} images of shard {} were left out: their samples (names up to the first dot) have another one already",
            path.display()
        ));
    }
    Ok((listing, warnings))
}

/// The sample that is being put together.
#[derive(Default)]
struct Sample {
    image: Option<Member>,
    class: Option<u32>,
}

impl Sample {
    fn finish(self) -> Option<Member> {
        Some(Member { class: self.class, ..self.image? })
    }
}

/// Key and extension; nothing for hidden files and names without a dot.
fn split(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = base + name.get(base..)?.find('.')?;
    (dot > base).then(|| (&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_at_the_first_dot_behind_the_last_slash() {
        assert_eq!(split("a.b/c.d.jpg"), Some(("a.b/c", "d.jpg")));
        assert_eq!(split("c.cls"), Some(("c", "cls")));
        assert_eq!(split("./c.cls"), Some(("./c", "cls")));
        assert_eq!(split("dir/._c.jpg"), None);
        assert_eq!(split("README"), None);
    }
}
