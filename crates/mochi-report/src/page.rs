//! Page of a run: heading, main settings, evaluation results, curves, all settings.

use std::fmt::Write as _;

use mochi_config::Resolved;
use mochi_run::Record;
use mochi_run::metric::general;
use mochi_text::counted;

use crate::history::{self, History};
use crate::number::grouped;
use crate::plot::Figure;
use crate::results::Results;
use crate::{frame, results_table};

/// The page as HTML.
pub(crate) fn render(
    name: &str,
    settings: &Resolved,
    last: Option<&Record>,
    figures: &[Figure],
    results: &Results,
    history: &History,
) -> String {
    let mut page = frame::begin(name, &subtitle(settings, last));
    frame::push_facts(&mut page, brief(settings).iter().map(|(term, value)| (*term, value.as_str())));
    results_table::push(&mut page, results);
    page.push_str("<h2>Curves</h2>\n");
    if figures.is_empty() {
        page.push_str("<p class=\"small\">No records yet.</p>\n");
    } else {
        page.push_str("<div class=\"charts\">\n");
        for figure in figures {
            page.push_str(&figure.svg);
            page.push('\n');
        }
        page.push_str("</div>\n");
    }
    history::push(&mut page, settings, history);
    page.push_str("<details><summary>All settings</summary><table><tbody>\n");
    history::push_settings(&mut page, settings.describe().iter());
    page.push_str("</tbody></table></details>\n");
    let text = format!(
        "Lines show the mean of the records in each horizontal bin; bands show their minimum and maximum. Seed {}.",
        settings.seed
    );
    frame::end(&mut page, &text);
    page
}

fn subtitle(settings: &Resolved, last: Option<&Record>) -> String {
    let mut text = format!("preset {}", settings.preset_name());
    let Some(last) = last else { return text };
    let _ = write!(text, ", {}", counted(grouped(last.step), "step"));
    if let Some(images) = last.values.get(&general::IMAGES) {
        let _ = write!(text, ", {}", counted(grouped(images as u64), "image"));
    }
    if let Some(seconds) = last.values.get(&general::ELAPSED_S).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
    {
        let minutes = (seconds / 60.0).round() as u64;
        let _ = match minutes {
            0 => write!(text, ", {seconds:.0} s"),
            1..120 => write!(text, ", {minutes} min"),
            _ => write!(text, ", {} h {:02} min", minutes / 60, minutes % 60),
        };
    }
    text
}

fn brief(settings: &Resolved) -> Vec<(&'static str, String)> {
    let Resolved { epochs, data, model, moco, negatives, optimizer, compute, .. } = settings;
    let mochi = match (negatives.pairs, negatives.query_mixes) {
        (0, 0) => "none (MoCo)".to_owned(),
        (s, s2) => format!("({}, {s}, {s2})", negatives.hardest),
    };
    let mut brief = vec![
        ("Images", data.source.clone()),
        ("Views", format!("{} at {} px", data.augment, data.size)),
        ("Encoder", format!("{}, {} head", model.arch, model.head)),
        ("MoCHi (N, s, s′)", mochi),
        ("Queue K", grouped(moco.queue as u64)),
        ("Batch", format!("{} in {} batch-norm groups", moco.batch, moco.bn_groups)),
        ("Temperature", moco.temperature.to_string()),
        ("Key momentum", moco.momentum.to_string()),
        ("Epochs", epochs.to_string()),
        ("Learning rate", format!("{}, {}", optimizer.learning_rate, optimizer.schedule)),
        ("Optimizer", format!("{}, decay {}", optimizer.name, optimizer.weight_decay)),
        ("Compute", format!("{}, {}", compute.device, compute.precision)),
    ];
    brief.retain(|(_, value)| !value.is_empty());
    brief
}
