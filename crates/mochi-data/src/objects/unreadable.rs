//! Which images of a dataset with objects cannot be decoded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mochi_annotations::Annotations;
use mochi_views::{BadReason, DecodeError};
use rayon::prelude::*;

use super::image::Reader;
use crate::error::{BadImage, DataError};
use crate::loader::allowed_bad;
use crate::read_error::ReadError;

/// Images between two calls of `progress`.
const CHUNK: usize = 64;

/// Decodes every image as a run does, on `threads` threads (0: one per core). Returns those that a run would report as bad, in order. `progress` is called with
/// the number of images done.
///
/// # Errors
/// Storage that fails, and threads that cannot be started.
pub fn find_unreadable(
    data: &Annotations,
    threads: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<BadImage>, DataError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| DataError::Threads { detail: e.to_string() })?;
    let mut bad = Vec::new();
    for (chunk, images) in data.images.chunks(CHUNK).enumerate() {
        let first = chunk * CHUNK;
        let found: Vec<Option<BadImage>> = pool.install(|| {
            let check = |reader: &mut Reader, (at, image): (usize, &mochi_annotations::AnnotatedImage)| {
                let read = catch_unwind(AssertUnwindSafe(|| reader.decode(image))).unwrap_or_else(|_| {
                    *reader = Reader::default();
                    Err(DecodeError::new(BadReason::Panicked, "the decoder panicked").into())
                });
                match read.map_err(ReadError::tolerating_bad_blocks) {
                    Ok(_) => Ok(None),
                    Err(ReadError::Storage(error)) => Err(error),
                    Err(ReadError::Image(DecodeError { reason, detail })) => {
                        Ok(Some(BadImage { index: first + at, name: image.name.clone(), reason, detail }))
                    }
                }
            };
            images.par_iter().enumerate().map_init(Reader::default, check).collect::<Result<_, DataError>>()
        })?;
        bad.extend(found.into_iter().flatten());
        progress(first + images.len());
    }
    Ok(bad)
}

/// Whether a run on `images` images, of which `bad` are bad, ends with [`DataError::TooManyBad`].
pub fn ends_a_run(bad: usize, images: usize, max_bad_fraction: f64) -> bool {
    bad > allowed_bad(max_bad_fraction, images) || (bad > 0 && bad >= images)
}
