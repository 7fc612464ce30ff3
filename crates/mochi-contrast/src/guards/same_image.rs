//! Same image: a column that is an older key of the query's own image is no negative. `id(n) = id(q)` is masked; an unknown id (negative)
//! equals nothing. It matters where the queue holds a good part of an epoch.

/// Masks the columns whose number is `own`.
#[inline(always)]
pub(crate) fn mask_equal(own: i64, columns: &[i64], cosines: &mut [f32]) {
    if own < 0 {
        return;
    }
    for (cosine, &column) in cosines.iter_mut().zip(columns) {
        *cosine = if column == own { f32::NEG_INFINITY } else { *cosine };
    }
}
