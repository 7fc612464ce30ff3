//! Decoding of the scan (T.81, F.2): for groups of MCUs, first all coefficients, then all samples. Each row of MCUs is converted to RGB as soon as its
//! neighbors are available.
//!
//! Coefficients and samples have separate loops, so that each loop can use all registers; its output is still in the first-level cache when the next
//! loop reads it.

use pulp::{Arch, NullaryFnOnce};

use crate::Unsupported;
use crate::bits::{Bits, Unstuffed};
use crate::block::{Pair, ROW, Window, decode_ac, decode_dc};
use crate::header::Header;
use crate::huffman::{Kind, Table};
use crate::idct::Quant;
use crate::kernels::{Kernels, Place, Portable};
use crate::layout::Layout;
use crate::rows::{Emit, Upsampled};

/// Number of MCUs whose coefficients are read before they are transformed.
const TURN: usize = 8;
/// Maximum number of their blocks (T.81, B.2.3 allows ten per MCU; the supported samplings have at most six).
const BLOCKS: usize = TURN * 6;

/// Decodes images and reuses its memory.
#[derive(Debug)]
pub struct Decoder {
    arch: Arch,
    dc: [Table; 4],
    ac: [Table; 4],
    unstuffed: Unstuffed,
    turn: Box<Turn>,
    samples: Vec<u8>,
    upsampled: Upsampled,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Makes a decoder with empty buffers, for the instruction set of this machine.
    pub fn new() -> Self {
        Self {
            arch: Arch::new(),
            dc: [Kind::Dc; 4].map(Table::new),
            ac: [Kind::Ac; 4].map(Table::new),
            unstuffed: Unstuffed::default(),
            turn: Box::new(Turn::new()),
            samples: Vec::new(),
            upsampled: Upsampled::default(),
        }
    }

    /// Decodes the image that `header` was read from into `rgb`, rows from the top: (height, width, 3).
    ///
    /// After a [`Unsupported`] the contents of `rgb` are unspecified.
    pub fn decode(&mut self, header: &Header, bytes: &[u8], rgb: &mut [u8]) -> Result<(), Unsupported> {
        match self.arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V3(simd) => self.decode_with(crate::kernels::Avx2(simd), header, bytes, rgb),
            #[cfg(target_arch = "x86_64")]
            // Processors with later extensions have AVX2 as well.
            Arch::V4(simd) => self.decode_with(crate::kernels::Avx2(*simd), header, bytes, rgb),
            _ => self.decode_with(Portable, header, bytes, rgb),
        }
    }

    fn decode_with<K: Kernels>(
        &mut self,
        kernels: K,
        header: &Header,
        bytes: &[u8],
        rgb: &mut [u8],
    ) -> Result<(), Unsupported> {
        let (width, height) = (header.width() as usize, header.height() as usize);
        if rgb.len() != width * height * 3 {
            return Err(Unsupported::Output);
        }
        let layout = Layout::of(header);
        self.unstuffed.fill(bytes.get(header.data..).ok_or(Unsupported::Length)?, header.restart > 0)?;
        let mcus = layout.mcus.0 * layout.mcus.1;
        let restart = if header.restart > 0 { header.restart } else { mcus };
        if self.unstuffed.pieces() != mcus.div_ceil(restart) {
            return Err(Unsupported::Length);
        }
        for component in header.components() {
            self.dc[component.dc].prepare(header.dc[component.dc].as_ref().ok_or(Unsupported::Table)?)?;
            self.ac[component.ac].prepare(header.ac[component.ac].as_ref().ok_or(Unsupported::Table)?)?;
        }
        self.samples.resize(layout.samples, 0);
        self.upsampled.fit(width);
        let Self { dc, ac, unstuffed, turn, samples, upsampled, .. } = self;
        // A grayscale image has one component; the others repeat it and are not used.
        let component = |i: usize| &header.components()[i.min(header.components().len() - 1)];
        let tables = [0, 1, 2].map(|i| (&dc[component(i).dc], &ac[component(i).ac]));
        let quants = [0, 1, 2].map(|i| Quant::new(header.quants[component(i).quant].unwrap_or([0; 64])));
        turn.clear();
        let mut progress = Progress { bits: unstuffed.piece(0), piece: 0, left: restart, means: [0; 3] };
        for mcu_row in 0..layout.mcus.1 {
            for first in (0..layout.mcus.0).step_by(TURN) {
                let mcus = (first, (first + TURN).min(layout.mcus.0));
                let progress = &mut progress;
                kernels.run(Read { layout: &layout, mcus, restart, tables, unstuffed, progress, turn })?;
                kernels.run(Transform { kernels, turn, quants: &quants, samples })?;
            }
            kernels.run(Emit { kernels, layout: &layout, mcu_row, samples, upsampled, rgb });
        }
        progress.bits.finish()
    }
}

