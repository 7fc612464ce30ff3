//! Numbers of things as text.

use std::fmt::Display;

/// `1 epoch`, `2 epochs`, `1,000 classes`: a number as it is displayed, and the noun in the form that belongs to it. Of several words the last is the
/// noun. Regular English plurals only.
pub fn counted(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    if number == "1" { format!("1 {noun}") } else { format!("{number} {}", plural(noun)) }
}

/// `1 file was skipped`, `2 files were skipped`: as [`counted`], followed by what one does or what several do.
pub fn counted_with(number: impl Display, noun: &str, [one, several]: [&str; 2]) -> String {
    let number = number.to_string();
    let verb = if number == "1" { one } else { several };
    format!("{} {verb}", counted(number, noun))
}

/// `1 of 20 images is bad`, `2 of 20 images are bad`: the noun belongs to the whole, the verb to the part.
pub fn part_of(part: usize, whole: usize, noun: &str, [one, several]: [&str; 2]) -> String {
    format!("{part} of {} {}", counted(whole, noun), if part == 1 { one } else { several })
}

fn plural(noun: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| noun.ends_with(ending));
    match noun.strip_suffix('y') {
        Some(stem) if !ends(&["ay", "ey", "oy", "uy"]) => format!("{stem}ies"),
        _ if ends(&["s", "x", "z", "ch", "sh"]) && !ends(&["epoch"]) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!(
            [counted(0, "epoch"), counted(1, "epoch"), counted(21, "epoch")],
            ["0 epochs", "1 epoch", "21 epochs"]
        );
        assert_eq!([counted(1.0, "epoch"), counted(0.1, "epoch")], ["1 epoch", "0.1 epochs"]);
        assert_eq!(counted("1,001", "bad image"), "1,001 bad images");
    }

    #[test]
    fn the_plural_follows_the_end_of_the_noun() {
        let nouns = ["class", "batch", "entry", "query", "key", "process", "box", "view"];
        let two = nouns.map(|noun| counted(2, noun));
        assert_eq!(
            two.each_ref().map(|text| &text[2..]),
            ["classes", "batches", "entries", "queries", "keys", "processes", "boxes", "views"]
        );
    }

    #[test]
    fn the_verb_belongs_to_what_is_counted() {
        let verbs = ["is bad", "are bad"];
        assert_eq!([1, 2].map(|n| counted_with(n, "image", verbs)), ["1 image is bad", "2 images are bad"]);
        assert_eq!(part_of(1, 20, "image", verbs), "1 of 20 images is bad");
        assert_eq!(part_of(1, 1, "image", verbs), "1 of 1 image is bad");
    }
}
