//! Reads the images of a split with all cores, in their order and with bounded memory for problems.

use rayon::prelude::*;

use crate::problem::Problems;

/// Images that are read before their problems are merged.
const CHUNK: usize = 4096;

/// Calls `read` for each item. Returns its results in the order of the items, without those that it left out.
pub(crate) fn gather<T: Send, R: Send>(
    items: Vec<T>,
    problems: &mut Problems,
    read: impl Fn(T, &mut Problems) -> Option<R> + Sync,
) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    loop {
        let chunk: Vec<T> = items.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return results;
        }
        let read: Vec<(Option<R>, Problems)> = chunk
            .into_par_iter()
            .map(|item| {
                let mut found = Problems::default();
                (read(item, &mut found), found)
            })
            .collect();
        for (result, found) in read {
            results.extend(result);
            problems.append(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemKind;

    #[test]
    fn results_and_problems_keep_the_order() {
        let mut problems = Problems::default();
        let even = gather((0..10_000).collect(), &mut problems, |number: u32, found| {
            if number.is_multiple_of(2) {
                return Some(number);
            }
            found.add(ProblemKind::MissingImage, &number.to_string(), None, "");
            None
        });
        assert_eq!(even, (0..10_000).step_by(2).collect::<Vec<_>>());
        let (_, found) = problems.by_kind().next().unwrap();
        assert_eq!((found.count, found.examples[7].file.as_str()), (5000, "15"));
    }
}
