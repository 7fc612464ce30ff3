//! Section of a run's page on its embeddings: the figures of `analysis.json`, or the command that writes it.

use std::fmt::Write as _;
use std::path::Path;

use mochi_figures::Escaped;
use mochi_files::shell_word;
use mochi_run::RunFolder;
use mochi_text::counted;
use serde_json::Value;

use crate::analysis_curves::AnalysisCurves;
use crate::frame;

/// Adds the section. `run`: the path of the folder as it was given. `inside`: whether the page is in the folder, where links lead to its other files.
pub(crate) fn push(page: &mut String, folder: &RunFolder, run: &Path, inside: bool) {
    page.push_str("<h2>Embeddings</h2>\n");
    let read = match folder.read_analysis() {
        Ok(None) => {
            let of_run =
                |command: &str, data: &str| Escaped(&format!("mochi {command} {}{data}", shell_word(run))).to_string();
            let _ = writeln!(
                page,
                "<p><code>{}</code> measures the embeddings of the checkpoints on any images: alignment, uniformity, effective rank, similarities and, where \
                 images have classes, false negatives. <code>{}</code> then shows them here.</p>",
                of_run("analyze", " DATA"),
                of_run("report", "")
            );
            return;
        }
        Ok(Some(text)) => serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match read {
        Ok(analysis) => push_analysis(page, &analysis, inside && folder.analysis_page_path().is_file()),
        Err(reason) => {
            let _ = writeln!(page, "<p class=\"small\">Not shown: analysis.json: {}</p>", Escaped(&reason));
        }
    }
}

/// `linked`: whether the page of the analysis is beside this one.
fn push_analysis(page: &mut String, analysis: &Value, linked: bool) {
    let none = Vec::new();
    let array = |key: &str| analysis.get(key).and_then(Value::as_array).unwrap_or(&none);
    let checkpoints = array("checkpoints");
    let images = analysis.get("images").and_then(Value::as_u64).unwrap_or_default();
    let data = analysis.get("data").and_then(Value::as_str).unwrap_or("unknown images");
    let of = format!("{} on {} of {data}", counted(checkpoints.len(), "checkpoint"), counted(images, "image"));
    let link = if linked {
        " <a href=\"analysis.html\">analysis.html</a> has the nearest neighbors and all values."
    } else {
        ""
    };
    let _ = writeln!(page, "<p>{}.{link}</p>", Escaped(&of));
    let findings: Vec<&str> = array("findings").iter().filter_map(Value::as_str).collect();
    if !findings.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", Escaped(&findings.join(" ")));
    }
    let curves = AnalysisCurves::of(checkpoints);
    frame::push_charts(page, &[curves.over_training(), curves.pairs()].concat());
}
