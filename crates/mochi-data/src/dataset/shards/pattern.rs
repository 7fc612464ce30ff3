//! WebDataset's notation for many shards: `shards-{000000..000146}.tar`, `{a,b}.tar`, and `*` for files that are there.

/// More names than any data set has shards: beyond it a pattern is a mistake.
const MOST: usize = 1_000_000;

/// Every name that the braces stand for, in order; what is wrong where they make no sense.
///
/// `{7..12}` counts; with leading zeros on either side all numbers get that width. `{x,y}` lists. Several braces multiply.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return if pattern.contains('}') {
            Err("a brace is closed that was not opened".into())
        } else {
            Ok(vec![pattern.into()])
        };
    };
    let Some((inside, after)) = rest.split_once('}') else { return Err("a brace is not closed".into()) };
    let choices = choices(inside)?;
    let tails = expand(after)?;
    if choices.len().saturating_mul(tails.len()) > MOST {
        return Err(format!("it stands for more than {MOST} names"));
    }
    Ok(choices.iter().flat_map(|c| tails.iter().map(move |t| format!("{before}{c}{t}"))).collect())
}

fn choices(inside: &str) -> Result<Vec<String>, String> {
    if inside.contains('{') {
        return Err("braces stand inside braces".into());
    }
    let Some((first, last)) = inside.split_once("..") else {
        return Ok(inside.split(',').map(Into::into).collect());
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("\"{inside}\" is no range of numbers"));
    let (from, to) = (number(first)?, number(last)?);
    if from > to || (to - from) as usize >= MOST {
        return Err(format!("the range \"{inside}\" is empty or too long"));
    }
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
    Ok((from..=to).map(|n| format!("{n:0width$}")).collect())
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
}
