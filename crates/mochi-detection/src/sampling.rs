//! Which candidates a classifier learns from (detectron2 `modeling/sampling.py`): at most a fixed fraction of positives, filled with negatives, both drawn at
//! random.

/// How many candidates of an image are learned from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Positives and negatives together.
    pub count: usize,
    /// The largest fraction of positives.
    pub positive_fraction: f64,
}

/// Makes a permutation of 0, 1, ..., n - 1.
pub type Permute<'a> = dyn FnMut(usize) -> Vec<usize> + 'a;

impl Sampling {
    /// Samples from the indices of the positives and of the negatives. Gives the positives first, each part in the drawn order.
    pub fn draw(&self, positives: &[usize], negatives: &[usize], permute: &mut Permute) -> (Vec<usize>, Vec<usize>) {
        let most = (self.count as f64 * self.positive_fraction) as usize;
        let positive_count = positives.len().min(most);
        let negative_count = negatives.len().min(self.count - positive_count);
        let mut take =
            |from: &[usize], count: usize| permute(from.len()).into_iter().take(count).map(|i| from[i]).collect();
        let chosen: Vec<usize> = take(positives, positive_count);
        (chosen, take(negatives, negative_count))
    }
}
