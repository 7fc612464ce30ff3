//! The two inner loops with implementations per instruction set: the inverse DCT and the conversion to RGB.
//!
//! [`Portable`] runs on any machine and is the reference. On x86-64 with AVX2, `Avx2` computes the same with sixteen lanes.

#[cfg(target_arch = "x86_64")]
mod avx2;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;

use pulp::NullaryFnOnce;

use crate::Unsupported;
use crate::block::Pair;
use crate::idct::{self, Quant};

/// Number of pixels per step of the conversion. Rows must be readable up to the next multiple.
pub(crate) const STEP: usize = 32;

/// Destination of a block's samples: position of the first one, and distance between rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) stride: usize,
}

/// Kernels of an instruction set. All implementations give bitwise identical results.
pub(crate) trait Kernels: Copy {
    /// Runs code that was compiled for this instruction set.
    fn run<Op: NullaryFnOnce>(self, op: Op) -> Op::Output;

    /// The inverse DCT of both blocks of a pair.
    fn idct(self, pair: &Pair, quants: [&Quant; 2], samples: &mut [u8], places: [Place; 2]) -> Result<(), Unsupported>;

    /// [`STEP`] pixels from Y, Cb and Cr to interleaved RGB.
    fn convert(self, y: &[u8; STEP], cb: &[u8; STEP], cr: &[u8; STEP]) -> [u8; 3 * STEP];
}

/// Portable kernels.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Kernels for Portable {
    fn run<Op: NullaryFnOnce>(self, op: Op) -> Op::Output {
        op.call()
    }

    #[inline(always)]
    fn idct(self, pair: &Pair, quants: [&Quant; 2], samples: &mut [u8], places: [Place; 2]) -> Result<(), Unsupported> {
        for (i, (quant, place)) in quants.into_iter().zip(places).enumerate() {
            for (row, values) in idct::block(pair, i * 8, quant)?.iter().enumerate() {
                samples[place.start + row * place.stride..][..8].copy_from_slice(values);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn convert(self, y: &[u8; STEP], cb: &[u8; STEP], cr: &[u8; STEP]) -> [u8; 3 * STEP] {
        const fn fix(x: f64) -> i32 {
            (x * 65536.0 + 0.5) as i32
        }
        const HALF: i32 = 1 << 15;
        let mut rgb = [0; 3 * STEP];
        for (i, to) in rgb.chunks_exact_mut(3).enumerate() {
            let (y, cb, cr) = (i32::from(y[i]), i32::from(cb[i]) - 128, i32::from(cr[i]) - 128);
            let red = y + ((fix(1.402) * cr + HALF) >> 16);
            let green = y + ((-fix(0.344_14) * cb - fix(0.714_14) * cr + HALF) >> 16);
            let blue = y + ((fix(1.772) * cb + HALF) >> 16);
            to.copy_from_slice(&[red, green, blue].map(|v| v.clamp(0, 255) as u8));
        }
        rgb
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::block::ROW;

    #[test]
    fn avx2_is_the_portable_one_to_the_bit() {
        let Some(simd) = pulp::x86::V3::try_new() else {
            println!("skipped: avx2_is_the_portable_one_to_the_bit: this machine has no AVX2");
            return;
        };
        let fast = Avx2(simd);
        let mut state = 7u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut refused = 0;
        for round in 0..40_000 {
            let steps = |most: u32, next: &mut dyn FnMut() -> u32| {
                Quant::new(std::array::from_fn(|_| (next() % most) as u16 + 1))
            };
            let most = [3, 30, 255, 5000][round % 4];
            let (left, right) = (steps(most, &mut next), steps(most, &mut next));
            let mut pair: Pair = [0; 8 * ROW];
            let spread = 1 + (next() % (8 * 1024 / most)) as i32;
            let dense = next() % 64;
            for row in pair.chunks_exact_mut(ROW).take(8) {
                for c in row {
                    if next() % 64 <= dense {
                        *c = ((next() as i32 % spread) - spread / 2) as i16;
                    }
                }
            }
            let places = [Place { start: 3, stride: 20 }, Place { start: 11, stride: 20 }];
            let (mut want, mut got) = (vec![0; 200], vec![0; 200]);
            let wanted = Portable.idct(&pair, [&left, &right], &mut want, places);
            let gotten = fast.idct(&pair, [&left, &right], &mut got, places);
            assert_eq!(wanted, gotten, "round {round}");
            if wanted.is_ok() {
                assert_eq!(want, got);
            } else {
                refused += 1;
            }
        }
        assert!((2_000..38_000).contains(&refused), "{refused}");
        // All pairs of chroma values with all luma values.
        for cb in 0..=255u8 {
            for cr in 0..=255u8 {
                let y: [u8; STEP] = std::array::from_fn(|i| (next() as u8).wrapping_add(i as u8 * 8));
                let (mut cbs, mut crs) = ([cb; STEP], [cr; STEP]);
                (cbs[9], crs[20]) = (cr, cb);
                assert_eq!(fast.convert(&y, &cbs, &crs), Portable.convert(&y, &cbs, &crs));
            }
        }
    }
}
