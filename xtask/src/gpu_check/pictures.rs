//! Pictures for a machine without the demo's: ten classes of stripes with noise, as MNIST's files hold them.

use std::path::Path;

use crate::failure::{Failure, Outcome};
use crate::setup;

/// Width and height in pixels.
const SIDE: u32 = 28;
const CLASSES: u32 = 10;
const TRAINING: u32 = 2000;
const TEST: u32 = 500;

/// Writes training and test pictures with their classes.
pub(super) fn write(folder: &Path) -> Outcome<()> {
    setup::create(folder)?;
    let mut noise = Noise(1);
    for (name, count) in [("train", TRAINING), ("t10k", TEST)] {
        let mut images: Vec<u8> = [0x803, count, SIDE, SIDE].into_iter().flat_map(u32::to_be_bytes).collect();
        let mut labels: Vec<u8> = [0x801, count].into_iter().flat_map(u32::to_be_bytes).collect();
        for number in 0..count {
            let class = number % CLASSES;
            labels.extend(u8::try_from(class));
            let shift = noise.next();
            images.extend((0..SIDE * SIDE).map(|at| {
                // The class decides the direction of the stripes.
                let along = (at % SIDE) * (class + 1) + (at / SIDE) * (CLASSES - class) + shift % 14;
                let stripe = if along % 14 < 7 { 176 } else { 80 };
                u8::try_from(stripe + noise.next() % 80 - 40).unwrap_or(u8::MAX)
            }));
        }
        for (kind, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
            let file = folder.join(format!("{name}-{kind}-ubyte"));
            std::fs::write(&file, bytes).map_err(|error| Failure::io("write", &file, &error))?;
        }
    }
    Ok(())
}

/// Numbers that look random: the generator of Numerical Recipes (section 7.1), upper half.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_hold_as_many_pictures_as_their_headings_say() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path()).expect("written");
        let read = |name: &str| std::fs::read(folder.path().join(name)).expect("a file");
        let (images, labels) = (read("t10k-images-idx3-ubyte"), read("t10k-labels-idx1-ubyte"));
        assert_eq!((images.len(), labels.len()), (16 + 500 * 28 * 28, 8 + 500));
        assert_eq!(images[..8], [0, 0, 8, 3, 0, 0, 1, 244]);
        assert_eq!(labels[8..12], [0, 1, 2, 3]);
        assert!(images[16..].iter().any(|&pixel| pixel > 200) && images[16..].iter().any(|&pixel| pixel < 60));
    }
}
