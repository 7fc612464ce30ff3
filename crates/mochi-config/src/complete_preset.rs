//! The file of a preset with the keys that it inherits.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::Table;

use crate::layers::Layers;
use crate::origin::Origin;
use crate::presets::Preset;
use crate::schema::Schema;

impl Preset {
    /// Its file with every other key of the task, each marked with the preset that it is inherited from, and with the sources of that preset. As a
    /// settings file it gives the preset's settings.
    pub fn complete_text(&self, schema: &'static Schema) -> String {
        let bases: Vec<_> = std::iter::successors(self.base(schema), |preset| preset.base(schema)).collect();
        if bases.is_empty() {
            return self.text.to_owned();
        }
        let bases: Vec<_> = bases.into_iter().map(|preset| (preset.name, parts(preset.text))).collect();
        let mut inherited = self.inherited(schema, &bases);
        let mut sources = String::from("# Sources of the inherited values\n");
        for (name, parts) in &bases {
            let _ = writeln!(sources, "#\n# {name}:");
            for part in parts.iter().filter(|part| !part.above.is_empty()) {
                match part.section {
                    "" => {}
                    section if inherited.contains_key(section) => {
                        let _ = writeln!(sources, "# {name}, [{section}]:");
                    }
                    _ => continue,
                }
                sources.extend(part.above.iter().flat_map(|line| [*line, "\n"]));
            }
        }

        let mut text = String::new();
        for part in parts(self.text) {
            let own = part.above.iter().chain(&part.title).chain(&part.lines);
            text.extend(own.flat_map(|line| [*line, "\n"]));
            let _ = writeln!(text, "{}", inherited.remove(part.section).unwrap_or_default());
        }
        for key in schema.keys() {
            let section = key.section();
            if let Some(lines) = inherited.remove(section) {
                let _ = writeln!(text, "[{section}]\n{lines}");
            }
        }
        text + &sources
    }

    /// The preset that it extends.
    fn base(&self, schema: &'static Schema) -> Option<&'static Preset> {
        let table = self.text.parse::<Table>().ok()?;
        schema.preset(table.get("extends")?.as_str()?)
    }

    /// The lines of the keys that it does not set, by section: the comments above the key in the preset that sets it, and the key.
    fn inherited(&self, schema: &'static Schema, bases: &[(&str, Vec<Part<'_>>)]) -> BTreeMap<&'static str, String> {
        let mut layers = Layers::new(schema);
        layers.preset(self.name, Origin::Preset(self.name.to_owned()));
        let mut inherited = BTreeMap::<_, String>::new();
        for key in schema.keys() {
            let Some((value, Origin::Preset(from))) = layers.values.get(key.name) else { continue };
            if from == self.name {
                continue;
            }
            let (section, field) = (key.section(), key.field());
            let lines = inherited.entry(section).or_default();
            let parts = bases.iter().filter(|(name, _)| name == from).flat_map(|(_, parts)| parts);
            for part in parts.filter(|part| part.section == section) {
                lines.extend(part.remarks(field).iter().flat_map(|line| [*line, "\n"]));
            }
            let _ = writeln!(lines, "{field} = {value}  # from {from}");
        }
        inherited
    }
}

/// A section of a preset's file, or the keys before the first one.
#[derive(Default)]
struct Part<'a> {
    /// Its name, empty before the first section.
    section: &'a str,
    /// The comments above its title; those at the start of the file if it has none.
    above: Vec<&'a str>,
    /// The line with its name.
    title: Option<&'a str>,
    /// Its keys with their comments, up to the last key.
    lines: Vec<&'a str>,
}

impl<'a> Part<'a> {
    /// The comments directly above a key.
    fn remarks(&self, field: &str) -> &[&'a str] {
        let is_key = |line: &&str| line.strip_prefix(field).is_some_and(|rest| rest.starts_with(" = "));
        let before = self.lines.iter().position(is_key).and_then(|at| self.lines.get(..at)).unwrap_or_default();
        let start = before.iter().rposition(|line| !line.starts_with('#')).map_or(0, |at| at + 1);
        before.get(start..).unwrap_or_default()
    }
}

/// The sections of a preset's file, in order.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut part = Part::default();
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let start = part.lines.iter().rposition(|line| !line.starts_with('#')).map_or(0, |at| at + 1);
            let above = part.lines.split_off(start);
            parts.push(std::mem::replace(&mut part, Part { section, above, title: Some(line), lines: Vec::new() }));
        } else if part.title.is_none() && part.lines.is_empty() && line.starts_with('#') {
            part.above.push(line);
        } else {
            part.lines.push(line);
        }
    }
    parts.push(part);
    for part in &mut parts {
        while part.lines.pop_if(|line| line.is_empty()).is_some() {}
    }
    parts
}