/// Coefficients of a group of MCUs.
#[derive(Debug)]
struct Turn {
    /// Pairs ([`Pair`]), and space for the last [`Window`]. Zero where nothing was read.
    coefficients: [i16; BLOCKS / 2 * 8 * ROW + 256],
    /// Component and position of each block with more than a mean, in the order of the pairs.
    full: [(usize, Place); BLOCKS],
    full_count: usize,
    /// Component, position and mean of the other blocks.
    flat: [(usize, Place, i16); BLOCKS],
    flat_count: usize,
}

impl Turn {
    fn new() -> Self {
        Self {
            coefficients: [0; BLOCKS / 2 * 8 * ROW + 256],
            full: [(0, Place::default()); BLOCKS],
            full_count: 0,
            flat: [(0, Place::default(), 0); BLOCKS],
            flat_count: 0,
        }
    }

    /// Clears coefficients that an unsupported image may have left.
    fn clear(&mut self) {
        self.coefficients.fill(0);
        (self.full_count, self.flat_count) = (0, 0);
    }
}

/// State of reading the scan.
struct Progress<'a> {
    bits: Bits<'a>,
    /// Number of the piece between restart markers, and its remaining MCUs.
    piece: usize,
    left: usize,
    /// Last DC coefficient of each component.
    means: [i32; 3],
}

/// Reads the coefficients of the MCUs `mcus.0..mcus.1` of a row.
struct Read<'a, 'b> {
    layout: &'a Layout,
    mcus: (usize, usize),
    restart: usize,
    tables: [(&'a Table, &'a Table); 3],
    unstuffed: &'b Unstuffed,
    progress: &'a mut Progress<'b>,
    turn: &'a mut Turn,
}

impl NullaryFnOnce for Read<'_, '_> {
    type Output = Result<(), Unsupported>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { layout, mcus, restart, tables, unstuffed, progress, turn } = self;
        let mut bits = progress.bits;
        let (mut full, mut flat) = (0, 0);
        for mcu in mcus.0..mcus.1 {
            if progress.left == 0 {
                bits.finish()?;
                progress.piece += 1;
                bits = unstuffed.piece(progress.piece);
                (progress.left, progress.means) = (restart, [0; 3]);
            }
            progress.left -= 1;
            for block in layout.blocks() {
                let place = Place { start: block.place.start + mcu * block.step, ..block.place };
                let (dc, ac) = tables[block.component];
                let mean = progress.means[block.component] + decode_dc(&mut bits, dc)?;
                progress.means[block.component] = mean;
                let mean = i16::try_from(mean).map_err(|_| Unsupported::Range)?;
                let start = full / 2 * (8 * ROW) + full % 2 * (ROW / 2);
                let window: Option<&mut Window> = turn.coefficients.get_mut(start..).and_then(|c| c.first_chunk_mut());
                let window = window.ok_or(Unsupported::Length)?;
                if decode_ac(&mut bits, ac, window)? {
                    window[0] = mean;
                    turn.full[full] = (block.component, place);
                    full += 1;
                } else {
                    turn.flat[flat] = (block.component, place, mean);
                    flat += 1;
                }
            }
        }
        (turn.full_count, turn.flat_count) = (full, flat);
        progress.bits = bits;
        Ok(())
    }
}

/// Computes samples from the coefficients.
struct Transform<'a, K> {
    kernels: K,
    turn: &'a mut Turn,
    quants: &'a [Quant; 3],
    samples: &'a mut [u8],
}

impl<K: Kernels> NullaryFnOnce for Transform<'_, K> {
    type Output = Result<(), Unsupported>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { kernels, turn, quants, samples } = self;
        for &(component, place, mean) in &turn.flat[..turn.flat_count] {
            let flat = [quants[component].flat(mean)?; 8];
            for row in 0..8 {
                samples[place.start + row * place.stride..][..8].copy_from_slice(&flat);
            }
        }
        let count = turn.full_count;
        if count % 2 == 1 {
            // A single last block is written twice to the same position.
            let last = turn.full[count - 1];
            turn.full[count] = last;
            turn.coefficients[count / 2 * 8 * ROW..][..8 * ROW]
                .chunks_exact_mut(ROW)
                .for_each(|row| row.copy_within(..ROW / 2, ROW / 2));
        }
        let (pairs, _): (&mut [Pair], _) = turn.coefficients.as_chunks_mut();
        for (pair, [left, right]) in pairs.iter_mut().zip(turn.full[..count.next_multiple_of(2)].as_chunks().0) {
            kernels.idct(pair, [&quants[left.0], &quants[right.0]], samples, [left.1, right.1])?;
            pair.fill(0);
        }
        Ok(())
    }
}
