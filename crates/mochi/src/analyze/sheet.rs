//! The neighbor sheet: thumbnails of some images and of their nearest neighbors.

use mochi_data::{Dataset, Thumbnailer};
use mochi_eval::analysis::Analysis;
use mochi_report::{Encoding, Image, NeighborRow, ShownNeighbor};
use mochi_term::{Progress, Task};

/// Queries, and neighbors of each.
const SHEET: (usize, usize) = (12, 8);
/// Longest side of a thumbnail in pixels.
const SIDE: u32 = 128;

/// The rows of the sheet. An image that cannot be read any more is left out.
pub fn sheet(dataset: &Dataset, analysis: &Analysis, progress: &Progress) -> Vec<NeighborRow> {
    let rows = analysis.sheet(SHEET.0, SHEET.1);
    let task = progress.task("thumbnails", rows.iter().map(|row| 1 + row.neighbors.len() as u64).sum());
    let mut painter = Painter { dataset, analysis, thumbnailer: Thumbnailer::default(), task };
    let drawn = rows.iter().filter_map(|row| {
        let query = painter.image(row.query)?;
        let own = painter.class(row.query);
        let neighbors = row.neighbors.iter().filter_map(|&neighbor| painter.neighbor(neighbor, own)).collect();
        Some(NeighborRow { query, class: own.unwrap_or_default().to_owned(), neighbors })
    });
    let drawn = drawn.collect();
    painter.task.finish();
    drawn
}

struct Painter<'a> {
    dataset: &'a Dataset,
    analysis: &'a Analysis,
    thumbnailer: Thumbnailer,
    task: Task,
}

impl<'a> Painter<'a> {
    /// The thumbnail of a row of the sample.
    fn image(&mut self, row: u32) -> Option<Image> {
        self.task.advance(1);
        let index = *self.analysis.sample.get(row as usize)? as usize;
        let small = self.thumbnailer.make(self.dataset, index, SIDE).ok()?;
        let name = self.dataset.name_of(index);
        Some(Image { bytes: small.jpeg, encoding: Encoding::Jpeg, width: small.width, height: small.height, name })
    }

    /// The class of a row of the sample, if it has one. Names of classes are distinct.
    fn class(&self, row: u32) -> Option<&'a str> {
        let label = *self.analysis.labels.as_ref()?.get(row as usize)?;
        Some(self.dataset.class_names().get(label as usize)?.as_str())
    }

    /// A neighbor of an image of the class `own`.
    fn neighbor(&mut self, (row, cosine): (u32, f32), own: Option<&str>) -> Option<ShownNeighbor> {
        let class = self.class(row).filter(|&class| own.is_some_and(|own| own != class));
        let caption = class.map_or_else(|| format!("{cosine:.2}"), |class| format!("{cosine:.2} {class}"));
        Some(ShownNeighbor { image: self.image(row)?, caption, other_class: class.is_some() })
    }
}
