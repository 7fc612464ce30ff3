//! Operations on the histogram of each channel: `ImageOps.autocontrast` and `ImageOps.equalize` (Pillow 13).

fn count(plane: &[u8]) -> [u32; 256] {
    let mut histogram = [0u32; 256];
    for &v in plane {
        histogram[usize::from(v)] += 1;
    }
    histogram
}

fn look_up(plane: &mut [u8], table: &[u8; 256]) {
    for v in plane {
        *v = table[usize::from(*v)];
    }
}

/// Stretches the range of values to 0..=255.
pub(super) fn autocontrast(plane: &mut [u8]) {
    let histogram = count(plane);
    let low = histogram.iter().position(|&n| n > 0).unwrap_or(0);
    let high = histogram.iter().rposition(|&n| n > 0).unwrap_or(0);
    if high <= low {
        return;
    }
    let scale = 255.0 / (high - low) as f64;
    let offset = -(low as f64) * scale;
    let mut table = [0u8; 256];
    for (v, out) in table.iter_mut().enumerate() {
        // Python's int() truncates towards zero before the clip.
        *out = ((v as f64 * scale + offset) as i32).clamp(0, 255) as u8;
    }
    look_up(plane, &table);
}

/// Makes the cumulative histogram linear.
pub(super) fn equalize(plane: &mut [u8]) {
    let histogram = count(plane);
    let mut used = histogram.iter().filter(|&&n| n > 0);
    let kinds = used.clone().count();
    let last = used.next_back().copied().unwrap_or(0);
    let step = (plane.len() as u32).saturating_sub(last) / 255;
    if kinds <= 1 || step == 0 {
        return;
    }
    let mut table = [0u8; 256];
    let mut below = step / 2;
    for (out, n) in table.iter_mut().zip(histogram) {
        *out = (below / step).min(255) as u8;
        below += n;
    }
    look_up(plane, &table);
}
