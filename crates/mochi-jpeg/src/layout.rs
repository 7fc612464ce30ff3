//! Memory layout of the samples of a row of MCUs: one strip per component, as wide as its blocks.
//!
//! If upsampling reads the rows above and below, the last row of the previous strip is kept in front of each strip.

use crate::header::Header;
use crate::kernels::{Place, STEP};
use crate::upsampling::Upsampling;

/// Position of a block in its MCU.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InMcu {
    pub(crate) component: usize,
    /// Destination of its samples in the first MCU of a row, and the distance between MCUs.
    pub(crate) place: Place,
    pub(crate) step: usize,
}

/// Samples of a component in one row of MCUs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Strip {
    /// Offset of the row from the previous strip.
    pub(crate) start: usize,
    /// Distance between rows, a multiple of [`STEP`].
    pub(crate) stride: usize,
    /// Number of rows of a strip without that first row.
    pub(crate) rows: usize,
    /// Columns and rows of the component in the image, without padding.
    pub(crate) columns: usize,
    pub(crate) height: usize,
}

/// Layout of all strips.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// MCUs, horizontally and vertically.
    pub(crate) mcus: (usize, usize),
    /// Number of pixel rows per MCU.
    pub(crate) mcu_rows: usize,
    blocks: [InMcu; 6],
    block_count: usize,
    /// Strips of luma, Cb and Cr. Cb and Cr are empty for a grayscale image.
    pub(crate) strips: [Strip; 3],
    /// Size of all strips in bytes.
    pub(crate) samples: usize,
    pub(crate) upsampling: Upsampling,
}

impl Layout {
    pub(crate) fn of(header: &Header) -> Self {
        let (width, height) = (header.width() as usize, header.height() as usize);
        let sampling @ (across, down) = header.sampling();
        let mcus = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        let (mut blocks, mut block_count) = ([InMcu::default(); 6], 0);
        let (mut strips, mut samples) = ([Strip::default(); 3], 0);
        for (component, (c, strip)) in header.components().iter().zip(&mut strips).enumerate() {
            let stride = (mcus.0 * c.across * 8).next_multiple_of(STEP);
            let rows = c.down * 8;
            let columns = (width * c.across).div_ceil(across);
            *strip = Strip { start: samples, stride, rows, columns, height: (height * c.down).div_ceil(down) };
            for i in 0..c.down * c.across {
                let (y, x) = (i / c.across, i % c.across);
                let place = Place { start: strip.start + (1 + y * 8) * stride + x * 8, stride };
                blocks[block_count] = InMcu { component, place, step: c.across * 8 };
                block_count += 1;
            }
            samples += (1 + rows) * stride;
        }
        let upsampling = Upsampling::of(header.components().len(), sampling, strips[2].columns);
        Self { width, height, mcus, mcu_rows: 8 * down, blocks, block_count, strips, samples, upsampling }
    }

    /// The blocks of an MCU, in the order of the file.
    pub(crate) fn blocks(&self) -> &[InMcu] {
        &self.blocks[..self.block_count]
    }
}
