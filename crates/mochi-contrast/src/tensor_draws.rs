//! Draws of a whole batch as tensors: the words of [`crate::draws`] on any device, and what each law makes of them.
//!
//! On the CPU the words come from the host's own loops. Elsewhere Philox4x32-10 runs in int64 operations on the device itself, so that the host
//! neither waits nor sends anything; both give the same words. Parents are drawn among as many columns as a query has left, which the host
//! never learns. Beta coefficients alone are drawn on the host (by rejection) and sent along.

use crate::ContrastError;
use crate::draws::{Coefficient, Second, Source, beta, purpose, to_u32};
use crate::points::{Strategy, noise};
use crate::queue::to_i64;
use mochi_random::{DrawKey, LANES, Philox};
use mochi_tensor::{Device, Kind, Tensor, upload};

/// The low 32 bits.
const MASK: i64 = 0xffff_ffff;
/// What Philox4x32 multiplies by, and what its key grows by each round.
const FACTORS: [i64; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// A batch's points: positions in the hardest sets (B, n), int64, and shares (B, n), float64.
pub(crate) struct Positions {
    pub first: Tensor,
    pub second: Tensor,
    pub share: Option<Tensor>,
}

/// Draws `count` points of each query, or takes those that are given; `valid` (B, 1), int64, holds how many columns of its set a query may
/// take. `None` for a strategy that draws nothing.
pub(crate) fn positions(
    strategy: Strategy,
    source: Source,
    valid: &Tensor,
    count: usize,
) -> Result<Option<Positions>, ContrastError> {
    let (batch, device) = (valid.size()[0], valid.device());
    let shape = [batch, to_i64(count)];
    let sent = |values: &Tensor| -> Result<Tensor, ContrastError> { Ok(upload(&values.f_view(shape)?, device)?) };
    if let Some((parents, shares)) = source.given(strategy) {
        let [first, second] = parents.map(|values| {
            let values: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
            sent(&Tensor::f_from_slice(&values)?)
        });
        let share = Some(sent(&Tensor::f_from_slice(shares)?)?);
        return Ok(Some(Positions { first: first?, second: second?, share }));
    }
    let Some(law) = strategy.law() else { return Ok(None) };
    let key = source.key().with_purpose(law.purpose);
    let words = words(key, batch, count, device)?;
    // As `below`: the high half of the product; both are under 2^32 and the count under 2^31, so it stays positive.
    let below = |word: &Tensor, n: &Tensor| high(&word.f_mul(n)?);
    let first = below(&words[0], valid)?;
    let second = match law.second {
        Second::Same => first.shallow_clone(),
        Second::Any => below(&words[1], valid)?,
        Second::Distinct => {
            // A single parent cannot differ from itself.
            let others = valid.f_gt(1)?;
            let other = below(&words[1], &valid.f_sub(&others.f_to_kind(Kind::Int64)?)?)?;
            let beyond = other.f_ge_tensor(&first)?.f_logical_and(&others)?;
            other.f_add(&beyond.f_to_kind(Kind::Int64)?)?
        }
    };
    let share = match law.share {
        None => None,
        Some(share) => {
            let coefficient = match share.coefficient {
                Coefficient::Uniform { high } => unit(&words[share.word])?.f_mul_scalar(high)?,
                Coefficient::Fixed(value) => Tensor::f_full(shape, value, (Kind::Double, device))?,
                Coefficient::Beta { p } => {
                    let rows = usize::try_from(batch).unwrap_or(0);
                    let of = |row| (0..count).map(move |point| beta(p, key, row, point));
                    sent(&Tensor::f_from_slice(&(0..rows).flat_map(of).collect::<Vec<f64>>())?)?
                }
            };
            Some(coefficient.f_add_scalar(share.offset)?)
        }
    };
    Ok(Some(Positions { first, second, share }))
}

/// Standard normal vectors (rows, count, dim), float32, of the points of queries `start..start + rows`: those of [`noise::normals`].
pub(crate) fn normals(
    key: DrawKey,
    (start, rows): (i64, i64),
    count: i64,
    dim: i64,
    device: Device,
) -> Result<Tensor, ContrastError> {
    if device == Device::Cpu {
        let size = |n: i64| usize::try_from(n).unwrap_or(0);
        let (mut values, mut row_values) = (Vec::new(), Vec::new());
        for row in start..start + rows {
            noise::normals(key, size(row), size(count), size(dim), &mut row_values);
            values.extend_from_slice(&row_values);
        }
        return Ok(Tensor::f_from_slice(&values)?.f_view([rows, count, dim])?);
    }
    normals_by_operations(key, (start, rows), count, dim, device)
}

fn normals_by_operations(
    key: DrawKey,
    (start, rows): (i64, i64),
    count: i64,
    dim: i64,
    device: Device,
) -> Result<Tensor, ContrastError> {
    let key = key.with_purpose(purpose::NOISE).from_row(u32::try_from(start).unwrap_or(0));
    let fours = (dim + 3) / 4;
    // One key a block of four numbers: (2, fours).
    let keys: Vec<[u32; 2]> = (1..=u32::try_from(fours).unwrap_or(0)).map(|block| key.family(block).key()).collect();
    let half = |i: usize| -> Result<Tensor, ContrastError> {
        let half: Vec<i64> = keys.iter().map(|key| i64::from(key[i])).collect();
        Ok(upload(&Tensor::f_from_slice(&half)?, device)?)
    };
    let halves = [half(0)?, half(1)?];
    let whole = [rows, count, fours];
    let [a, b, c, d] = counters(key, rows, count, device)?.map(|part| part.unsqueeze(-1).expand(whole, false));
    let words = philox([a, b, c, d], |word, i, round| {
        let grown = halves[i].f_add_scalar(i64::from(WEYL[i]) * round)?.f_bitwise_and(MASK)?;
        Ok(word.f_bitwise_xor_tensor(&grown)?)
    })?;
    let mut numbers = Vec::new();
    for pair in words.chunks_exact(2) {
        // On (0, 1]: the logarithm never sees 0.
        let length = unit(&pair[0])?.f_neg()?.f_add_scalar(1.0)?.f_log()?.f_mul_scalar(-2.0)?.f_sqrt()?;
        let angle = unit(&pair[1])?.f_mul_scalar(std::f64::consts::TAU)?;
        numbers.push(length.f_mul(&angle.f_cos()?)?);
        numbers.push(length.f_mul(&angle.f_sin()?)?);
    }
    let all = Tensor::f_stack(&numbers, -1)?.f_view([rows, count, 4 * fours])?.f_narrow(2, 0, dim)?;
    Ok(all.f_to_kind(Kind::Float)?)
}

/// The four words of each query's points, (B, count) each, int64 in [0, 2^32).
fn words(key: DrawKey, batch: i64, count: usize, device: Device) -> Result<[Tensor; 4], ContrastError> {
    let family = key.family(0);
    if device == Device::Cpu {
        words_on_host(key, family, batch, count)
    } else {
        words_by_operations(key, family, batch, count, device)
    }
}

fn words_on_host(key: DrawKey, family: Philox, batch: i64, count: usize) -> Result<[Tensor; 4], ContrastError> {
    let rows = usize::try_from(batch).unwrap_or(0);
    let mut all: [Vec<i64>; 4] = std::array::from_fn(|_| Vec::with_capacity(rows * count));
    for row in 0..rows {
        for start in (0..count).step_by(LANES) {
            let block = family.block(key.counter(row), to_u32(start));
            let used = LANES.min(count - start);
            for (out, word) in all.iter_mut().zip(&block) {
                out.extend(word[..used].iter().map(|&w| i64::from(w)));
            }
        }
    }
    let [a, b, c, d] = all.map(|values| Tensor::f_from_slice(&values)?.f_view([batch, to_i64(count)]));
    Ok([a?, b?, c?, d?])
}

fn words_by_operations(
    key: DrawKey,
    family: Philox,
    batch: i64,
    count: usize,
    device: Device,
) -> Result<[Tensor; 4], ContrastError> {
    let grown = |i: usize, round: i64| {
        let [a, b] = family.key();
        (i64::from([a, b][i]) + i64::from(WEYL[i]) * round) & MASK
    };
    philox(counters(key, batch, to_i64(count), device)?, |word, i, round| Ok(word.f_bitwise_xor(grown(i, round))?))
}

/// The parts of the points' counters, (B, count) each: step, step's high half, query, point.
fn counters(key: DrawKey, batch: i64, count: i64, device: Device) -> Result<[Tensor; 4], ContrastError> {
    let shape = [batch, count];
    let [low, above, first] = key.counter(0).map(i64::from);
    let full = |value: i64| Tensor::f_full(shape, value, (Kind::Int64, device));
    let run = |n: i64, from: i64| Tensor::f_arange(n, (Kind::Int64, device))?.f_add_scalar(from)?.f_bitwise_and(MASK);
    let query = run(batch, first)?.f_view([-1, 1])?.f_expand(shape, false)?;
    let point = run(count, 0)?.f_view([1, -1])?.f_expand(shape, false)?;
    Ok([full(low)?, full(above)?, query, point])
}

/// Philox4x32-10 (`mochi_random::philox4x32_10`) over counters of any one shape; `xor_key(word, i, round)` is the word xor half i of the round's key.
fn philox(
    counter: [Tensor; 4],
    xor_key: impl Fn(&Tensor, usize, i64) -> Result<Tensor, ContrastError>,
) -> Result<[Tensor; 4], ContrastError> {
    let [mut a, mut b, mut c, mut d] = counter;
    for round in 0..10 {
        // Products of two 32-bit numbers fill all 64 bits; as int64 they wrap to the same bits.
        let (first, second) = (a.f_mul_scalar(FACTORS[0])?, c.f_mul_scalar(FACTORS[1])?);
        let next = xor_key(&high(&second)?.f_bitwise_xor_tensor(&b)?, 0, round)?;
        let after = xor_key(&high(&first)?.f_bitwise_xor_tensor(&d)?, 1, round)?;
        (a, b, c, d) = (next, second.f_bitwise_and(MASK)?, after, first.f_bitwise_and(MASK)?);
    }
    Ok([a, b, c, d])
}

/// The high 32 bits of 64, also of those that read as negative.
fn high(product: &Tensor) -> Result<Tensor, ContrastError> {
    Ok(product.f_bitwise_right_shift_tensor_scalar(32)?.f_bitwise_and(MASK)?)
}

/// Words as float64 numbers in [0, 1).
fn unit(word: &Tensor) -> Result<Tensor, ContrastError> {
    Ok(word.f_to_kind(Kind::Double)?.f_mul_scalar(1.0 / 4_294_967_296.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Drawn;
    use crate::points::Strategy;
    use proptest::prelude::*;
    use proptest::strategy::Strategy as _;

    fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
        let alpha = prop_oneof![
            Just(Coefficient::Uniform { high: 0.7 }),
            Just(Coefficient::Fixed(0.3)),
            Just(Coefficient::Beta { p: 0.6 })
        ];
        prop_oneof![
            (alpha.clone(), any::<bool>()).prop_map(|(alpha, distinct)| Strategy::Pairs { alpha, distinct }),
            alpha.prop_map(|beta| Strategy::QueryMixes { beta, inner: false }),
            Just(Strategy::Extrapolate { max: 1.5 }),
            Just(Strategy::Perturb { delta: 0.01 }),
            Just(Strategy::Repeat),
        ]
    }

    fn keys() -> impl proptest::strategy::Strategy<Value = DrawKey> {
        let step = prop_oneof![0u64..5, Just(1 << 40), any::<u64>()];
        let first_row = prop_oneof![0u32..9, Just(u32::MAX - 1)];
        (any::<u64>(), any::<u8>(), step, 0u16..5, first_row).prop_map(|(seed, purpose, step, direction, first_row)| {
            DrawKey { seed, purpose, step, direction, first_row }
        })
    }

    proptest! {
        #[test]
        fn operations_give_the_hosts_words(key in keys(), block in 0u32..40, batch in 1i64..5, count in 1usize..40) {
            let family = key.family(block);
            let host = words_on_host(key, family, batch, count).unwrap();
            let here = words_by_operations(key, family, batch, count, Device::Cpu).unwrap();
            for (a, b) in host.iter().zip(&here) {
                prop_assert_eq!(Vec::<i64>::try_from(a.view([-1])).unwrap(), Vec::<i64>::try_from(b.view([-1])).unwrap());
            }
        }

        #[test]
        fn a_batchs_draws_are_its_rows(strategy in strategies(), key in keys(), valid in prop::collection::vec(1i64..9, 1..5), count in 1usize..40) {
            let column = Tensor::from_slice(&valid).view([-1, 1]);
            let all = positions(strategy, Source::Drawn(key), &column, count).unwrap().unwrap();
            let mut drawn = Drawn::default();
            for (row, &n) in valid.iter().enumerate() {
                strategy.draw(Source::Drawn(key), row, n as usize, count, &mut drawn);
            }
            let of = |t: &Tensor| Vec::<i64>::try_from(t.contiguous().view([-1])).unwrap();
            let wide = |v: &[u32]| v.iter().map(|&x| i64::from(x)).collect::<Vec<_>>();
            prop_assert_eq!(of(&all.first), wide(&drawn.first));
            prop_assert_eq!(of(&all.second), wide(&drawn.second));
            if let Some(share) = all.share {
                prop_assert_eq!(Vec::<f64>::try_from(share.view([-1])).unwrap(), drawn.share);
            }
        }

        #[test]
        fn operations_give_the_hosts_normal_numbers(key in keys(), start in 0i64..4, rows in 1i64..4, count in 1i64..6, dim in 1i64..20) {
            let host = normals(key, (start, rows), count, dim, Device::Cpu).unwrap();
            let here = normals_by_operations(key, (start, rows), count, dim, Device::Cpu).unwrap();
            prop_assert_eq!(here.size(), [rows, count, dim]);
            // Sines and logarithms of two libraries, rounded to float32: 1 unit in the last place of a number under 8.
            prop_assert!((host - here).abs().max().double_value(&[]) < 1e-6);
        }
    }
}
