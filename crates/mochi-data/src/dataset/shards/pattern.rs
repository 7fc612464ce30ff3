//! WebDataset's notation for several shards: `shards-{000000..000146}.tar`, `{a,b}.tar`, and `*` for existing files.

/// Maximum number of names. A pattern with more names is a mistake.
const MOST: usize = 1_000_000;
/// Maximum numbers of braces and of bytes in a pattern.
const MOST_BRACES: usize = 16;
const MOST_BYTES: usize = 4096;

/// All names that the braces of a pattern expand to, in order.
///
/// `{7..12}` is a range; with leading zeros on either side all numbers get that width. `{x,y}` is a list. Several braces are combined.
///
/// # Errors
/// A message if the pattern is invalid.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, String> {
    if pattern.len() > MOST_BYTES {
        return Err(format!("the pattern has {} bytes; the limit is {MOST_BYTES}", pattern.len()));
    }
    if pattern.matches('{').count() > MOST_BRACES {
        return Err(format!("more than {MOST_BRACES} braces"));
    }
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        if before.contains('}') {
            break;
        }
        let (inside, after) = after.split_once('}').ok_or("an opening brace is not closed")?;
        let choices = choices(inside)?;
        if choices.len().saturating_mul(names.len()) > MOST {
            return Err(format!("it expands to more than {MOST} names"));
        }
        names = names.iter().flat_map(|name| choices.iter().map(move |c| format!("{name}{before}{c}"))).collect();
        rest = after;
    }
    if rest.contains('}') {
        return Err("a closing brace has no opening brace".into());
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

fn choices(inside: &str) -> Result<Vec<String>, String> {
    if inside.contains('{') {
        return Err("nested braces are not supported".into());
    }
    let Some((first, last)) = inside.split_once("..") else {
        return Ok(inside.split(',').map(Into::into).collect());
    };
    let number =
        |text: &str| text.parse::<u64>().map_err(|_| format!("\"{}\" is not a range of numbers", shown(inside)));
    let (from, to) = (number(first)?, number(last)?);
    if from > to || (to - from) as usize >= MOST {
        return Err(format!("the range \"{}\" is empty or too long", shown(inside)));
    }
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
    Ok((from..=to).map(|n| format!("{n:0width$}")).collect())
}

/// The start of a text, for messages.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Whether a name has to be expanded.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['{', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_expand_as_in_webdataset() {
        assert_eq!(expand("s-{08..11}.tar").unwrap(), ["s-08.tar", "s-09.tar", "s-10.tar", "s-11.tar"]);
        assert_eq!(expand("s-{9..10}.tar").unwrap(), ["s-9.tar", "s-10.tar"]);
        assert_eq!(expand("{a,b}/{0..1}.tar").unwrap(), ["a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"]);
        assert_eq!(expand("plain.tar").unwrap(), ["plain.tar"]);
        for odd in ["{", "}", "a}b{", "{1..x}", "{5..2}", "{{1..2}}", "{0..999999999}", "{0..99999}{0..99999}"] {
            assert!(expand(odd).is_err(), "{odd}");
        }
    }

    // Security case S24.
    #[test]
    fn s24_a_pattern_of_many_braces_is_an_error() {
        assert!(expand(&"{a}".repeat(16)).is_ok_and(|names| names == ["a".repeat(16)]));
        for odd in ["{a}".repeat(17), "{a}".repeat(40_000), "{".repeat(400_000), format!("{{{}}}", "1".repeat(5000))] {
            assert!(expand(&odd).is_err_and(|detail| detail.len() < 300));
        }
    }
}
