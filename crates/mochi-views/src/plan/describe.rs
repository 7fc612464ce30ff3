//! Names and values of operations as text, for reports.

use super::Op;

/// Name and value of an operation as text; the value is empty if the operation has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpText {
    /// Such as "brightness".
    pub name: &'static str,
    /// Such as "× 1.21".
    pub value: String,
}

impl Op {
    /// Name and value as text.
    pub fn describe(&self) -> OpText {
        let factor = |f: f32| format!("× {f:.2}");
        let (name, value) = match *self {
            Op::Brightness(f) => ("brightness", factor(f)),
            Op::Contrast(f) => ("contrast", factor(f)),
            Op::Saturation(f) => ("saturation", factor(f)),
            // 256 steps to a turn, wrapping.
            Op::Hue(shift) => ("hue", format!("{:+.0}°", f64::from(shift.cast_signed()) * 360.0 / 256.0)),
            Op::Grayscale => ("grayscale", String::new()),
            Op::Blur(sigma) => ("blur", format!("σ {sigma:.2}")),
            Op::Solarize(threshold) => ("solarize", format!("from {threshold}")),
            Op::Flip => ("flip", String::new()),
            Op::AutoContrast => ("autocontrast", String::new()),
            Op::Equalize => ("equalize", String::new()),
            Op::Invert => ("invert", String::new()),
            Op::Posterize(bits) => ("posterize", format!("to {bits} bits")),
            Op::Sharpness(f) => ("sharpness", factor(f)),
            Op::Affine([a, b, c, d, e, f]) => {
                let turn = b.atan2(a).to_degrees();
                match (b != 0.0, d != 0.0) {
                    (true, true) => ("rotate", format!("{turn:+.0}°")),
                    (true, false) => ("shear", format!("x {b:+.2}")),
                    (false, true) => ("shear", format!("y {d:+.2}")),
                    (false, false) if a == 1.0 && e == 1.0 => ("translate", format!("{:+.0}, {:+.0} px", -c, -f)),
                    (false, false) => ("affine", format!("{a:.2}, {e:.2}")),
                }
            }
        };
        OpText { name, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_they_were_drawn() {
        let said = |op: Op| {
            let OpText { name, value } = op.describe();
            format!("{name} {value}")
        };
        assert_eq!(said(Op::Brightness(1.204)), "brightness × 1.20");
        assert_eq!(said(Op::Hue(246)), "hue -14°");
        assert_eq!(said(Op::Blur(0.1)), "blur σ 0.10");
        assert_eq!(said(Op::Affine([1.0, 0.0, 67.2, 0.0, 1.0, 0.0])), "translate -67, -0 px");
        let (cos, sin) = (30f64.to_radians().cos(), 30f64.to_radians().sin());
        assert_eq!(said(Op::Affine([cos, sin, 3.0, -sin, cos, 4.0])), "rotate +30°");
        assert_eq!(said(Op::Affine([1.0, -0.3, 0.0, 0.0, 1.0, 0.0])), "shear x -0.30");
    }
}
