//! How a run came about: the settings that differ from its preset, the commands and machines that trained it, and the images that it could not read.

use std::fmt::Write as _;
use std::path::Path;

use mochi_config::{Described, Origin};
use mochi_figures::Escaped;
use mochi_files::shell_word;
use mochi_run::Session;
use mochi_text::counted;

use crate::settings::RunSettings;
use crate::table;

/// Most bad images that a page names.
const NAMED: usize = 50;

/// What the run folder holds besides settings and records.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    pub(crate) sessions: Vec<Session>,
    /// Name and reason.
    pub(crate) bad_images: Vec<(String, String)>,
}

/// Adds the sections; what there is nothing of is left out.
pub(crate) fn push(page: &mut String, settings: &RunSettings, history: &History) {
    push_differences(page, settings);
    push_sessions(page, &history.sessions);
    push_bad_images(page, &history.bad_images);
}

fn push_differences(page: &mut String, settings: &RunSettings) {
    let from_preset = |origin: &Origin| match origin {
        Origin::Preset(_) => true,
        // What a run's config.toml says of an origin.
        Origin::Run(remark) => remark.starts_with("preset "),
        _ => false,
    };
    let lines: Vec<_> = settings.lines.iter().filter(|line| !from_preset(&line.origin)).collect();
    if lines.is_empty() {
        return;
    }
    let preset = Escaped(&settings.preset).to_string();
    let _ = writeln!(page, "<details><summary>Settings that are not those of the preset {preset}</summary>");
    push_settings(page, lines.into_iter());
    page.push_str("</details>\n");
}

/// A table of keys with values and origins.
pub(crate) fn push_settings<'a>(page: &mut String, lines: impl Iterator<Item = &'a Described>) {
    let rows = lines.map(|line| {
        let origin = format!("<span class=\"small\">{}</span>", Escaped(&line.origin.to_string()));
        vec![table::code(line.key), table::code(&line.value.to_string()), origin]
    });
    table::push(page, &["", "value", "from"], rows);
}

fn push_sessions(page: &mut String, sessions: &[Session]) {
    if sessions.is_empty() {
        return;
    }
    let head = ["started", "from step", "command", "processor", "threads", "system", "versions"];
    let rows = sessions.iter().map(|session| {
        let words = session.command.iter().map(|word| shell_word(Path::new(word)).to_string());
        vec![
            table::text(&session.started),
            session.from_step.to_string(),
            table::code(&words.collect::<Vec<_>>().join(" ")),
            table::text(session.processor.as_deref().unwrap_or("unknown")),
            session.threads.to_string(),
            table::text(&session.system),
            table::text(&format!("Mochi {}, libtorch {}", session.version, session.libtorch)),
        ]
    });
    page.push_str("<details><summary>Commands and machines</summary>");
    table::push(page, &head, rows);
    page.push_str("</details>\n");
}

fn push_bad_images(page: &mut String, bad: &[(String, String)]) {
    if bad.is_empty() {
        return;
    }
    let _ = writeln!(page, "<details><summary>{}</summary>", counted(bad.len(), "bad image"));
    let rows = bad.iter().take(NAMED).map(|(name, reason)| vec![table::code(name), table::text(reason)]);
    table::push(page, &["", "reason"], rows);
    if bad.len() > NAMED {
        let more = counted(bad.len() - NAMED, "more bad image");
        let _ = writeln!(page, "<p class=\"small\">{more} in bad-images.jsonl.</p>");
    }
    page.push_str("</details>\n");
}
