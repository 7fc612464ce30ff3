//! The neighbor sheet: thumbnails of some images, of their two views, of their nearest neighbors and of their hardest negatives.

use mochi_data::preview::{PreviewOptions, Previewer};
use mochi_data::{Dataset, Thumbnail, Thumbnailer};
use mochi_eval::analysis::{Analysis, SheetRow};
use mochi_report::{Encoding, Image, NeighborRow, ShownImage};
use mochi_term::{Progress, Task};

/// Queries, and neighbors and negatives of each.
const SHEET: (usize, usize) = (12, 8);
/// Longest side of a thumbnail in pixels.
const SIDE: u32 = 128;

/// The rows of the sheet. An image that cannot be read any more is left out.
pub fn sheet(dataset: &Dataset, analysis: &Analysis, progress: &Progress) -> Vec<NeighborRow> {
    let rows = analysis.sheet(SHEET.0, SHEET.1);
    let count = |row: &SheetRow| 2 + (row.neighbors.len() + row.negatives.len()) as u64;
    let task = progress.task("thumbnails", rows.iter().map(count).sum());
    let (augmentation, size) = analysis.views.clone();
    let options = PreviewOptions {
        images: 1,
        seed: analysis.seed,
        epoch: 0,
        views: 2,
        size,
        augmentation,
        fast_decode: false,
        thumbnail: SIDE,
        within: None,
    };
    // The views have been drawn once, so the pipeline is valid.
    let previewer = Previewer::new(dataset, options, &analysis.bad_images).ok();
    let mut painter = Painter { dataset, analysis, thumbnailer: Thumbnailer::default(), previewer, size, task };
    let drawn = rows.iter().filter_map(|row| painter.row(row)).collect();
    painter.task.finish();
    drawn
}

struct Painter<'a> {
    dataset: &'a Dataset,
    analysis: &'a Analysis,
    thumbnailer: Thumbnailer,
    previewer: Option<Previewer<'a>>,
    /// Width and height of a view.
    size: u32,
    task: Task,
}

impl<'a> Painter<'a> {
    fn row(&mut self, row: &SheetRow) -> Option<NeighborRow> {
        let query = self.image(row.query)?;
        let own = self.class(row.query);
        let views = row.positive.and_then(|cosine| self.views(row.query, cosine)).unwrap_or_default();
        self.task.advance(1);
        let neighbors = row.neighbors.iter().filter_map(|&other| self.neighbor(other, own)).collect();
        let negatives = row.negatives.iter().filter_map(|&other| self.negative(other, own)).collect();
        Some(NeighborRow { query, class: own.unwrap_or_default().to_owned(), views, neighbors, negatives })
    }

    /// The thumbnail of a row of the sample.
    fn image(&mut self, row: u32) -> Option<Image> {
        self.task.advance(1);
        let index = self.index(row)?;
        let small = self.thumbnailer.make(self.dataset, index, SIDE).ok()?;
        Some(image(small, self.dataset.name_of(index)))
    }

    /// The two views of a row of the sample, whose embeddings have this cosine.
    fn views(&mut self, row: u32, cosine: f32) -> Option<Vec<ShownImage>> {
        let index = self.index(row)?;
        let preview = self.previewer.as_mut()?.make(index).ok()?;
        let captions = ["view 1: query".to_owned(), format!("view 2: positive {cosine:.2}")];
        let shown = preview.views.iter().zip(captions).map(|(view, caption)| {
            let small = view.thumbnail(self.size, SIDE).ok()?;
            Some(ShownImage { image: image(small, preview.name.clone()), caption, marked: false })
        });
        shown.collect()
    }

    fn index(&self, row: u32) -> Option<usize> {
        Some(*self.analysis.sample.get(row as usize)? as usize)
    }

    /// The class of a row of the sample, if it has one. Names of classes are distinct.
    fn class(&self, row: u32) -> Option<&'a str> {
        let label = *self.analysis.labels.as_ref()?.get(row as usize)?;
        Some(self.dataset.class_names().get(label as usize)?.as_str())
    }

    /// A neighbor of an image of the class `own`; another class is marked.
    fn neighbor(&mut self, (row, cosine): (u32, f32), own: Option<&str>) -> Option<ShownImage> {
        let other = self.class(row).filter(|&class| own.is_some_and(|own| own != class));
        let caption = other.map_or_else(|| format!("{cosine:.2}"), |class| format!("{cosine:.2} {class}"));
        Some(ShownImage { image: self.image(row)?, caption, marked: other.is_some() })
    }

    /// A negative of an image of the class `own`; the same class is marked, because it is a false negative.
    fn negative(&mut self, (row, cosine): (u32, f32), own: Option<&str>) -> Option<ShownImage> {
        let class = self.class(row);
        let marked = class.is_some() && class == own;
        let caption = match class {
            _ if marked => format!("{cosine:.2} false negative"),
            Some(class) => format!("{cosine:.2} {class}"),
            None => format!("{cosine:.2}"),
        };
        Some(ShownImage { image: self.image(row)?, caption, marked })
    }
}

fn image(small: Thumbnail, name: String) -> Image {
    Image { bytes: small.jpeg, encoding: Encoding::Jpeg, width: small.width, height: small.height, name }
}
