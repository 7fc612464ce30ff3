//! Images in several sources. An image that is used twice by mistake acts as its own false negative.

use std::collections::HashSet;

use super::paths::Paths;

/// Indices of the paths that stay if those that came before are dropped where `may_drop` says so (`None`: all stay), and how many of
/// those that stay came before.
pub(super) fn unique(paths: &Paths, may_drop: impl Fn(usize) -> bool) -> (Option<Vec<usize>>, usize) {
    let mut seen: HashSet<&[u8]> = HashSet::with_capacity(paths.len());
    let (mut dropped, mut again) = (Vec::new(), 0);
    for (index, path) in paths.iter().enumerate() {
        if seen.insert(path) {
            continue;
        }
        if may_drop(index) { dropped.push(index) } else { again += 1 }
    }
    let mut gone = dropped.iter().peekable();
    let kept = (!dropped.is_empty()).then(|| (0..paths.len()).filter(|i| gone.next_if_eq(&i).is_none()).collect());
    (kept, again)
}
