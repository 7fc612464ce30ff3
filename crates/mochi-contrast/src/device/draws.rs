//! Draws of a whole batch as tensors: the words of [`mochi_contrast_core::draws`] on any device, and what each distribution makes of them.
//!
//! On the CPU the words come from the host's own loops. Elsewhere Philox4x32-10 runs in int64 operations on the device itself, so that the host
//! neither waits nor sends anything; both give the same words. Parents are drawn among as many hard negatives as a query has, which the host
//! never learns.

use crate::queue::to_i64;
use crate::{Context, ContrastError, Strategy};
use mochi_contrast_core::draws::{coefficient_word, normals as row_normals};
use mochi_contrast_core::strategies::{Coefficient, Sampling, SecondParent};
use mochi_random::{DrawKey, LANES, Philox};
use mochi_tensor::{Device, Kind, Tensor, upload};

/// The low 32 bits.
const MASK: i64 = 0xffff_ffff;
/// What Philox4x32 multiplies by, and what its key grows by each round.
const FACTORS: [i64; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// A batch's samples: positions among the hard negatives (B, n), int64, and coefficients (B, n), float64.
pub(crate) struct Samples {
    pub first: Tensor,
    pub second: Tensor,
    pub coefficient: Option<Tensor>,
}

/// Draws the samples of each query, or takes those that are given; `valid` (B, 1), int64, holds how many hard negatives a query has. `None` for a
/// strategy that takes each of them once.
pub(crate) fn samples(
    strategy: &Strategy,
    context: &Context,
    valid: &Tensor,
) -> Result<Option<Samples>, ContrastError> {
    let Sampling::Random { count, second: second_parent, coefficient } = &strategy.sampling else { return Ok(None) };
    let (count, two_parents) = (*count, strategy.has_two_parents());
    let (batch, device) = (valid.size()[0], valid.device());
    let shape = [batch, to_i64(count)];
    let sent = |values: &Tensor| -> Result<Tensor, ContrastError> { Ok(upload(&values.f_view(shape)?, device)?) };
    if let Some(given) = context.samples_of(strategy) {
        let positions = |values: &[u32]| -> Result<Tensor, ContrastError> {
            let values: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
            // A query with fewer than N hard negatives takes them modulo their number.
            Ok(sent(&Tensor::f_from_slice(&values)?)?.f_remainder_tensor(&valid.f_clamp_min(1)?)?)
        };
        let first = positions(&given.first)?;
        let second = if two_parents { positions(&given.second)? } else { first.shallow_clone() };
        let coefficient = match coefficient {
            Some(_) => Some(sent(&Tensor::f_from_slice(&given.coefficient)?)?),
            None => None,
        };
        return Ok(Some(Samples { first, second, coefficient }));
    }
    let words = words(context.draws.with_purpose(strategy.purpose), batch, count, device)?;
    // As `below`: the high half of the product; both are under 2^32 and the count under 2^31, so it stays positive.
    let below = |word: &Tensor| high(&word.f_mul(valid)?);
    let first = below(&words[0])?;
    let second = match second_parent {
        SecondParent::None => first.shallow_clone(),
        SecondParent::Any => below(&words[1])?,
        SecondParent::Distinct => {
            let other = high(&words[1].f_mul(&valid.f_sub_scalar(1)?)?)?;
            // A single hard negative is mixed with itself.
            let moved = other.f_ge_tensor(&first)?.f_logical_and(&valid.f_gt(1)?)?;
            other.f_add(&moved)?
        }
    };
    let coefficient = match coefficient {
        None => None,
        Some(coefficient) if coefficient.beta.is_some() => {
            Some(upload(&host_coefficients(strategy, context, coefficient, shape)?, device)?)
        }
        Some(uniform) => {
            let unit = unit(&words[coefficient_word(strategy)])?;
            Some(unit.f_mul_scalar(uniform.high - uniform.low)?.f_add_scalar(uniform.low)?)
        }
    };
    Ok(Some(Samples { first, second, coefficient }))
}

/// Coefficients of a Beta distribution (B, n), float64, on the host: its quantiles are a table there.
fn host_coefficients(
    strategy: &Strategy,
    context: &Context,
    coefficient: &Coefficient,
    [batch, count]: [i64; 2],
) -> Result<Tensor, ContrastError> {
    let key = context.draws.with_purpose(strategy.purpose);
    let words = words_on_host(key, key.family(0), batch, usize::try_from(count).unwrap_or(0))?;
    let words = Vec::<i64>::try_from(words[coefficient_word(strategy)].f_reshape([-1])?)?;
    // Words are 32 bits.
    let values: Vec<f64> = words.into_iter().map(|word| coefficient.draw(word as u32)).collect();
    Ok(Tensor::f_from_slice(&values)?.f_view([batch, count])?)
}

/// Standard normal vectors (rows, count, dim), float32, of the synthetic negatives of queries `start..start + rows`: those of
/// [`mochi_contrast_core::draws::normals`].
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
            row_normals(key, size(row), size(count), size(dim), &mut row_values);
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
    let key = key.from_row(u32::try_from(start).unwrap_or(0));
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

/// The four words of each query's synthetic negatives, (B, count) each, int64 in [0, 2^32).
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
            let block = family.block(key.counter(row), start as u32);
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

/// The parts of the synthetic negatives' counters, (B, count) each: step, step's high half, query, item.
fn counters(key: DrawKey, batch: i64, count: i64, device: Device) -> Result<[Tensor; 4], ContrastError> {
    let shape = [batch, count];
    let [low, above, first] = key.counter(0).map(i64::from);
    let full = |value: i64| Tensor::f_full(shape, value, (Kind::Int64, device));
    let run = |n: i64, from: i64| Tensor::f_arange(n, (Kind::Int64, device))?.f_add_scalar(from)?.f_bitwise_and(MASK);
    let query = run(batch, first)?.f_view([-1, 1])?.f_expand(shape, false)?;
    let item = run(count, 0)?.f_view([1, -1])?.f_expand(shape, false)?;
    Ok([full(low)?, full(above)?, query, item])
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
    use crate::ExplicitSamples;
    use crate::Strategy;
    use mochi_contrast_core::draws::Samples as RowSamples;
    use mochi_contrast_core::strategies::{STRATEGIES, pair_mixing, query_mixing};
    use proptest::prelude::*;
    use proptest::strategy::Strategy as Generator;

    fn strategies(count: usize) -> Vec<Strategy> {
        let number = count as f64;
        let mut all = vec![
            pair_mixing::SPEC.configure([("s", number), ("distinct", 1.0), ("p", 0.4)]).unwrap().build(),
            query_mixing::SPEC.configure([("s", number), ("low", 0.1), ("p", 3.0)]).unwrap().build(),
        ];
        let counted = STRATEGIES.iter().filter(|spec| spec.arguments.iter().any(|argument| argument.name == "s"));
        all.extend(counted.map(|spec| spec.configure([("s", count as f64)]).unwrap().build()));
        all
    }

    fn keys() -> impl Generator<Value = DrawKey> {
        let step = prop_oneof![0u64..5, Just(1 << 40), any::<u64>()];
        let first_row = prop_oneof![0u32..9, Just(u32::MAX - 1)];
        (any::<u64>(), any::<u8>(), step, 0u16..5, first_row).prop_map(|(seed, purpose, step, direction, first_row)| {
            DrawKey { seed, purpose, step, direction, first_row }
        })
    }

    proptest! {
        #[test]
        fn operations_give_the_words_of_the_host(key in keys(), block in 0u32..40, batch in 1i64..5, count in 1usize..40) {
            let family = key.family(block);
            let host = words_on_host(key, family, batch, count).unwrap();
            let here = words_by_operations(key, family, batch, count, Device::Cpu).unwrap();
            for (a, b) in host.iter().zip(&here) {
                prop_assert_eq!(Vec::<i64>::try_from(a.view([-1])).unwrap(), Vec::<i64>::try_from(b.view([-1])).unwrap());
            }
        }

        #[test]
        fn the_draws_of_a_batch_are_those_of_its_rows(draws in keys(), valid in prop::collection::vec(1i64..9, 1..5), count in 1usize..40, given in any::<bool>()) {
            let column = Tensor::from_slice(&valid).view([-1, 1]);
            for strategy in strategies(count) {
                let n = valid.len() * count;
                let positions: Vec<u32> = (0..n as u32).map(|i| i * 7 % 9).collect();
                let explicit = [ExplicitSamples {
                    purpose: strategy.purpose,
                    second: if strategy.has_two_parents() { positions.iter().rev().copied().collect() } else { Vec::new() },
                    first: positions,
                    coefficient: (0..n).map(|i| i as f64 / n as f64).collect(),
                }];
                let context = Context { draws, samples: if given { &explicit } else { &[] }, ..Context::default() };
                let all = samples(&strategy, &context, &column).unwrap().unwrap();
                let mut drawn = RowSamples::default();
                for (row, &n) in valid.iter().enumerate() {
                    drawn.draw(&strategy, &context, row, n as usize);
                }
                let of = |t: &Tensor| Vec::<i64>::try_from(t.contiguous().view([-1])).unwrap();
                let wide = |v: &[u32]| v.iter().map(|&x| i64::from(x)).collect::<Vec<_>>();
                prop_assert_eq!(of(&all.first), wide(&drawn.first));
                prop_assert_eq!(of(&all.second), wide(&drawn.second));
                if let Some(coefficient) = all.coefficient {
                    prop_assert_eq!(Vec::<f64>::try_from(coefficient.view([-1])).unwrap(), drawn.coefficient);
                }
            }
        }

        #[test]
        fn operations_give_the_normal_numbers_of_the_host(key in keys(), start in 0i64..4, rows in 1i64..4, count in 1i64..6, dim in 1i64..20) {
            let host = normals(key, (start, rows), count, dim, Device::Cpu).unwrap();
            let here = normals_by_operations(key, (start, rows), count, dim, Device::Cpu).unwrap();
            prop_assert_eq!(here.size(), [rows, count, dim]);
            // Sines and logarithms of two libraries, rounded to float32: 1 unit in the last place of a number under 8.
            prop_assert!((host - here).abs().max().double_value(&[]) < 1e-6);
        }
    }
}
