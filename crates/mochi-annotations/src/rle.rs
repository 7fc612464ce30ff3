//! Run lengths of masks, and their conversions. COCO counts down the columns; rows are what the rest of Mochi uses.

use hotcoco::mask;

/// Run lengths down the columns, background first: COCO's RLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rle {
    /// Height of the mask in pixels.
    pub height: u32,
    /// Width of the mask in pixels.
    pub width: u32,
    /// Lengths of the runs, which add up to `height * width`.
    pub counts: Vec<u32>,
}

/// Why run lengths are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RleError(String);

impl Rle {
    /// Run lengths as they are in COCO files.
    ///
    /// # Errors
    /// Counts that do not add up to the number of pixels.
    pub fn new(height: u32, width: u32, counts: Vec<u32>) -> Result<Self, RleError> {
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let pixels = u64::from(height) * u64::from(width);
        if total != pixels {
            return Err(RleError(format!(
                "the runs add up to {total} pixels, the mask of {width} x {height} has {pixels}"
            )));
        }
        Ok(Self { height, width, counts })
    }

    /// Run lengths from COCO's compressed string (`rleFrString` of `maskApi.c`).
    ///
    /// # Errors
    /// Invalid strings, and counts that do not add up to the number of pixels.
    pub fn from_compressed(text: &str, height: u32, width: u32) -> Result<Self, RleError> {
        let rle = mask::rle_from_string(text, height, width).map_err(|error| RleError(error.to_string()))?;
        Self::new(height, width, rle.counts)
    }

    /// COCO's compressed string (`rleToString` of `maskApi.c`).
    pub fn to_compressed(&self) -> String {
        mask::rle_to_string(&hotcoco::Rle { h: self.height, w: self.width, counts: self.counts.clone() })
    }

    /// Run lengths of pixels in rows from the top, `height * width` of them.
    ///
    /// # Errors
    /// Another number of pixels, or more than 2^32.
    pub fn from_rows(pixels: &[bool], height: u32, width: u32) -> Result<Self, RleError> {
        let (h, w) = (height as usize, width as usize);
        if Some(pixels.len()) != h.checked_mul(w) {
            return Err(RleError(format!("{} pixels given for a mask of {width} x {height}", pixels.len())));
        }
        let columns: Vec<u8> = (0..w).flat_map(|x| (0..h).map(move |y| u8::from(pixels[y * w + x]))).collect();
        let rle = mask::encode(&columns, height, width).map_err(|error| RleError(error.to_string()))?;
        Ok(Self { height, width, counts: rle.counts })
    }

    /// The pixels in rows from the top: (height, width).
    pub fn to_rows(&self) -> Vec<bool> {
        let (h, w) = (self.height as usize, self.width as usize);
        let mut rows = vec![false; h * w];
        for (x, top, bottom) in self.pieces() {
            for y in top..bottom {
                rows[y * w + x] = true;
            }
        }
        rows
    }

    /// Number of pixels of the object.
    pub fn area(&self) -> u64 {
        self.counts.iter().skip(1).step_by(2).map(|&count| u64::from(count)).sum()
    }

    /// The smallest box (x0, y0, x1, y1) around the object; `None` if the mask is empty.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        let around = |[x0, y0, x1, y1]: [usize; 4], (x, top, bottom): (usize, usize, usize)| {
            [x0.min(x), y0.min(top), x1.max(x + 1), y1.max(bottom)]
        };
        let empty = [usize::MAX, usize::MAX, 0, 0];
        let bounds = self.pieces().fold(empty, around);
        (bounds != empty).then(|| bounds.map(|side| side as f64))
    }

    /// Runs of the object, cut at the ends of columns: column, first row, row after the last. In increasing order, without empty ones.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let h = (self.height as usize).max(1);
        let pixels = self.height as usize * self.width as usize;
        let mut end = 0;
        let runs = self.counts.iter().enumerate().filter_map(move |(number, &count)| {
            let start = end;
            end = pixels.min(start + count as usize);
            (number % 2 == 1).then_some((start, end))
        });
        runs.flat_map(move |(start, end)| {
            (start / h..end.div_ceil(h)).filter_map(move |x| {
                let (top, bottom) = (start.max(x * h), end.min((x + 1) * h));
                (top < bottom).then_some((x, top - x * h, bottom - x * h))
            })
        })
    }
}

#[cfg(test)]
#[path = "rle_tests.rs"]
mod tests;
