//! Page of a run: heading, main settings, evaluation results, curves, embeddings, views, where the time went, all settings.

use std::fmt::Write as _;

use mochi_figures::{Escaped, Figure, grouped};
use mochi_run::metric::general;
use mochi_run::{Record, suggestion};
use mochi_text::{counted, duration};

use crate::history::{self, History};
use crate::results::Results;
use crate::settings::RunSettings;
use crate::{frame, results_table, time};

/// What the page shows.
pub(crate) struct Content<'a> {
    /// Name of the run.
    pub(crate) name: &'a str,
    pub(crate) settings: &'a RunSettings,
    pub(crate) records: &'a [Record],
    /// Curves of the records.
    pub(crate) figures: &'a [Figure],
    pub(crate) results: &'a Results,
    pub(crate) history: &'a History,
    /// The tables of a detector as HTML.
    pub(crate) detections: &'a str,
    /// The sections of the embeddings and of the views as HTML.
    pub(crate) embeddings: &'a str,
    pub(crate) views: &'a str,
}

/// The page as HTML.
pub(crate) fn render(content: &Content) -> String {
    let Content { name, settings, records, figures, results, history, detections, embeddings, views } = content;
    let mut page = frame::begin(name, &subtitle(settings, records.last()));
    frame::push_facts(&mut page, settings.brief.iter().map(|(term, value)| (*term, value.as_str())));
    page.push_str(detections);
    results_table::push(&mut page, results);
    page.push_str("<h2>Curves</h2>\n");
    if let Some(suggestion) = suggestion(records) {
        let _ = writeln!(page, "<p>Evaluation during training: {}.</p>", Escaped(&suggestion));
    }
    if figures.is_empty() {
        page.push_str("<p class=\"small\">No records yet.</p>\n");
    }
    frame::push_charts(&mut page, figures);
    page.push_str(embeddings);
    page.push_str(views);
    let time: Vec<Figure> = time::figure(records, &history.sessions).into_iter().collect();
    frame::push_figures(&mut page, "Where the time went", &time);
    history::push(&mut page, settings, history);
    page.push_str("<details><summary>All settings</summary>");
    history::push_settings(&mut page, settings.lines.iter());
    page.push_str("</details>\n");
    let text = format!(
        "Lines show the mean of the records in each horizontal bin; bands show their minimum and maximum. Seed {}.",
        settings.seed
    );
    frame::end(&mut page, &text);
    page
}

fn subtitle(settings: &RunSettings, last: Option<&Record>) -> String {
    let mut text = format!("preset {}", settings.preset);
    let Some(last) = last else { return text };
    if let Some(epoch) = last.values.get(&general::EPOCH) {
        let _ = write!(text, ", epoch {}", grouped(epoch as u64 + 1));
    }
    let _ = write!(text, ", {}", counted(grouped(last.step), "step"));
    if let Some(images) = last.values.get(&general::IMAGES) {
        let _ = write!(text, ", {}", counted(grouped(images as u64), "image"));
    }
    if let Some(seconds) = last.values.get(&general::ELAPSED_S).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
    {
        let _ = write!(text, ", {}", duration(seconds));
    }
    text
}
