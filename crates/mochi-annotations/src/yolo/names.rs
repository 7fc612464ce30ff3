//! Names of the classes of a YOLO dataset: `names` in `data.yaml`, or `classes.txt`.

use std::collections::BTreeMap;
use std::path::Path;

use saphyr_parser::{Event, Parser};

use crate::error::AnnotationError;
use crate::tree::Tree;

/// Largest file in bytes.
const BYTES: u64 = 16 << 20;
/// Files that may have the names, in this order.
const YAML: [&str; 4] = ["data.yaml", "data.yml", "dataset.yaml", "dataset.yml"];
const LINES: [&str; 3] = ["classes.txt", "labels/classes.txt", "obj.names"];

/// The names by number, and the file that has them.
pub(super) fn read(tree: &Tree) -> Result<(Vec<String>, &'static str), AnnotationError> {
    let text = |file: &Path| -> Result<String, AnnotationError> {
        String::from_utf8(tree.read(file, BYTES)?)
            .map_err(|_| AnnotationError::Malformed { path: tree.path(file), detail: "it is not UTF-8".to_owned() })
    };
    for name in YAML.into_iter().filter(|name| tree.is_file(Path::new(name))) {
        let file = Path::new(name);
        let malformed = |detail: String| AnnotationError::Malformed { path: tree.path(file), detail };
        if let Some(names) = of_yaml(&text(file)?).map_err(malformed)? {
            return Ok((names, name));
        }
    }
    if let Some(name) = LINES.into_iter().find(|name| tree.is_file(Path::new(name))) {
        let text = text(Path::new(name))?;
        let names: Vec<String> =
            text.trim_start_matches('\u{feff}').trim_end().lines().map(|line| line.trim().to_owned()).collect();
        // An empty line before others may be a class or none: the numbers of the others depend on it.
        return match names.iter().position(String::is_empty) {
            Some(line) => {
                let detail = format!("line {} is empty, so the numbers of the classes are not certain", line + 1);
                Err(AnnotationError::Malformed { path: tree.path(Path::new(name)), detail })
            }
            None => Ok((names, name)),
        };
    }
    Err(AnnotationError::NoClasses { folder: tree.root().to_owned() })
}

/// The value of `names` at the top of a document: a list, or a mapping of numbers from 0 on. `None` if there is none.
fn of_yaml(text: &str) -> Result<Option<Vec<String>>, String> {
    // Depth of open collections; whether the next scalar at depth 1 is a key; the key before a value.
    let (mut depth, mut is_key, mut key) = (0usize, true, String::new());
    let (mut list, mut mapping) = (Vec::new(), BTreeMap::new());
    let (mut inside, mut found, mut number): (Option<bool>, bool, Option<usize>) = (None, false, None);
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if depth == 1 && !is_key && key == "names" {
                    (inside, found) = (Some(matches!(event, Event::MappingStart(..))), true);
                } else if inside.is_some() {
                    return Err("`names` has a value that is no text".to_owned());
                }
                depth += 1;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    (inside, is_key) = (None, true);
                }
            }
            Event::Scalar(value, ..) => match (inside, depth) {
                (None, 1) if is_key => (key, is_key) = (value.into_owned(), false),
                (None, 1) => is_key = true,
                (Some(false), 2) => list.push(value.into_owned()),
                (Some(true), 2) => match number.take() {
                    Some(number) => {
                        mapping.insert(number, value.into_owned());
                    }
                    None => {
                        let parsed =
                            value.parse().map_err(|_| format!("`names` has the key {value}, which is no number"))?;
                        number = Some(parsed);
                    }
                },
                _ => {}
            },
            Event::Alias(_) if inside.is_some() => return Err("`names` has an alias".to_owned()),
            Event::Alias(_) if depth == 1 => is_key = !is_key,
            _ => {}
        }
    }
    if !found {
        return Ok(None);
    }
    if mapping.is_empty() {
        return Ok(Some(list));
    }
    let count = mapping.len();
    if mapping.keys().copied().ne(0..count) {
        return Err("the numbers of `names` are not 0, 1, 2, ...".to_owned());
    }
    Ok(Some(mapping.into_values().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_list_or_a_mapping() {
        let names = |text: &str| of_yaml(text).map(|names| names.map(|names| names.join(",")));
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(names("train: a\nnc: 2\nnames: ['cat', dog]\n"), some("cat,dog"));
        assert_eq!(names("path: .\nnames:\n  0: cat\n  1: 'a b'\nroboflow:\n  names: [no]\n"), some("cat,a b"));
        assert_eq!(names("names:\n- cat\n- 7\n"), some("cat,7"));
        assert_eq!(names("nested:\n  names: [no]\nkey: names\n"), Ok(None));
        assert_eq!(names(""), Ok(None));
        assert!(names("names: {0: a, 2: b}").is_err() && names("names: [[a]]").is_err());
        assert!(names("names: {x: a}").is_err() && names("names: [a").is_err());
    }
}
