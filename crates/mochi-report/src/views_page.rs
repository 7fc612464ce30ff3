//! The page of views: for each image the source with its crops, and the views as training sees them with what was drawn for them.

use std::fmt::Write as _;

use crate::escape::Escaped;
use crate::frame;
use crate::picture::Picture;

/// Everything that stands on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewsPage {
    /// The heading.
    pub name: String,
    /// The line under it.
    pub summary: String,
    /// Terms and values in brief.
    pub facts: Vec<(String, String)>,
    /// One row an image.
    pub rows: Vec<ViewsRow>,
}

/// An image and its views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewsRow {
    /// The whole image, made small.
    pub source: Picture,
    /// Width and height that crops count in.
    pub size: (u32, u32),
    /// Its views, in order.
    pub views: Vec<ShownView>,
}

/// A view and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownView {
    /// The view.
    pub picture: Picture,
    /// Left, top, width and height of its crop in pixels of the image.
    pub crop: [u32; 4],
    /// What happened to it, in order: a name and, where there is one, a value.
    pub steps: Vec<(String, String)>,
}

impl ViewsPage {
    /// The whole page as HTML.
    pub fn render(&self) -> String {
        let mut page = frame::begin(&self.name, &self.summary);
        page.push_str("<dl>");
        for (term, value) in &self.facts {
            let _ = write!(page, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(term), Escaped(value));
        }
        page.push_str("</dl>\n");
        page.push_str("<div class=\"rows\">\n");
        self.rows.iter().for_each(|row| row.push(&mut page));
        page.push_str("</div>\n");
        frame::end(&mut page, "Steps stand in the order in which they happened to the view's pixels.");
        page
    }
}

impl ViewsRow {
    fn push(&self, page: &mut String) {
        let (width, height) = self.size;
        let _ = write!(page, "<div class=\"row\"><figure><div class=\"source\">{}", self.source);
        let _ = write!(page, "<svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">");
        for (number, view) in self.views.iter().enumerate() {
            let [left, top, w, h] = view.crop;
            for class in ["under".to_owned(), format!("crop l{}", number % 5)] {
                let _ = write!(page, "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{w}\" height=\"{h}\"/>");
            }
        }
        let _ = write!(
            page,
            "</svg></div><figcaption><b>{}</b><span class=\"small\">{width} × {height}</span></figcaption></figure>",
            Escaped(&self.source.name)
        );
        for (number, view) in self.views.iter().enumerate() {
            let [left, top, w, h] = view.crop;
            let _ = write!(
                page,
                "<figure class=\"view\">{}<figcaption><b class=\"l{}\">view {}</b><ol><li>crop <em>{w} × {h} at {left}, {top}</em></li>",
                view.picture,
                number % 5,
                number + 1
            );
            for (name, value) in &view.steps {
                let _ = write!(page, "<li>{} <em>{}</em></li>", Escaped(name), Escaped(value));
            }
            page.push_str("</ol></figcaption></figure>");
        }
        page.push_str("</div>\n");
    }
}
