//! Features computed by several ranks: each its share of the images, or of a batch, then all of them everywhere.

use mochi_data::{BadImage, Dataset, Shard};
use mochi_tensor::{Device, Group, Kind, Tensor};

use crate::features::{as_i64, labels_of};
use crate::{EvalError, Extractor, Features, Progress, ViewOptions, extract};

/// [`extract`] by the ranks of `group`; every rank gets the features of all images. Equal to those of one process up to the rounding of batches of
/// another size.
///
/// # Errors
/// As [`extract`], and a rank that fails or is lost.
pub fn extract_together(
    dataset: &Dataset,
    extractor: Extractor,
    options: &ViewOptions,
    group: &Group,
    progress: &mut dyn FnMut(Progress),
) -> Result<Features, EvalError> {
    let shard = Shard { rank: group.rank(), world_size: group.size() };
    // Of each batch a rank reads its part.
    let options = ViewOptions { shard, batch: options.batch.saturating_mul(group.size()), ..options.clone() };
    let own = extract(dataset, extractor, &options, progress)?;
    let Shared { rows, width, bad_images } = share(&own, group)?;
    if rows.iter().all(|&count| count == 0) {
        return Ok(Features { bad_images, ..own });
    }
    let images: Vec<i64> = own.images.iter().map(|&image| i64::from(image)).collect();
    let images = gather_rows(&Tensor::f_from_slice(&images)?, &rows, group, "gathering the indices of images")?;
    let values = match own.width() {
        0 => Tensor::f_zeros([0, as_i64(width)], (Kind::Float, Device::Cpu))?,
        _ => own.values.shallow_clone(),
    };
    let values = gather_rows(&values, &rows, group, "gathering features")?;
    // In the dataset's order.
    let images = Vec::<i64>::try_from(&images)?.into_iter().map(|image| u32::try_from(image).unwrap_or(u32::MAX));
    let mut found: Vec<(u32, i64)> = images.zip(0i64..).collect();
    found.sort_unstable();
    let (images, order): (Vec<u32>, Vec<i64>) = found.into_iter().unzip();
    let all = labels_of(dataset, "given")?;
    Ok(Features {
        values: values.f_index_select(0, &Tensor::f_from_slice(&order)?)?,
        labels: images.iter().filter_map(|&image| all.get(image as usize).copied()).collect(),
        images,
        bad_images,
        ..own
    })
}

/// The rows of all ranks, one rank's after the other's: `counts` of them.
pub(crate) fn gather_rows(own: &Tensor, counts: &[usize], group: &Group, what: &str) -> Result<Tensor, EvalError> {
    // Ranks with fewer rows are filled up: all ranks gather tensors of one shape.
    let most = as_i64(counts.iter().copied().max().unwrap_or(0));
    let mut shape = own.size();
    let rows = shape.first().copied().unwrap_or(0);
    shape.splice(..1, [most]);
    let filled = own.f_new_zeros(&shape, (own.kind(), own.device()))?;
    filled.f_narrow(0, 0, rows)?.f_copy_(own)?;
    let all = group.all_gather(&filled, what)?;
    let parts = (0i64..).zip(counts).map(|(rank, &count)| all.f_narrow(0, rank * most, as_i64(count)));
    Ok(Tensor::f_cat(&parts.collect::<Result<Vec<_>, _>>()?, 0)?)
}

/// The bad images of all ranks, by index.
pub(crate) fn share_bad(own: Vec<BadImage>, group: &Group) -> Result<Vec<BadImage>, EvalError> {
    let text = serde_json::to_string(&own).map_err(unreadable)?;
    let mut all = Vec::new();
    for text in group.share_text(&text)? {
        all.extend(serde_json::from_str::<Vec<BadImage>>(&text).map_err(unreadable)?);
    }
    all.sort_by_key(|bad| bad.index);
    // In several epochs another rank can meet the same image.
    all.dedup_by_key(|bad| bad.index);
    Ok(all)
}

fn unreadable(error: serde_json::Error) -> EvalError {
    EvalError::Shape(format!("a rank's list of images: {error}"))
}

/// What the ranks have found.
struct Shared {
    /// Readable images of each rank.
    rows: Vec<usize>,
    /// F.
    width: usize,
    bad_images: Vec<BadImage>,
}

fn share(own: &Features, group: &Group) -> Result<Shared, EvalError> {
    let bad_images = share_bad(own.bad_images.clone(), group)?;
    let text = serde_json::to_string(&(own.len(), own.width())).map_err(unreadable)?;
    let mut shared = Shared { rows: Vec::new(), width: 0, bad_images };
    for text in group.share_text(&text)? {
        let (rows, width): (usize, usize) = serde_json::from_str(&text).map_err(unreadable)?;
        shared.rows.push(rows);
        shared.width = shared.width.max(width);
    }
    Ok(shared)
}
