//! Classes of two splits, matched by name.
//!
//! A folder's classes are numbered in the order of their names, so a test folder that lacks a class numbers the rest differently
//! than the training folder does. The training split decides how many classes there are and which number each has.

use crate::{EvalError, Features};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The test labels in the training split's numbering.
///
/// # Errors
/// [`EvalError::UnknownClass`] naming a class with test images that the training split lacks; a test class without images is let be.
pub fn match_classes(train: &Features, test: &Features) -> Result<Vec<u32>, EvalError> {
    match_names(&train.class_names, &test.class_names, &test.labels)
}

/// As [`match_classes`], of names and labels alone: what can be said before any image is read.
pub(crate) fn match_names(train: &[String], test: &[String], labels: &[u32]) -> Result<Vec<u32>, EvalError> {
    let numbers: BTreeMap<&str, u32> = train.iter().map(String::as_str).zip(0u32..).collect();
    // Each class is looked up once, however many images it has.
    let mut found: BTreeMap<u32, u32> = BTreeMap::new();
    for &label in labels {
        if let Entry::Vacant(place) = found.entry(label) {
            let class = usize::try_from(label).ok().and_then(|index| test.get(index)).ok_or_else(|| {
                EvalError::Shape(format!("a test label is {label}, but the test set names {} classes", test.len()))
            })?;
            let unknown = || EvalError::UnknownClass { class: class.clone(), known: train.len() };
            place.insert(*numbers.get(class.as_str()).ok_or_else(unknown)?);
        }
    }
    Ok(labels.iter().filter_map(|label| found.get(label).copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::tests::features;

    #[test]
    fn numbers_follow_names_and_unknown_names_are_refused() {
        let train = features(&[&[1.0], &[2.0], &[3.0]], &[0, 1, 2], &["ant", "bee", "cat"]);
        let test = features(&[&[1.0], &[2.0]], &[1, 0], &["bee", "cat"]);
        assert_eq!(match_classes(&train, &test).unwrap(), [2, 1]);

        let strange = features(&[&[1.0], &[2.0]], &[0, 1], &["bee", "dog"]);
        let error = match_classes(&train, &strange).unwrap_err();
        assert!(error.to_string().contains("\"dog\"") && error.hint().is_some(), "{error}");
        // A name without images does no harm.
        let unused = features(&[&[1.0]], &[0], &["bee", "dog"]);
        assert_eq!(match_classes(&train, &unused).unwrap(), [1]);
        let broken = features(&[&[1.0]], &[7], &["bee"]);
        assert!(matches!(match_classes(&train, &broken), Err(EvalError::Shape(_))));
    }
}
