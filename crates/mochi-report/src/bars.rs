//! Counts as horizontal bars, names left and numbers right, which fits narrow screens.

use mochi_figures::{Escaped, grouped};

use std::fmt::Write as _;

/// A histogram, or counts by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bars {
    /// Heading.
    pub title: String,
    /// Names with counts, top to bottom.
    pub bars: Vec<(String, usize)>,
}

impl Bars {
    pub(crate) fn push(&self, page: &mut String) {
        let most = self.bars.iter().map(|bar| bar.1).max().unwrap_or(0).max(1);
        let _ = write!(page, "<section><h3>{}</h3><div class=\"bars\">", Escaped(&self.title));
        for (name, count) in &self.bars {
            let width = 100.0 * *count as f64 / most as f64;
            let _ = write!(
                page,
                "<span>{}</span><i><b style=\"width:{width:.1}%\"></b></i><span>{}</span>",
                Escaped(name),
                grouped(*count as u64)
            );
        }
        page.push_str("</div></section>\n");
    }
}
