//! Bad images on stderr: the first few by name, then how many more there are.

use mochi_data::BadImage;
use mochi_term::Progress;
use mochi_text::counted;

/// Bad images that are named, at most.
const NAMED: usize = 10;

/// Warns of bad images, each with what happened to it: `bad image replaced`, `bad training image`. The subcommand's `--json` lists all.
pub fn warn<'a>(images: impl Iterator<Item = (&'a str, &'a BadImage)>, progress: &Progress) {
    let mut more = 0;
    for (at, (what, image)) in images.enumerate() {
        match at < NAMED {
            true => progress.warning(&format!("{what}: {}: {} ({})", image.name, image.reason, image.detail)),
            false => more += 1,
        }
    }
    if more > 0 {
        progress.warning(&format!("{}; --json lists all", counted(more, "more bad image")));
    }
}
