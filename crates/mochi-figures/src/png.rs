//! Figures as PNG files, drawn by resvg from their SVG.
//!
//! Text is set in Roboto, which is part of the program (`fonts/`): a figure has its text on a machine without fonts, and looks the same on every
//! machine. For a character that Roboto lacks, such as one of a Chinese class name, the fonts of the system are asked.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, ID, Source};
use resvg::usvg::{FontResolver, Options, Tree};

use crate::error::DrawingError;

/// Pixels for each unit of a figure, a CSS pixel of 1/96 inch: 288 pixels per inch, which print needs.
const SCALE: f32 = 3.0;
const INCH_IN_METERS: f32 = 0.0254;
/// Weight from which text is bold; headings and names of lines have 600.
const BOLD: u16 = 600;

/// The fonts, and the regular and the bold one of them.
static FONTS: LazyLock<(Arc<Database>, [Option<ID>; 2])> = LazyLock::new(|| {
    let mut fonts = Database::new();
    let files: [&'static [u8]; 2] =
        [include_bytes!("../fonts/Roboto-Regular.ttf"), include_bytes!("../fonts/Roboto-Bold.ttf")];
    let ids = files.map(|file| fonts.load_font_source(Source::Binary(Arc::new(file))).first().copied());
    (Arc::new(fonts), ids)
});

/// A figure `name`, a whole SVG file, as a PNG file.
///
/// # Errors
/// [`DrawingError`].
pub fn png(name: &str, svg: &str) -> Result<Vec<u8>, DrawingError> {
    draw(name, svg, &options())
}

fn draw(name: &str, svg: &str, options: &Options) -> Result<Vec<u8>, DrawingError> {
    let failed = |reason: String| DrawingError { name: name.to_owned(), reason };
    let tree = Tree::from_str(svg, options).map_err(|error| failed(error.to_string()))?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(|| failed("it has no size".to_owned()))?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or_else(|| failed("it is too large".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    encode(pixels).map_err(|error| failed(error.to_string()))
}

fn options() -> Options<'static> {
    let (fonts, [regular, bold]) = &*FONTS;
    let own = fonts.len();
    Options {
        fontdb: Arc::clone(fonts),
        font_resolver: FontResolver {
            select_font: Box::new(|font, _| if font.weight() >= BOLD { *bold } else { *regular }),
            select_fallback: Box::new(move |character, used, fonts| {
                if fonts.len() == own {
                    Arc::make_mut(fonts).load_system_fonts();
                }
                FontResolver::default_fallback_selector()(character, used, fonts)
            }),
        },
        ..Options::default()
    }
}

/// The pixels with their density, so that a document shows the figure at the size of its SVG.
fn encode(pixels: Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let (width, height) = (pixels.width(), pixels.height());
    let mut file = Cursor::new(Vec::new());
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    let per_meter = (96.0 * SCALE / INCH_IN_METERS).round() as u32;
    encoder.set_pixel_dims(Some(PixelDimensions { xppu: per_meter, yppu: per_meter, unit: Unit::Meter }));
    encoder.write_header()?.write_image_data(&pixels.take_demultiplied())?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of 11 units, as figures have it.
    fn text(text: &str, weight: u16) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\"><style>text {{ font: 11px system-ui, sans-serif; font-weight: \
             {weight}; }}</style><text x=\"4\" y=\"14\">{text}</text></svg>"
        )
    }

    /// Width and height in pixels, pixels per meter, and opacity of the pixels.
    fn decoded(file: &[u8]) -> ([u32; 2], Option<u32>, Vec<u8>) {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let info = reader.info();
        let alpha = pixels.chunks_exact(4).map(|pixel| pixel[3]).collect();
        ([info.width, info.height], info.pixel_dims.map(|dims| dims.xppu), alpha)
    }

    #[test]
    fn text_needs_no_font_of_the_system() {
        let alone = || {
            let none = FontResolver { select_fallback: Box::new(|_, _, _| None), ..options().font_resolver };
            Options { font_resolver: none, ..options() }
        };
        let drawn = |content: &str, weight| draw("text", &text(content, weight), &options()).unwrap();
        let lacking = draw("text", &text("\u{f8ff}", 400), &alone()).unwrap();
        for character in "aZ09%,.-()[]+_/±′⁰¹²³⁴⁵⁶⁷⁸⁹⁻…σéßΩж\u{fffd}".chars() {
            let own = drawn(&character.to_string(), 400);
            assert_eq!(own, draw("text", &text(&character.to_string(), 400), &alone()).unwrap(), "{character}");
            let ink = decoded(&own).2.iter().filter(|&&alpha| alpha > 128).count();
            assert!(ink > 5 && own != lacking, "{character}: {ink} pixels");
        }
        let ink = |weight| decoded(&drawn("loss", weight)).2.iter().map(|&alpha| u64::from(alpha)).sum::<u64>();
        assert!(ink(600) as f64 > 1.1 * ink(400) as f64, "names of lines are bold");
    }

    #[test]
    fn a_figure_has_three_pixels_for_each_unit_and_the_size_of_its_svg_in_print() {
        let (size, per_meter, _) = decoded(&png("text", &text("a", 400)).unwrap());
        assert_eq!((size, per_meter), ([120, 60], Some(11339)));
        let error = png("curve", "<svg").unwrap_err();
        assert!(error.to_string().starts_with("cannot draw the figure curve as PNG: ") && !error.hint().is_empty());
    }
}
