//! Features computed by several ranks: each its share of the images, then all of them everywhere.

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
    let most = as_i64(rows.iter().copied().max().unwrap_or(0));
    if most == 0 {
        return Ok(Features { bad_images, ..own });
    }
    // Ranks with fewer images, for some were bad, are filled up: all ranks gather tensors of one shape.
    let filled = |tensor: &Tensor, shape: [i64; 2]| -> Result<Tensor, EvalError> {
        let whole = Tensor::f_zeros(shape, (tensor.kind(), Device::Cpu))?;
        if !own.is_empty() {
            whole.f_narrow(0, 0, as_i64(own.len()))?.f_copy_(tensor)?;
        }
        Ok(whole)
    };
    let images: Vec<i64> = own.images.iter().map(|&image| i64::from(image)).collect();
    let images = filled(&Tensor::f_from_slice(&images)?.f_unsqueeze(1)?, [most, 1])?;
    let values = match own.width() {
        0 => Tensor::f_zeros([most, as_i64(width)], (Kind::Float, Device::Cpu))?,
        _ => filled(&own.values, [most, as_i64(width)])?,
    };
    let images = Vec::<i64>::try_from(&group.all_gather(&images, "gathering the indices of images")?.f_view(-1)?)?;
    let values = group.all_gather(&values, "gathering features")?;
    // In the dataset's order.
    let mut found: Vec<(u32, i64)> = Vec::new();
    for (rank, &count) in (0i64..).zip(&rows) {
        for row in rank * most..rank * most + as_i64(count) {
            let image = usize::try_from(row).ok().and_then(|row| images.get(row).copied()).unwrap_or_default();
            found.push((u32::try_from(image).unwrap_or(u32::MAX), row));
        }
    }
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

/// What the ranks have found.
struct Shared {
    /// Readable images of each rank.
    rows: Vec<usize>,
    /// F.
    width: usize,
    bad_images: Vec<BadImage>,
}

fn share(own: &Features, group: &Group) -> Result<Shared, EvalError> {
    let unreadable = |error: serde_json::Error| EvalError::Shape(format!("a rank's list of images: {error}"));
    let text = serde_json::to_string(&(own.len(), own.width(), &own.bad_images)).map_err(unreadable)?;
    let mut shared = Shared { rows: Vec::new(), width: 0, bad_images: Vec::new() };
    for text in group.share_text(&text)? {
        let (rows, width, bad): (usize, usize, Vec<BadImage>) = serde_json::from_str(&text).map_err(unreadable)?;
        shared.rows.push(rows);
        shared.width = shared.width.max(width);
        shared.bad_images.extend(bad);
    }
    shared.bad_images.sort_by_key(|bad| bad.index);
    Ok(shared)
}
