//! Feature Transformation (Zhu, Zhao, Liu, Sun, Chen: *Improving Contrastive Learning by Visualizing Feature Transformation*, ICCV 2021):
//! extrapolation of positive pairs and interpolation of negatives, both on embeddings.
//!
//! ```text
//! positive: q̂ = λ q + (1-λ) k,  k̂ = λ k + (1-λ) q,  λ = 1 + x, x ~ Beta(α, α), one for each step
//!           q̂·k̂ = 2 λ (1-λ) + (2λ² - 2λ + 1) q·k                      for unit q, k: an affine function of the cosine, at most it
//! negative: n̂_i = normalize(m ∘ n_i + (1-m) ∘ n_π(i)),  m ~ Beta(β, β) for each dimension of each row, π a permutation of the queue
//! ```
//!
//! In the paper, α is 2 and β is 1.6. Its code differs in three ways: it does not normalize n̂ (here every candidate key has norm 1, as the synthesis of
//! negatives requires), it compares q̂ with the negatives as well (the paper replaces only the positive), and its published command draws one m for the
//! whole queue.

use crate::{Affine, ContrastError};
use mochi_random::{Beta, DrawKey, permutation, purpose};
use mochi_tensor::{HostValues, Kind, Tensor, for_each_row, no_grad, upload};

/// The positive's extrapolation by λ in [1, 2]: offset 2 λ (1 - λ), at most 0; slope 2λ² - 2λ + 1, at least 1.
pub fn extrapolation(lambda: f64) -> Affine {
    Affine { offset: 2.0 * lambda * (1.0 - lambda), slope: 2.0 * lambda * lambda - 2.0 * lambda + 1.0 }
}

/// The extrapolation of one step, λ - 1 drawn from `beta`.
pub fn extrapolate(beta: &Beta, key: DrawKey) -> Affine {
    extrapolation(1.0 + beta.draw(key.with_purpose(purpose::EXTRAPOLATED_POSITIVE).words(0, 0)[0]))
}

/// The queue (K, D) with its rows interpolated, drawn anew for each step.
///
/// # Errors
/// An error of libtorch if memory is insufficient: masks and rows need 2 K D floats.
pub fn interpolate(rows: &Tensor, beta: &Beta, key: DrawKey) -> Result<Tensor, ContrastError> {
    let (size, dim) = (rows.size()[0], rows.size()[1]);
    let (count, width) = (usize::try_from(size).unwrap_or(0), usize::try_from(dim).unwrap_or(0));
    let order = key.with_purpose(purpose::INTERPOLATION_PARTNERS);
    let order = permutation(order.family(0), order.counter(0), u32::try_from(count).unwrap_or(u32::MAX));
    let order: Vec<i64> = order.into_iter().map(i64::from).collect();
    let masks = key.with_purpose(purpose::INTERPOLATION_MASK);
    let family = masks.family(0);
    let mut mask = HostValues::new(Tensor::f_zeros([size, dim], (Kind::Float, mochi_tensor::Device::Cpu))?)?;
    for_each_row(
        &mut mask,
        width,
        &mut vec![(); count],
        || (),
        |row, values, (), ()| {
            let [a, b, c] = masks.counter(row);
            for (block, four) in (0u32..).zip(values.chunks_mut(4)) {
                let words = family.words([a, b, c, block]);
                for (value, word) in four.iter_mut().zip(words) {
                    *value = beta.draw(word) as f32;
                }
            }
        },
    )?;
    let mask = mask.into_tensor();
    no_grad(|| {
        let mask = upload(&mask, rows.device())?.f_to_kind(rows.kind())?;
        let order = upload(&Tensor::f_from_slice(&order)?, rows.device())?;
        let partners = rows.f_index_select(0, &order)?;
        // m n_i + (1-m) n_j
        let mixed = partners.f_lerp_tensor(rows, &mask)?;
        let norm = mixed.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
        Ok(mixed.f_div(&norm)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::Device;
    use proptest::prelude::*;

    const KEY: DrawKey = DrawKey { seed: 5, purpose: 0, step: 1 << 33, direction: 1, first_row: 0 };

    fn unit_rows(n: i64, d: i64) -> Tensor {
        let rows = (Tensor::arange(n * d, (Kind::Float, Device::Cpu)) * 0.7).sin().view([n, d]);
        &rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)
    }

    proptest! {
        #[test]
        fn the_affine_form_is_the_extrapolated_cosine(angle in 0.0..3.1f64, lambda in 1.0..2.0f64) {
            // q = (1, 0), k = (cos, sin), both vectors made.
            let k = (angle.cos(), angle.sin());
            let one = (lambda + (1.0 - lambda) * k.0, (1.0 - lambda) * k.1);
            let other = (lambda * k.0 + (1.0 - lambda), lambda * k.1);
            let form = extrapolation(lambda);
            prop_assert!((form.offset + form.slope * k.0 - (one.0 * other.0 + one.1 * other.1)).abs() < 1e-12);
            prop_assert!(form.offset + form.slope * k.0 <= k.0 + 1e-12);
        }
    }

    #[test]
    fn no_extrapolation_is_the_positive_itself() {
        assert_eq!(extrapolation(1.0), Affine { offset: 0.0, slope: 1.0 });
        let drawn = extrapolate(&Beta::symmetric(2.0), KEY);
        assert!(drawn.slope > 1.0 && drawn.slope < 5.0);
        assert_ne!(drawn, extrapolate(&Beta::symmetric(2.0), DrawKey { step: 7, ..KEY }));
    }

    #[test]
    fn columns_stay_on_the_sphere_and_change_with_the_step_alone() {
        let (rows, beta) = (unit_rows(50, 10), Beta::symmetric(1.6));
        let one = interpolate(&rows, &beta, KEY).unwrap();
        let norms = one.norm_scalaropt_dim(2, [1i64].as_slice(), false);
        assert!((norms - 1.0).abs().max().double_value(&[]) < 1e-6);
        mochi_tensor::set_threads(1);
        assert!(one.equal(&interpolate(&rows, &beta, KEY).unwrap()));
        mochi_tensor::set_threads(2);
        assert!(!one.equal(&interpolate(&rows, &beta, DrawKey { step: 2, ..KEY }).unwrap()));
    }

    #[test]
    fn a_row_is_its_parents_mixed_dimension_by_dimension() {
        let (rows, beta) = (unit_rows(8, 6), Beta::symmetric(1.6));
        let mixed = interpolate(&rows, &beta, KEY).unwrap();
        let order = KEY.with_purpose(purpose::INTERPOLATION_PARTNERS);
        let order = permutation(order.family(0), order.counter(0), 8);
        let masks = KEY.with_purpose(purpose::INTERPOLATION_MASK);
        let value = |t: &Tensor, row: usize, column: usize| t.double_value(&[row as i64, column as i64]);
        for (row, &partner) in order.iter().enumerate() {
            let h: Vec<f64> = (0..6)
                .map(|d| {
                    let words = masks.words(row, d as u32 / 4);
                    let m = beta.draw(words[d % 4]);
                    m * value(&rows, row, d) + (1.0 - m) * value(&rows, partner as usize, d)
                })
                .collect();
            let norm = h.iter().map(|x| x * x).sum::<f64>().sqrt();
            for (d, x) in h.iter().enumerate() {
                assert!((value(&mixed, row, d) - x / norm).abs() < 1e-6);
            }
        }
    }
}
