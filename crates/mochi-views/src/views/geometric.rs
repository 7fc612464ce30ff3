//! Operations of RandAugment that move pixels or read neighbors: affine maps and sharpness.

/// `Image.transform(size, AFFINE, m, NEAREST)`: output (x, y) takes the input pixel under `m` at pixel centers; 0 outside.
pub(super) fn affine(plane: &mut [u8], width: usize, m: [f64; 6], scratch: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let height = plane.len() / width;
    scratch.clear();
    scratch.extend_from_slice(plane);
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        let (dx, dy) = (m[1] * (y as f64 + 0.5) + m[2], m[4] * (y as f64 + 0.5) + m[5]);
        for (x, out) in row.iter_mut().enumerate() {
            let from_x = m[0] * (x as f64 + 0.5) + dx;
            let from_y = m[3] * (x as f64 + 0.5) + dy;
            let inside = from_x >= 0.0 && from_y >= 0.0 && from_x < width as f64 && from_y < height as f64;
            *out = if inside { scratch[from_y as usize * width + from_x as usize] } else { 0 };
        }
    }
}

/// `ImageEnhance.Sharpness(factor)`: blends with `ImageFilter.SMOOTH` (1 1 1 / 1 5 1 / 1 1 1 over 13, borders copied).
pub(super) fn sharpness(plane: &mut [u8], width: usize, factor: f32, scratch: &mut Vec<u8>) {
    let height = plane.len().checked_div(width).unwrap_or(0);
    if width < 3 || height < 3 {
        return;
    }
    scratch.clear();
    scratch.extend_from_slice(plane);
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            let mut sum = 0.5f32;
            for (dy, weights) in [[1.0f32, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]].iter().enumerate() {
                let row = &scratch[(y + dy - 1) * width + x - 1..][..3];
                for (v, weight) in row.iter().zip(weights) {
                    sum += f32::from(*v) * (weight / 13.0);
                }
            }
            let smooth = sum.clamp(0.0, 255.0).floor();
            let v = f32::from(scratch[y * width + x]);
            plane[y * width + x] = (smooth + factor * (v - smooth)).clamp(0.0, 255.0) as u8;
        }
    }
}
