//! Matching the classes of two splits by name.
//!
//! A folder's classes are numbered in the order of their names, so a test folder that lacks a class numbers the rest differently
//! than the training folder does. The training split decides how many classes there are and which number each has.

use crate::EvalError;
use crate::near_miss::near_misses;
use std::collections::{BTreeMap, BTreeSet};

use mochi_text::counted;

/// As [`match_classes`], from the names and labels of each split: what is known before any image is read.
pub(crate) fn match_names(train: (&[String], &[u32]), test: (&[String], &[u32])) -> Result<Vec<u32>, EvalError> {
    let train_labels = distinct(train, "training")?;
    let numbers: BTreeMap<&str, u32> = train_labels.iter().map(|&(label, name)| (name, label)).collect();
    let mut matched: BTreeMap<u32, u32> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (label, name) in distinct(test, "test")? {
        match numbers.get(name) {
            Some(&number) => drop(matched.insert(label, number)),
            None => unknown.push(name.to_owned()),
        }
    }
    if unknown.is_empty() {
        return Ok(test.1.iter().filter_map(|label| matched.get(label).copied()).collect());
    }
    let known: Vec<String> = train_labels.iter().map(|(_, name)| (*name).to_owned()).collect();
    let near_misses = near_misses(&unknown, &known);
    Err(EvalError::UnknownClasses { unknown, known, near_misses })
}

/// Labels that occur, each with its name, in ascending order.
fn distinct<'a>((names, labels): (&'a [String], &[u32]), set: &'static str) -> Result<Vec<(u32, &'a str)>, EvalError> {
    let labels: BTreeSet<u32> = labels.iter().copied().collect();
    let named = labels.into_iter().map(|label| {
        let name = usize::try_from(label).ok().and_then(|index| names.get(index));
        let count = names.len();
        let missing = || {
            EvalError::Shape(format!("a {set} label is {label}, but the {set} set names {}", counted(count, "class")))
        };
        Ok((label, name.ok_or_else(missing)?.as_str()))
    });
    named.collect()
}

/// Number of classes with images.
pub(crate) fn count(labels: &[u32]) -> usize {
    labels.iter().collect::<BTreeSet<_>>().len()
}

/// Refuses a training split that has images of less than two classes.
pub(crate) fn at_least_two(labels: &[u32]) -> Result<(), EvalError> {
    match count(labels) {
        classes @ (0 | 1) => Err(EvalError::TooFewClasses { classes }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::tests::features;
    use crate::match_classes;

    #[test]
    fn numbers_follow_names() {
        let train = features(&[&[1.0], &[2.0], &[3.0]], &[0, 1, 2], &["ant", "bee", "cat"]);
        let test = features(&[&[1.0], &[2.0]], &[1, 0], &["bee", "cat"]);
        assert_eq!(match_classes(&train, &test).unwrap(), [2, 1]);
        // A test class without images does no harm.
        let unused = features(&[&[1.0]], &[0], &["bee", "dog"]);
        assert_eq!(match_classes(&train, &unused).unwrap(), [1]);
        let broken = features(&[&[1.0]], &[7], &["bee"]);
        assert!(matches!(match_classes(&train, &broken), Err(EvalError::Shape(_))));
    }

    fn refusal(train: &[&str], test: &[&str]) -> String {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let labels = |names: &[&str]| (0u32..).take(names.len()).collect::<Vec<_>>();
        let (train_labels, test_labels) = (labels(train), labels(test));
        match_names((&names(train), &train_labels), (&names(test), &test_labels)).unwrap_err().to_string()
    }

    // Field case F9, row 103.
    #[test]
    fn f9_every_unknown_class_and_the_known_ones_are_listed() {
        let text = refusal(&["ant", "bee"], &["ant", "dog", "zzz"]);
        assert_eq!(
            text,
            r#"the test set has 2 classes without training images: "dog", "zzz"; the training set has 2 classes: "ant", "bee""#
        );
        let many: Vec<String> = (0..30).map(|i| format!("c{i:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = refusal(&many[..15], &many[15..]);
        assert!(text.contains("\"c24\" and 5 more") && text.contains("\"c09\" and 5 more"), "{text}");
    }

    // Field case F9, row 104.
    #[test]
    fn f9_names_that_look_alike_are_told_apart() {
        for (train, test, wanted) in [
            ("ant", "Ant", r#""Ant" and "ant" differ only in case"#),
            ("ant", "ant ", r#""ant " and "ant" differ only in blanks"#),
            ("caf\u{e9}", "cafe\u{301}", "\"cafe\\u{301}\" and \"caf\u{e9}\" differ only in Unicode form"),
            ("ant", "ANT ", r#""ANT " and "ant" differ only in case, blanks and Unicode form"#),
        ] {
            let text = refusal(&[train, "bee"], &["bee", test]);
            assert!(text.contains(wanted), "{text}");
        }
        assert!(!refusal(&["ant", "bee"], &["ants"]).contains("differ only"));
    }

    #[test]
    fn a_name_without_training_images_is_unknown() {
        let train = features(&[&[1.0], &[2.0]], &[0, 1], &["ant", "bee", "cat"]);
        let test = features(&[&[1.0]], &[0], &["cat"]);
        assert!(matches!(match_classes(&train, &test), Err(EvalError::UnknownClasses { .. })));
    }
}
