//! `views.jpg` in a run folder: some of the views that the run trains on, for its page.
//!
//! Views are functions of seed, epoch, image and view, so that drawing some here changes none of training. What fails here is a warning.

use std::path::Path;
use std::time::Duration;

use mochi_config::Resolved;
use mochi_data::Dataset;
use mochi_data::preview::{PreviewOptions, preview, strip};
use mochi_run::RunFolder;
use mochi_term::Progress;

/// Images, the first ones of the first epoch.
const IMAGES: usize = 8;
/// Views of each; a run may have more.
const VIEWS: u16 = 2;
/// Largest side of an image or a view in pixels.
const SIDE: u32 = 96;
/// Time after which no further image is begun: large photos take long to decode.
const WITHIN: Duration = Duration::from_millis(500);

/// The JPEG; `None` for a run without steps, or where images cannot be read, which training itself will say.
pub fn draw(dataset: &Dataset, settings: &Resolved, progress: &Progress) -> Option<Vec<u8>> {
    if settings.epochs <= 0.0 {
        return None;
    }
    let options = PreviewOptions {
        images: IMAGES,
        seed: settings.seed,
        epoch: 0,
        views: VIEWS,
        size: settings.data.size,
        augmentation: mochi_train::augmentation(settings).ok()?,
        fast_decode: settings.data.fast_decode,
        thumbnail: SIDE,
        within: Some(WITHIN),
    };
    let (previews, _) = preview(dataset, &options).ok()?;
    match strip(&previews, options.size, SIDE) {
        Ok(jpeg) => Some(jpeg),
        Err(error) => {
            progress.warning(&format!("the page of the run will show no views: {error}"));
            None
        }
    }
}

/// Writes it into the folder of a run.
pub fn write(run: &Path, jpeg: &[u8], progress: &Progress) {
    let written = RunFolder::read(run).and_then(|folder| folder.write_views(jpeg));
    if let Err(error) = written {
        progress.warning(&format!("the page of the run will show no views: {error}"));
    }
}
