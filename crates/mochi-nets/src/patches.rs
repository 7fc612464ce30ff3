//! Filters of a first convolution that are learned from patches of images, without labels: spherical k-means of whitened patches.
//!
//! ```text
//! normalize  p <- (p - mean(p)) / sqrt(var(p) + 0.1)              each patch
//! whiten     W = V (L + 0.1)^(-1/2) V',  cov(p) = V L V'          ZCA
//! k-means    s_i = argmax_j <x_i, d_j>,  d_j <- normalize(sum over s_i = j of <x_i, d_j> x_i),  x = W (p - mean)
//! filter     f_j = W d_j, less its mean: its response to a patch is that of d_j to the whitened patch, up to an offset
//! ```
//!
//! Coates, Lee and Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning" (2011), section 3; Coates and Ng, "Learning Feature
//! Representations with K-means" (2012), algorithm 1. Values of a pixel have a deviation of about 1 here, so 0.1 is their epsilon. As initial values of a
//! network: Krähenbühl et al., "Data-dependent Initializations of Convolutional Neural Networks" (2016).

use mochi_tensor::{Device, Kind, Tensor, TensorError, with_generator};

/// Added to variances, of patches and of directions in their space.
const EPSILON: f64 = 0.1;
/// Rounds of k-means; Coates and Ng find ten enough.
const ROUNDS: usize = 10;
/// A cluster whose sum is shorter has no patches.
const EMPTY: f64 = 1e-6;

/// `count` filters (count, C, k, k) of patches (P, C, k, k), float32 on the CPU. Draws from libtorch's generator.
///
/// # Errors
/// [`TensorError::Mismatch`] without patches; libtorch's error for other shapes or short memory.
pub fn filters_of_patches(patches: &Tensor, count: i64) -> Result<Tensor, TensorError> {
    let &[number, channels, height, width] = patches.size().as_slice() else {
        return Err(TensorError::Mismatch(format!("expected patches (P, C, k, k), got {:?}", patches.size())));
    };
    if number == 0 || count < 1 {
        return Err(TensorError::Mismatch(format!("no {count} filters of {number} patches")));
    }
    let (white, whitening) = whitened(&patches.f_flatten(1, -1)?)?;
    let filters = spherical_kmeans(&white, count)?.f_matmul(&whitening)?;
    let centered = filters.f_sub(&row_means(&filters)?)?;
    Ok(centered.f_view([count, channels, height, width])?)
}

/// Whitened patches (P, D) and the symmetric matrix (D, D) that whitens.
fn whitened(patches: &Tensor) -> Result<(Tensor, Tensor), TensorError> {
    let centered = patches.f_sub(&row_means(patches)?)?;
    let variance = row_means(&centered.f_square()?)?;
    let scaled = centered.f_div(&variance.f_add_scalar(EPSILON)?.f_sqrt()?)?;
    let scaled = scaled.f_sub(&scaled.f_mean_dim([0i64].as_slice(), true, Kind::Float)?)?;
    // In float64: small eigenvalues are differences of large numbers.
    let covariance = scaled.f_transpose(0, 1)?.f_matmul(&scaled)?.f_to_kind(Kind::Double)?;
    let covariance = covariance.f_div_scalar(patches.size2()?.0 as f64)?;
    let (values, vectors) = covariance.f_linalg_eigh("L")?;
    let scales = values.f_clamp_min(0.0)?.f_add_scalar(EPSILON)?.f_rsqrt()?;
    let whitening = vectors.f_mul(&scales)?.f_matmul(&vectors.f_transpose(0, 1)?)?.f_to_kind(Kind::Float)?;
    Ok((scaled.f_matmul(&whitening)?, whitening))
}

/// Unit vectors (count, D).
fn spherical_kmeans(points: &Tensor, count: i64) -> Result<Tensor, TensorError> {
    let number = points.size2()?.0;
    let drawn = |count: i64| -> Result<Tensor, TensorError> {
        let rows = with_generator(|| Tensor::f_randint(number, [count], (Kind::Int64, Device::Cpu)))?;
        Ok(points.f_index_select(0, &rows)?)
    };
    let mut directions = normalized(&drawn(count)?)?;
    for _ in 0..ROUNDS {
        let (similarity, nearest) = points.f_matmul(&directions.f_transpose(0, 1)?)?.f_max_dim(1, true)?;
        let sums = directions.f_zeros_like()?.f_index_add(0, &nearest.f_view(-1)?, &points.f_mul(&similarity)?)?;
        let lengths = sums.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?;
        directions = normalized(&drawn(count)?.f_where_self(&lengths.f_lt(EMPTY)?, &sums)?)?;
    }
    Ok(directions)
}

fn row_means(rows: &Tensor) -> Result<Tensor, TensorError> {
    Ok(rows.f_mean_dim([1i64].as_slice(), true, Kind::Float)?)
}

