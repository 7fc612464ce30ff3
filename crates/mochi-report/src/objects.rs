//! Images with boxes and masks drawn over them.
//!
//! The drawing is SVG in pixels of the whole image, over the reduced image. Colors go by class and repeat after ten classes; the name of an object is shown on
//! hover, and beside its box if the image has few.

use std::fmt::{self, Write as _};

use crate::image::Image;
use mochi_figures::Escaped;

/// Colors of the classes, repeated after the last: `k0` to `k9` of the style.
pub const CLASS_COLORS: [[u8; 3]; COLORS] = [
    [0x56, 0xb4, 0xe9],
    [0xff, 0x9b, 0x4a],
    [0x2e, 0xe6, 0xa8],
    [0xff, 0x6f, 0xb5],
    [0xf5, 0xe0, 0x4c],
    [0xb5, 0x8c, 0xff],
    [0xff, 0x5a, 0x4f],
    [0x8e, 0xe0, 0x00],
    [0x00, 0xd5, 0xe6],
    [0xd9, 0xa2, 0x7a],
];
/// Number of colors.
const COLORS: usize = 10;
/// Number of objects up to which their names are written beside the boxes.
const NAMED: usize = 8;

/// An image with its objects: one `<figure>`.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectImage {
    /// The image, reduced or not.
    pub image: Image,
    /// Width and height of the whole image in pixels, in which the objects are.
    pub size: (u32, u32),
    /// The objects; later ones are drawn over earlier ones.
    pub objects: Vec<DrawnObject>,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnObject {
    /// The box (x0, y0, x1, y1) in pixels.
    pub bounds: [f64; 4],
    /// The class, which decides about the color.
    pub class: usize,
    /// The name, such as "cat" or "cat 0.93".
    pub label: String,
    /// Polygons x0, y0, x1, y1, ... of the mask, filled by the even-odd rule; empty without a mask.
    pub outline: Vec<Vec<f64>>,
    /// Whether lines are dashed, which tells predictions from the truth.
    pub dashed: bool,
}

/// The `<figure>` element.
impl fmt::Display for ObjectImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.size;
        let many = if self.objects.len() > NAMED { " many" } else { "" };
        write!(
            f,
            "<figure><div class=\"drawn{many}\">{}<svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">",
            self.image
        )?;
        // Large objects first, so that small ones can be pointed at.
        let mut order: Vec<&DrawnObject> = self.objects.iter().collect();
        let area = |object: &DrawnObject| (object.bounds[2] - object.bounds[0]) * (object.bounds[3] - object.bounds[1]);
        order.sort_by(|a, b| area(b).total_cmp(&area(a)));
        order.iter().try_for_each(|object| object.write(f))?;
        if self.objects.len() <= NAMED {
            let letter = f64::from(width.max(height)) / 24.0;
            order.iter().try_for_each(|object| object.write_name(f, letter, f64::from(width)))?;
        }
        write!(f, "</svg></div><figcaption>{}</figcaption></figure>", Escaped(&self.image.name))
    }
}

impl DrawnObject {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x0, y0, x1, y1] = self.bounds;
        if !self.bounds.iter().all(|side| side.is_finite()) {
            return Ok(());
        }
        let dashed = if self.dashed { " dashed" } else { "" };
        write!(f, "<g class=\"k{}{dashed}\"><title>{}</title>", self.class % COLORS, Escaped(&self.label))?;
        if !self.outline.is_empty() {
            f.write_str("<path d=\"")?;
            for polygon in &self.outline {
                for (number, point) in polygon.chunks_exact(2).enumerate() {
                    let command = if number == 0 { 'M' } else { 'L' };
                    write!(f, "{command}{} {}", rounded(point[0]), rounded(point[1]))?;
                }
                f.write_char('Z')?;
            }
            f.write_str("\"/>")?;
        }
        let (x, y, w, h) = (rounded(x0), rounded(y0), rounded(x1 - x0), rounded(y1 - y0));
        for class in ["below", "box"] {
            write!(f, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>")?;
        }
        f.write_str("</g>")
    }

    fn write_name(&self, f: &mut fmt::Formatter<'_>, letter: f64, width: f64) -> fmt::Result {
        let [x0, y0, x1, _] = self.bounds;
        if !self.bounds.iter().all(|side| side.is_finite()) {
            return Ok(());
        }
        // Above the box, or within it at the upper edge of the image.
        let y = if y0 > letter * 1.2 { y0 - letter * 0.3 } else { y0.max(0.0) + letter };
        // Towards the left at the right edge.
        let ends = x0 > width * 0.7;
        let (x, end) = if ends { (x1.min(width), " end") } else { (x0.max(0.0) + letter * 0.1, "") };
        let (x, y, letter) = (rounded(x), rounded(y), rounded(letter));
        let color = self.class % COLORS;
        write!(
            f,
            "<text class=\"k{color}{end}\" x=\"{x}\" y=\"{y}\" font-size=\"{letter}\">{}</text>",
            Escaped(&self.label)
        )
    }
}

