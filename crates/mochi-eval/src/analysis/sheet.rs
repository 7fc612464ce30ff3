//! The neighbor sheet: which queries it shows.

use super::neighbors::Neighbors;
use super::pairs::Pairs;

/// A query with its nearest neighbors, its positive and its hardest negatives.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetRow {
    /// Row number of the query in the sample.
    pub query: u32,
    /// Row numbers of the neighbors with their cosines, nearest first.
    pub neighbors: Vec<(u32, f32)>,
    /// Cosine of its two augmented views.
    pub positive: Option<f32>,
    /// Row numbers of the hardest negatives with their cosines, hardest first.
    pub negatives: Vec<(u32, f32)>,
}

/// At most `rows` queries with at most `columns` neighbors and negatives each; without positive and negatives if `pairs` has none. With labels the queries are evenly spread over the classes, the sample's first image of
/// each; with fewer classes than rows, each class has several. Without labels they are the sample's first images, which is in random order.
pub fn sheet(
    neighbors: &Neighbors,
    pairs: &Pairs,
    labels: Option<&[u32]>,
    (rows, columns): (usize, usize),
) -> Vec<SheetRow> {
    let all = 0u32..u32::try_from(neighbors.len()).unwrap_or(u32::MAX);
    let queries: Vec<u32> = match labels {
        None => all.take(rows).collect(),
        Some(labels) => by_class(all, labels, rows),
    };
    let row = |query: u32| {
        let at = query as usize;
        let first = |all: &Neighbors| Some(all.get(at)?.iter().take(columns).copied().collect());
        let (positive, negatives) = (pairs.positives.get(at).copied(), first(&pairs.negatives).unwrap_or_default());
        Some(SheetRow { query, neighbors: first(neighbors)?, positive, negatives })
    };
    queries.into_iter().filter_map(row).collect()
}

/// The first images of the classes in turn; of more classes than `rows`, evenly spaced ones.
fn by_class(all: impl Iterator<Item = u32>, labels: &[u32], rows: usize) -> Vec<u32> {
    let mut classes: Vec<(u32, Vec<u32>)> = Vec::new();
    for (image, &label) in all.zip(labels) {
        match classes.binary_search_by_key(&label, |class| class.0) {
            Ok(at) => classes[at].1.push(image),
            Err(at) => classes.insert(at, (label, vec![image])),
        }
    }
    let count = classes.len();
    let shown = rows.min(count);
    let kept = |at: &usize| at * shown / count != (at + 1) * shown / count;
    let kept: Vec<&Vec<u32>> = (0..count).filter(kept).filter_map(|at| Some(&classes.get(at)?.1)).collect();
    // With 3 classes and 8 rows: 3, 3 and 2 images.
    let mut chosen: Vec<(usize, u32)> = Vec::new();
    for turn in 0..rows {
        let images = kept.iter().enumerate().filter_map(|(class, images)| Some((class, *images.get(turn)?)));
        chosen.extend(images.take(rows - chosen.len()));
    }
    chosen.sort_by_key(|&(class, _)| class);
    chosen.into_iter().map(|(_, image)| image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_spread_over_the_classes() {
        let neighbors: Neighbors = (0..9).map(|i| vec![((i + 1) % 9, 0.5), ((i + 2) % 9, 0.25)]).collect();
        let queries = |labels: Option<&[u32]>, rows| -> Vec<u32> {
            sheet(&neighbors, &Pairs::default(), labels, (rows, 1)).iter().map(|row| row.query).collect()
        };
        assert_eq!(queries(None, 3), [0, 1, 2]);
        let labels = [7, 7, 7, 7, 2, 2, 5, 5, 5];
        assert_eq!(queries(Some(&labels), 3), [4, 6, 0]);
        assert_eq!(queries(Some(&labels), 8), [4, 5, 6, 7, 8, 0, 1, 2]);
        assert_eq!(queries(Some(&labels), 2), [6, 0]);
        assert_eq!(queries(Some(&labels), 100).len(), 9);
        let alone = sheet(&neighbors, &Pairs::default(), None, (1, 1));
        assert_eq!(alone[0], SheetRow { query: 0, neighbors: vec![(1, 0.5)], positive: None, negatives: vec![] });
        let pairs = Pairs { positives: vec![0.75; 9], negatives: vec![vec![(4, 0.5), (3, 0.25)]; 9] };
        let row = sheet(&neighbors, &pairs, None, (1, 1)).remove(0);
        assert_eq!((row.positive, row.negatives), (Some(0.75), vec![(4, 0.5)]));
    }
}
