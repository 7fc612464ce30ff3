//! Section of a run's page on its views: `views.jpg`, which pre-training writes at its begin.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mochi_figures::Escaped;
use mochi_run::RunFolder;

use crate::settings::RunSettings;

/// The first bytes of a JPEG file.
const JPEG: [u8; 3] = [0xFF, 0xD8, 0xFF];

/// Adds the section, or nothing for a run without the file.
pub(crate) fn push(page: &mut String, folder: &RunFolder, settings: &RunSettings) {
    let jpeg = match folder.read_views() {
        Ok(None) => return,
        Ok(Some(bytes)) if bytes.starts_with(&JPEG) => Ok(bytes),
        Ok(Some(_)) => Err("it is no JPEG file".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    page.push_str("<h2>Views</h2>\n");
    match jpeg {
        Ok(bytes) => {
            let pipeline = settings.brief.iter().find(|(term, _)| *term == "Views").map_or("", |(_, value)| value);
            let _ = writeln!(
                page,
                "<p class=\"small\">Images of the first epoch, and below each one two of its views: {}.</p>\n\
                 <img class=\"views\" src=\"data:image/jpeg;base64,{}\" alt=\"images and their views\">",
                Escaped(pipeline),
                STANDARD.encode(bytes)
            );
        }
        Err(reason) => {
            let _ = writeln!(page, "<p class=\"small\">Not shown: views.jpg: {}</p>", Escaped(&reason));
        }
    }
}