/// A tenth of a pixel is enough for drawing.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// The names of classes in their colors: those of the images, in the order of the classes.
pub fn object_legend(classes: &[String], images: &[ObjectImage]) -> String {
    let mut shown: Vec<usize> = images.iter().flat_map(|image| &image.objects).map(|object| object.class).collect();
    shown.sort_unstable();
    shown.dedup();
    let mut html = String::from("<p class=\"legend\">");
    for class in shown {
        if let Some(name) = classes.get(class) {
            let _ = write!(html, "<span><i class=\"k{}\"></i>{}</span> ", class % COLORS, Escaped(name));
        }
    }
    html.push_str("</p>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Encoding;

    fn object(class: usize, bounds: [f64; 4]) -> DrawnObject {
        DrawnObject { bounds, class, label: "a < b".into(), outline: Vec::new(), dashed: false }
    }

    fn image(objects: Vec<DrawnObject>) -> ObjectImage {
        let image = Image { bytes: vec![1], encoding: Encoding::Jpeg, width: 20, height: 15, name: "x & y".into() };
        ObjectImage { image, size: (40, 30), objects }
    }

    #[test]
    fn objects_are_drawn_in_pixels_of_the_whole_image() {
        let mut dashed = object(11, [10.0, 12.26, 30.0, 29.0]);
        dashed.dashed = true;
        dashed.outline = vec![vec![10.0, 13.0, 30.0, 13.0, 30.0, 29.0], vec![1.0, 1.0, 2.0, 1.0, 2.0, 2.0]];
        let html = image(vec![object(0, [1.0, 2.0, 5.0, 6.0]), dashed]).to_string();
        assert!(html.contains("viewBox=\"0 0 40 30\"") && html.contains("<figcaption>x &amp; y"), "{html}");
        assert!(html.contains("<path d=\"M10 13L30 13L30 29ZM1 1L2 1L2 2Z\"/>"), "{html}");
        assert!(html.contains("<rect class=\"box\" x=\"10\" y=\"12.3\" width=\"20\" height=\"16.7\"/>"), "{html}");
        // The larger one is first.
        assert!(html.find("k1 dashed").unwrap() < html.find("\"k0\"").unwrap());
        assert_eq!(html.matches("a &lt; b").count(), 4);
    }

    #[test]
    fn many_objects_have_no_names_and_strange_boxes_are_not_drawn() {
        let many = image(vec![object(0, [1.0, 1.0, 2.0, 2.0]); NAMED + 1]).to_string();
        assert!(!many.contains("<text") && many.matches("<g ").count() == NAMED + 1);
        let strange = image(vec![object(0, [f64::NAN, 1.0, f64::INFINITY, 2.0])]).to_string();
        assert!(!strange.contains("NaN") && !strange.contains("inf"), "{strange}");
    }

    #[test]
    fn the_style_has_the_colors_of_the_classes() {
        let style = include_str!("objects.css");
        for (class, [r, g, b]) in CLASS_COLORS.into_iter().enumerate() {
            assert!(style.contains(&format!(".k{class} {{ color: #{r:02x}{g:02x}{b:02x}; }}")), "{class}");
        }
    }

    #[test]
    fn the_legend_has_the_classes_that_are_shown() {
        let classes = ["a", "b", "<c>"].map(str::to_owned);
        let html =
            object_legend(&classes, &[image(vec![object(2, [0.0; 4]), object(0, [0.0; 4]), object(7, [0.0; 4])])]);
        assert!(
            html.contains("\"k0\"></i>a<")
                && html.contains("\"k2\"></i>&lt;c&gt;<")
                && !html.contains('b'.to_string().repeat(2).as_str())
        );
        assert_eq!(html.matches("<span>").count(), 2);
    }
}
