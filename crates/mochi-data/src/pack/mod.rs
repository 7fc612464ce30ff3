//! Packing of a dataset into tar shards in WebDataset's layout, with an index per shard.
//!
//! ```text
//! OUT/000000.tar  KEY.jpg (.png, .webp: by content)  KEY.cls (class number as text, if the source has classes)  ...
//! OUT/000000.idx  offsets, lengths and checksums of the images (dataset/shards/index.rs)
//! OUT/dataset.json  written last: shards with counts, bytes and checksums, class names, fingerprint of the source
//! OUT/bad-images.jsonl  images that were left out, if any
//! ```
//!
//! Images are decoded once as a check, and copied unchanged. Only images whose short side is longer than requested are resized and written as JPEG
//! (`encode`). They are shuffled over all shards (depending only on the seed), so that any few shards are a random sample, or keep their order.
//!
//! Every file is written under a temporary name, synced and renamed. After each shard the state is written to `pack-unfinished.json`: the same call
//! continues after the last complete shard, and its output is identical.

mod encode;
mod keys;
mod options;
mod shard;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use mochi_views::random::{Purpose, Stream};
use mochi_views::{BadReason, DecodeError};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::dataset::shards::manifest::{self, Manifest, Shard};
use crate::error::{BadImage, DataError};
use crate::read_error::ReadError;
use encode::{Encoded, Encoder};
use shard::ShardWriter;
use write::write_whole;

pub use options::{PackOptions, ShardSize, parse_bytes};

/// Number of images that are prepared together: enough for all threads, few enough for memory.
const TOGETHER: usize = 64;
const BAD: &str = "bad-images.jsonl";

/// Result of packing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Packed {
    /// Number of shards, including those of an earlier call that this call continued.
    pub shards: usize,
    /// Number of images in them.
    pub images: u64,
    /// Bytes of the tar files.
    pub bytes: u64,
    /// Number of images that were resized.
    pub resized: u64,
    /// Number of bad images, which were left out, by reason.
    pub bad: BTreeMap<BadReason, u64>,
    /// Number of images that an earlier call had packed.
    pub continued_from: u64,
    /// Duration of this call in seconds.
    pub seconds: f64,
}

/// State after a shard.
#[derive(Debug, Serialize, Deserialize)]
struct Unfinished {
    /// The options of the call: a call with another source or other options cannot continue it.
    options: PackOptions,
    source: String,
    /// Position of the next image in the order.
    next: usize,
    resized: u64,
    shards: Vec<Shard>,
    bad: Vec<BadImage>,
}