fn normalized(rows: &Tensor) -> Result<Tensor, TensorError> {
    let lengths = rows.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?;
    Ok(rows.f_div(&lengths.f_clamp_min(1e-12)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::with_seed;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// ZCA: the covariance of the whitened patches is V L / (L + epsilon) V', so nearly the identity where variances are large.
    #[test]
    fn whitened_directions_of_large_variance_have_unit_covariance() {
        let patches =
            with_seed(1, || Tensor::randn([4000, 12], FLOAT)) * Tensor::from_slice(&[8.0f32, 1.0]).repeat([6]);
        let (white, whitening) = whitened(&patches).unwrap();
        assert!(whitening.allclose(&whitening.transpose(0, 1), 1e-5, 1e-6, false));
        let covariance = white.transpose(0, 1).matmul(&white) / 4000.0;
        let values = covariance.linalg_eigvalsh("L");
        assert!(values.max().double_value(&[]) < 1.0 && values.min().double_value(&[]) >= 0.0, "{values:?}");
        assert!(values.get(-1).double_value(&[]) > 0.9);
        // One direction of twelve was removed with the patches' means.
        assert!(values.get(0).double_value(&[]) < 0.01);
    }

    /// Two kinds of patches, horizontal and vertical edges of either sign at random contrast: every direction is one of the four, and the response of a filter to a
    /// patch is that of its direction to the whitened patch, up to an offset.
    #[test]
    fn directions_are_those_of_the_patches_and_filters_give_their_responses() {
        let edge = Tensor::from_slice(&[1.0f32, 1.0, -1.0, -1.0]);
        let edges = Tensor::stack(&[edge.view([4, 1]).repeat([1, 4]), edge.view([1, 4]).repeat([4, 1])], 0);
        let (patches, which) = with_seed(2, || {
            let which = Tensor::randint(2, [3000], (Kind::Int64, Device::Cpu));
            let sign = Tensor::randint(2, [3000, 1, 1, 1], FLOAT) * 2.0 - 1.0;
            let contrast = sign * (Tensor::rand([3000, 1, 1, 1], FLOAT) + 0.5);
            let noise = Tensor::randn([3000, 1, 4, 4], FLOAT) * 0.05;
            (edges.index_select(0, &which).view([3000, 1, 4, 4]) * contrast + noise, which)
        });
        let (white, _) = whitened(&patches.flatten(1, -1)).unwrap();
        let mean = |kind: i64| {
            let rows = white.index(&[Some(which.eq(kind))]);
            let signs = rows.matmul(&rows.get(0).view([16, 1])).sign();
            normalized(&(rows * signs).mean_dim([0i64].as_slice(), true, Kind::Float)).unwrap()
        };
        let kinds = Tensor::cat(&[mean(0), mean(1)], 0);
        let directions = with_seed(3, || spherical_kmeans(&white, 6)).unwrap();
        let nearest = directions.matmul(&kinds.transpose(0, 1)).abs().amax([1i64].as_slice(), false);
        assert!(nearest.min().double_value(&[]) > 0.98, "{nearest:?}");

        let filters = with_seed(3, || filters_of_patches(&patches, 6)).unwrap();
        assert_eq!(filters.size(), [6, 1, 4, 4]);
        // Patches of one contrast, so that their own scale is the same.
        let same = edges.view([2, 1, 4, 4]).flatten(1, -1);
        let response = same.matmul(&filters.flatten(1, -1).transpose(0, 1));
        let same_scaled = &same / 1.1f64.sqrt();
        let (_, whitening) = whitened(&patches.flatten(1, -1)).unwrap();
        let wanted = same_scaled.matmul(&whitening).matmul(&directions.transpose(0, 1));
        let ratio = (response.get(0) - response.get(1)) / (wanted.get(0) - wanted.get(1));
        assert!(ratio.allclose(&ratio.full_like(1.1f64.sqrt()), 1e-3, 1e-3, false), "{ratio:?}");
    }

    #[test]
    fn equal_patches_and_more_filters_than_patches_stay_finite_and_a_seed_gives_the_same() {
        for patches in [Tensor::ones([5, 3, 2, 2], FLOAT), with_seed(4, || Tensor::randn([3, 3, 2, 2], FLOAT))] {
            let filters = || with_seed(5, || filters_of_patches(&patches, 8)).unwrap();
            assert!(bool::try_from(filters().isfinite().all()).unwrap());
            assert!(filters().equal(&filters()));
        }
        assert!(filters_of_patches(&Tensor::zeros([0, 3, 2, 2], FLOAT), 4).is_err());
        assert!(filters_of_patches(&Tensor::zeros([4, 12], FLOAT), 4).is_err());
    }
}
