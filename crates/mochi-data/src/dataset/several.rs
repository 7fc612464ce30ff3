//! Several sources as one dataset, in their order.
//!
//! Names are relative to the deepest common folder, so that `a/1.jpg` and `b/1.jpg` are different. Classes of the sources are merged by name. An
//! image in two sources is used once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mochi_text::counted_with;

use super::paths::{Paths, as_bytes, as_path};
use super::unique::unique;
use super::{Opened, Store};
use crate::error::DataError;
use crate::skipped::Skipped;

/// Joins opened sources. The path of each source is used in errors.
pub(super) fn merge(opened: Vec<(PathBuf, Opened)>) -> Result<Opened, DataError> {
    let (mut parts, mut skipped) = (Vec::new(), Skipped::default());
    for (path, part) in opened {
        let Store::Files { root, relative } = part.store else {
            let detail = format!("{} cannot be combined with other sources; only image files can", part.kind);
            return Err(DataError::Format { path, detail });
        };
        // The folder of "list.txt" is "", which has no absolute path.
        let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
        let root = std::path::absolute(&root).unwrap_or(root);
        skipped.add(&part.skipped);
        parts.push((root, relative, part.labels, part.class_names, part.warnings));
    }
    let root = common(parts.iter().map(|(root, ..)| root.as_path()));
    let mut numbers: BTreeMap<String, u32> =
        parts.iter().flat_map(|(_, _, _, names, _)| names).map(|name| (name.clone(), 0)).collect();
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number as u32;
    }
    let labelled = parts.iter().all(|(_, _, labels, _, _)| labels.is_some());
    let (mut relative, mut labels, mut warnings) = (Paths::default(), Vec::new(), Vec::new());
    for (part_root, images, part_labels, names, remarks) in parts {
        let below = part_root.strip_prefix(&root).unwrap_or(&part_root);
        for image in images.iter() {
            // A list can contain absolute paths.
            if as_path(image).is_absolute() {
                let whole = as_path(image);
                relative.push(as_bytes(whole.strip_prefix(&root).unwrap_or(whole)));
            } else {
                relative.push_joined(as_bytes(below), image);
            }
        }
        let numbers: Vec<u32> = names.iter().map(|name| numbers.get(name).copied().unwrap_or(0)).collect();
        labels.extend(part_labels.iter().flatten().map(|&l| numbers.get(l as usize).copied().unwrap_or(0)));
        warnings.extend(remarks);
    }
    if let (Some(kept), _) = unique(&relative, |_| true) {
        let verbs = ["is in two sources and is used once", "are in two sources and are used once"];
        warnings.push(counted_with(relative.len() - kept.len(), "image", verbs));
        labels = if labelled { kept.iter().filter_map(|&i| labels.get(i).copied()).collect() } else { labels };
        relative = kept.iter().filter_map(|&i| relative.get(i)).collect();
    }
    relative.shrink();
    let (labels, class_names) =
        if labelled { (Some(labels), numbers.into_keys().collect()) } else { (None, Vec::new()) };
    let store = Store::Files { root, relative };
    Ok(Opened { kind: "several sources", store, labels, class_names, warnings, skipped })
}

/// The deepest common folder.
fn common<'a>(mut roots: impl Iterator<Item = &'a Path>) -> PathBuf {
    let mut shared = roots.next().map(Path::to_owned).unwrap_or_default();
    for root in roots {
        shared = shared.components().zip(root.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    }
    shared
}
