//! Page of augmented views: for each image the source with its crops, and the views with the operations that were drawn for them.

use std::fmt::Write as _;

use crate::frame;
use crate::image::Image;
use mochi_figures::Escaped;

/// Content of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewsPage {
    /// Heading.
    pub name: String,
    /// Line below the heading.
    pub summary: String,
    /// Terms with values.
    pub facts: Vec<(String, String)>,
    /// One row per image.
    pub rows: Vec<ViewsRow>,
}

/// An image and its views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewsRow {
    /// The image, reduced.
    pub source: Image,
    /// Width and height of the image, the coordinates of crops.
    pub size: (u32, u32),
    /// Its views, in order.
    pub views: Vec<ShownView>,
}

/// A view with its operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownView {
    /// The view.
    pub image: Image,
    /// Left, top, width and height of its crop in pixels of the image.
    pub crop: [u32; 4],
    /// Operations in the order of their application: name, and value if there is one.
    pub steps: Vec<(String, String)>,
}

impl ViewsPage {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let mut page = frame::begin(&self.name, &self.summary);
        frame::push_facts(&mut page, self.facts.iter().map(|(term, value)| (term.as_str(), value.as_str())));
        page.push_str("<div class=\"rows\">\n");
        self.rows.iter().for_each(|row| row.push(&mut page));
        page.push_str("</div>\n");
        frame::end(&mut page, "Operations are listed in the order of their application.");
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
                view.image,
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
