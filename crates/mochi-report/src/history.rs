//! How a run came about: the settings that differ from its preset, the commands and machines that trained it, and the images that it could not read.

use std::fmt::Write as _;
use std::path::Path;

use mochi_config::{Described, Origin};
use mochi_files::shell_word;
use mochi_run::Session;
use mochi_text::counted;

use crate::escape::Escaped;
use crate::settings::RunSettings;

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
    let _ =
        writeln!(page, "<details><summary>Settings that are not those of the preset {preset}</summary><table><tbody>");
    push_settings(page, lines.into_iter());
    page.push_str("</tbody></table></details>\n");
}

/// Rows of keys with values and origins.
pub(crate) fn push_settings<'a>(page: &mut String, lines: impl Iterator<Item = &'a Described>) {
    for line in lines {
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td><code>{}</code></td><td class=\"small\">{}</td></tr>",
            Escaped(line.key),
            Escaped(&line.value.to_string()),
            Escaped(&line.origin.to_string())
        );
    }
}

fn push_sessions(page: &mut String, sessions: &[Session]) {
    if sessions.is_empty() {
        return;
    }
    let _ = writeln!(page, "<details><summary>Commands and machines</summary><div class=\"wide\"><table><thead><tr>");
    for heading in ["started", "from step", "command", "processor", "threads", "system", "versions"] {
        let _ = write!(page, "<th>{heading}</th>");
    }
    page.push_str("</tr></thead><tbody>\n");
    for session in sessions {
        let words = session.command.iter().map(|word| shell_word(Path::new(word)).to_string());
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>Mochi {}, libtorch {}</td></tr>",
            Escaped(&session.started),
            session.from_step,
            Escaped(&words.collect::<Vec<_>>().join(" ")),
            Escaped(session.processor.as_deref().unwrap_or("unknown")),
            session.threads,
            Escaped(&session.system),
            Escaped(&session.version),
            Escaped(&session.libtorch)
        );
    }
    page.push_str("</tbody></table></div></details>\n");
}

fn push_bad_images(page: &mut String, bad: &[(String, String)]) {
    if bad.is_empty() {
        return;
    }
    let _ = writeln!(page, "<details><summary>{}</summary><table><tbody>", counted(bad.len(), "bad image"));
    for (name, reason) in bad.iter().take(NAMED) {
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td class=\"small\">{}</td></tr>",
            Escaped(name),
            Escaped(reason)
        );
    }
    page.push_str("</tbody></table>\n");
    if bad.len() > NAMED {
        let more = counted(bad.len() - NAMED, "more bad image");
        let _ = writeln!(page, "<p class=\"small\">{more} in bad-images.jsonl.</p>");
    }
    page.push_str("</details>\n");
}
