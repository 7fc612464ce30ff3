//! Page of images with the objects that a detector found, beside the true ones where they are known.

use std::fmt::Write as _;

use crate::frame;
use crate::objects::{ObjectImage, object_legend};
use mochi_figures::Escaped;

/// Content of the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictionsPage {
    /// Heading.
    pub name: String,
    /// Line below the heading.
    pub summary: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Groups of images, each with a heading.
    pub sections: Vec<(String, Vec<ObjectImage>)>,
    /// What the lines mean.
    pub note: String,
}

impl PredictionsPage {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let mut page = frame::begin(&self.name, &self.summary);
        let all: Vec<ObjectImage> = self.sections.iter().flat_map(|(_, images)| images.iter().cloned()).collect();
        page.push_str(&object_legend(&self.classes, &all));
        for (title, images) in self.sections.iter().filter(|(_, images)| !images.is_empty()) {
            let _ = writeln!(page, "<h2>{}</h2>\n<div class=\"objects\">", Escaped(title));
            for image in images {
                let _ = writeln!(page, "{image}");
            }
            page.push_str("</div>\n");
        }
        frame::end(&mut page, &self.note);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_sections_are_left_out_and_names_escaped() {
        let page = PredictionsPage {
            name: "a<b".into(),
            sections: vec![("Worst".into(), Vec::new())],
            note: "Dashed: true objects.".into(),
            ..PredictionsPage::default()
        };
        let html = page.render();
        assert!(html.contains("a&lt;b") && !html.contains("Worst") && html.contains("Dashed: true objects."), "{html}");
    }
}