/// Packs `dataset` into the folder `out`, which must be new, empty, or the output of an unfinished call with the same source and options.
/// `progress` is called with the number of processed images.
///
/// # Errors
/// [`DataError::Packed`] and [`DataError::Occupied`] (what the folder holds). [`DataError::Write`] (a full disk), [`DataError::Io`] and
/// [`DataError::Remote`] (the source cannot be read): the same call continues later. [`DataError::TooManyBad`] if no image is good,
/// [`DataError::Setting`].
pub fn pack(
    dataset: &Dataset,
    out: &Path,
    options: &PackOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<Packed, DataError> {
    options.check()?;
    let begun = Instant::now();
    let mut state = begin(dataset, out, options)?;
    let continued_from = state.shards.iter().map(|s| u64::from(s.images)).sum();
    progress(state.next);
    let order = order(dataset.len(), options);
    let keys = keys::keys(dataset);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .thread_name(|i| format!("mochi-pack-{i}"))
        .build()
        .map_err(|e| DataError::Threads { detail: e.to_string() })?;

    std::thread::scope(|scope| {
        // One group of images is written while the next is prepared; at most one more waits.
        let (send, receive) = sync_channel::<Vec<(u32, Result<Encoded, ReadError>)>>(1);
        let rest = order.get(state.next..).unwrap_or_default();
        let short_side = options.short_side;
        let work = move || {
            for lot in rest.chunks(TOGETHER) {
                let prepare =
                    |encoder: &mut Encoder, &image: &u32| (image, encoder.prepare(dataset, image, short_side));
                let made = pool.install(|| lot.into_par_iter().map_init(Encoder::default, prepare).collect());
                // The writer has ended with an error.
                if send.send(made).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("mochi-pack".into())
            .spawn_scoped(scope, work)
            .map_err(|e| DataError::Threads { detail: e.to_string() })?;
        let (position, met) = (state.next, Vec::new());
        let mut writer = Writer { out, options, shard: None, position, met, resized: 0, good: None };
        for lot in receive {
            for (image, prepared) in lot {
                let index = image as usize;
                match prepared {
                    // A missing file is a bad image. If the last good image is missing as well, the source is missing.
                    Err(ReadError::Image(DecodeError { reason: BadReason::Vanished, .. }))
                        if writer.good.is_some_and(|good| has_vanished(dataset, good)) =>
                    {
                        let path = dataset.path_of(index).unwrap_or_else(|| dataset.name_of(index).into());
                        return Err(DataError::Io { path, source: std::io::ErrorKind::NotFound.into() });
                    }
                    Ok(encoded) => {
                        writer.good = Some(index);
                        let class = dataset.labels().and_then(|labels| labels.get(index)).copied();
                        let key = keys.get(index).map_or("", |k| k);
                        writer.add(&mut state, key, class, &encoded)?;
                    }
                    Err(ReadError::Storage(error)) => return Err(error),
                    Err(ReadError::Image(DecodeError { reason, detail })) => {
                        let name = dataset.name_of(index);
                        writer.met.push(BadImage { index, name, reason, detail });
                    }
                }
                writer.position += 1;
            }
            progress(writer.position);
        }
        writer.end_shard(&mut state)
    })?;
    finish(dataset, out, state, continued_from, begun)
}

/// The shard that is being written, and the data for the state.
struct Writer<'a> {
    out: &'a Path,
    options: &'a PackOptions,
    shard: Option<ShardWriter>,
    /// Position of the current image in the order.
    position: usize,
    met: Vec<BadImage>,
    resized: u64,
    /// Last packed image.
    good: Option<usize>,
}

/// Whether an image that could be read before no longer exists.
fn has_vanished(dataset: &Dataset, index: usize) -> bool {
    matches!(
        dataset.read(index, &mut Vec::new()),
        Err(ReadError::Image(DecodeError { reason: BadReason::Vanished, .. }) | ReadError::Storage(_))
    )
}

impl Writer<'_> {
    fn add(&mut self, state: &mut Unfinished, key: &str, class: Option<u32>, image: &Encoded) -> Result<(), DataError> {
        let full = self.shard.as_ref().is_some_and(|shard| match self.options.shard_size {
            ShardSize::Images(most) => shard.images() >= most as usize,
            ShardSize::Bytes(most) => shard.bytes_with(class, image) > most,
        });
        if full {
            self.end_shard(state)?;
        }
        if self.shard.is_none() {
            self.shard = Some(ShardWriter::create(self.out, &format!("{:06}.tar", state.shards.len()))?);
        }
        if let Some(shard) = &mut self.shard {
            shard.add(key, class, image)?;
        }
        self.resized += u64::from(image.resized);
        Ok(())
    }

    /// Completes the shard and writes the state; the image at `position` is not in it.
    fn end_shard(&mut self, state: &mut Unfinished) -> Result<(), DataError> {
        state.shards.extend(self.shard.take().map(ShardWriter::finish).transpose()?);
        state.bad.append(&mut self.met);
        state.resized += std::mem::take(&mut self.resized);
        state.next = self.position;
        write_whole(&self.out.join(manifest::UNFINISHED), &json(state)?)
    }
}

fn order(images: usize, options: &PackOptions) -> Vec<u32> {
    let mut order: Vec<u32> = (0..images as u32).collect();
    if !options.in_order {
        Stream::new(options.seed, Purpose::Pack, 0, 0, 0).shuffle(&mut order);
    }
    order
}

/// Makes the folder, or reads the state of an earlier call in it.
fn begin(dataset: &Dataset, out: &Path, options: &PackOptions) -> Result<Unfinished, DataError> {
    fs::create_dir_all(out).map_err(|source| DataError::Write { path: out.into(), source })?;
    let source = format!("{:016x}", dataset.fingerprint());
    let fresh = Unfinished {
        options: options.clone(),
        source: source.clone(),
        next: 0,
        resized: 0,
        shards: Vec::new(),
        bad: Vec::new(),
    };
    let read = |source| DataError::Io { path: out.into(), source };
    match fs::read(out.join(manifest::UNFINISHED)) {
        Ok(bytes) => match serde_json::from_slice::<Unfinished>(&bytes) {
            // The number of threads is not part of the state, because it does not change the output.
            Ok(state) if state.source == source && PackOptions { threads: 0, ..options.clone() } == state.options => {
                let whole = |s: &Shard| fs::metadata(out.join(&s.file)).is_ok_and(|m| m.len() == s.bytes);
                if state.next <= dataset.len() && state.shards.iter().all(whole) {
                    return Ok(state);
                }
                let detail = "existing shards are missing or have another size".to_owned();
                Err(DataError::Format { path: out.into(), detail })
            }
            _ => Err(DataError::Occupied { path: out.into() }),
        },
        Err(_) if out.join(manifest::FILE).is_file() => Err(DataError::Packed { path: out.into() }),
        Err(_) if fs::read_dir(out).map_err(read)?.next().is_some() => Err(DataError::Occupied { path: out.into() }),
        Err(_) => {
            write_whole(&out.join(manifest::UNFINISHED), &json(&fresh)?)?;
            Ok(fresh)
        }
    }
}

fn finish(
    dataset: &Dataset,
    out: &Path,
    state: Unfinished,
    continued_from: u64,
    begun: Instant,
) -> Result<Packed, DataError> {
    if !state.bad.is_empty() {
        let mut lines = Vec::new();
        for image in &state.bad {
            lines.extend(json(image)?);
            lines.push(b'\n');
        }
        write_whole(&out.join(BAD), &lines)?;
    }
    if state.shards.is_empty() {
        let first = state.bad.first().map_or_else(String::new, |b| format!("{} ({})", b.name, b.reason));
        let bad = state.bad.len();
        return Err(DataError::TooManyBad { bad, read: bad, fraction: 1.0, limit: 1.0, first });
    }
    let mut bad = BTreeMap::new();
    for image in &state.bad {
        *bad.entry(image.reason).or_insert(0) += 1;
    }
    let manifest = Manifest::new(dataset.class_names().to_vec(), dataset.fingerprint(), state.shards);
    let text = serde_json::to_vec_pretty(&manifest).map_err(|e| unwritable(&e))?;
    write_whole(&out.join(manifest::FILE), &text)?;
    // The dataset is complete with dataset.json, so a remaining state file is harmless.
    let _ = fs::remove_file(out.join(manifest::UNFINISHED));
    Ok(Packed {
        shards: manifest.shards.len(),
        images: manifest.images,
        bytes: manifest.shards.iter().map(|s| s.bytes).sum(),
        resized: state.resized,
        bad,
        continued_from,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, DataError> {
    serde_json::to_vec(value).map_err(|e| unwritable(&e))
}

fn unwritable(error: &serde_json::Error) -> DataError {
    DataError::Setting { what: "JSON", detail: error.to_string() }
}
