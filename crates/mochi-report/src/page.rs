//! The page: heading, settings in brief, judged results, curves, all settings.

use std::fmt::Write as _;

use mochi_config::Resolved;
use mochi_run::{CurveRecord, StepRecord};

use crate::chart::Chart;
use crate::escape::Escaped;
use crate::results::Results;
use crate::{curves, matching};

const STYLE: &str = include_str!("page.css");

/// The whole page as HTML.
pub(crate) fn render(
    name: &str,
    settings: &Resolved,
    records: &[StepRecord],
    matched: &[CurveRecord],
    results: &Results,
) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{name} - Mochi</title>\n<style>\n{STYLE}</style></head>\n<body>\n<header><h1>{name}</h1>\
         <p class=\"sub\">{sub}</p></header>\n",
        name = Escaped(name),
        sub = Escaped(&subtitle(settings, records.last()))
    );
    page.push_str("<dl>");
    for (term, value) in brief(settings) {
        let _ = write!(page, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(term), Escaped(&value));
    }
    page.push_str("</dl>\n");
    push_results(&mut page, results);
    let (learning, state) = curves::charts(records);
    let drawn = |charts: &[Chart]| charts.iter().filter_map(Chart::render).collect::<Vec<_>>();
    let charts = [drawn(&learning), matching::charts(matched), drawn(&state)].concat();
    if charts.is_empty() {
        page.push_str("<h2>Curves</h2>\n<p class=\"small\">Nothing has been measured yet.</p>\n");
    } else {
        page.push_str("<h2>Curves</h2>\n<div class=\"charts\">\n");
        for chart in charts {
            page.push_str(&chart);
            page.push('\n');
        }
        page.push_str("</div>\n");
    }
    page.push_str("<details><summary>All settings</summary><table><tbody>\n");
    for line in settings.describe() {
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td><code>{}</code></td><td class=\"small\">{}</td></tr>",
            Escaped(line.key),
            Escaped(&line.value),
            Escaped(&line.origin.to_string())
        );
    }
    page.push_str("</tbody></table></details>\n");
    let _ = writeln!(
        page,
        "<footer>Line: mean of the records under one column of the drawing; band: their range. Mochi {}, seed {}.</footer>\n\
         </body></html>",
        env!("CARGO_PKG_VERSION"),
        settings.seed
    );
    page
}

fn subtitle(settings: &Resolved, last: Option<&StepRecord>) -> String {
    let mut text = format!("preset {}", settings.preset_name());
    let Some(last) = last else { return text };
    let _ = write!(text, ", {} steps", grouped(last.step));
    if let Some(images) = last.images {
        let _ = write!(text, ", {} images", grouped(images));
    }
    if let Some(seconds) = last.elapsed_s.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
        let minutes = (seconds / 60.0).round() as u64;
        let _ = match minutes {
            0 => write!(text, ", {seconds:.0} s"),
            1..120 => write!(text, ", {minutes} min"),
            _ => write!(text, ", {} h {:02} min", minutes / 60, minutes % 60),
        };
    }
    text
}

/// Digits in groups of three, parted by thin spaces.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
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
        ("Batch", format!("{} in {} norm groups", moco.batch, moco.bn_groups)),
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

fn push_results(page: &mut String, results: &Results) {
    if results.judged.is_empty() && results.unread.is_empty() {
        return;
    }
    page.push_str("<h2>Judged</h2>\n");
    let (protocols, subjects) = (results.protocols(), results.subjects());
    if !protocols.is_empty() {
        page.push_str("<table class=\"judged\"><thead><tr><th>top-1, %</th>");
        for protocol in &protocols {
            let _ = write!(page, "<th>{}</th>", Escaped(protocol));
        }
        page.push_str("</tr></thead><tbody>\n");
        for of in &subjects {
            let _ = write!(page, "<tr><th>{}</th>", Escaped(of));
            for protocol in &protocols {
                let cell = results.find(protocol, of).map_or(String::new(), |judged| {
                    format!("<b>{:.2}</b> <span class=\"small\">{}</span>", judged.top1, Escaped(&judged.details))
                });
                let _ = write!(page, "<td>{cell}</td>");
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table>\n");
    }
    for unread in &results.unread {
        let _ = writeln!(page, "<p class=\"small\">Not shown: {}</p>", Escaped(unread));
    }
}
