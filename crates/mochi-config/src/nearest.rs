//! The most similar of some names to an unknown one.

/// The most similar name, or `None` if none is similar.
///
/// Damerau-Levenshtein distance, at most a third of the letters (at least 2). A name without its section matches a dotted key if it is the last
/// part of exactly one key: `batch` matches `moco.batch`. So does the beginning of exactly one name: `feature` matches `feature-transformation`.
pub(crate) fn nearest<'a>(unknown: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let unknown_last = last(unknown);
    let mut same_last = names.clone().filter(|name| name.contains('.') && last(name) == unknown_last);
    if let (Some(name), None) = (same_last.next(), same_last.next()) {
        return Some(name);
    }
    // A beginning of one name.
    let mut longer = names.clone().filter(|name| unknown.len() >= 3 && name.starts_with(unknown));
    if let (Some(name), None) = (longer.next(), longer.next()) {
        return Some(name);
    }
    let allowed = (unknown.chars().count() / 3).max(2);
    names
        .map(|name| {
            let whole = strsim::damerau_levenshtein(unknown, name);
            // A misspelled name without its section still finds its key.
            let part = if unknown.contains('.') {
                usize::MAX
            } else {
                strsim::damerau_levenshtein(unknown, &last(name)).saturating_add(1)
            };
            (whole.min(part), name)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn misspelled_names_are_found_and_unrelated_ones_are_not() {
        let names = ["moco.batch", "moco.momentum", "optimizer.momentum", "moco.queue", "data.size"];
        let near = |word| nearest(word, names.into_iter());
        assert_eq!(near("moco.batsh"), Some("moco.batch"));
        assert_eq!(near("batch"), Some("moco.batch"));
        assert_eq!(near("bacth"), Some("moco.batch"));
        assert_eq!(near("data.queue"), Some("moco.queue"));
        assert_eq!(near("moco.momentun"), Some("moco.momentum"));
        assert_eq!(near("entirely.else"), None);
    }
}
