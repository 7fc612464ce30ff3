//! Reads settings in layers, and the `config.toml` of runs, as the typed settings of a task.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::choice::Task;
use crate::document;
use crate::error::{ConfigError, Problem};
use crate::layers::{self, Layers};
use crate::origin::{Origin, Origins};
use crate::schema::Schema;

/// Typed settings, and what is known of them.
pub(crate) struct Loaded<T> {
    pub(crate) settings: T,
    /// Name of the preset of the first layer.
    pub(crate) preset: String,
    /// Whether the file is a run's `config.toml`.
    pub(crate) of_run: bool,
    pub(crate) origins: Origins,
}

/// Combines the layers: the preset, then the file, then the `KEY=VALUE` arguments. Later layers override earlier ones.
pub(crate) fn load<T: DeserializeOwned>(
    schema: &'static Schema,
    preset: Option<&str>,
    file: Option<&Path>,
    arguments: &[String],
) -> Result<Loaded<T>, ConfigError> {
    let arguments: Vec<_> = arguments.iter().map(|word| (word.clone(), Origin::CommandLine)).collect();
    let text = file.map(|path| document::read(path).map(|text| (path, text))).transpose();
    match text {
        Ok(text) => combine(schema, preset, text, &arguments),
        // The problems of the other layers are told too.
        Err(problem) => {
            let others = combine::<T>(schema, preset, None, &arguments).err();
            Err(ConfigError::first(schema, problem, others))
        }
    }
}

/// As [`load`] with the text of the file, and with the origin of each argument.
pub(crate) fn combine<T: DeserializeOwned>(
    schema: &'static Schema,
    preset: Option<&str>,
    file: Option<(&Path, String)>,
    arguments: &[(String, Origin)],
) -> Result<Loaded<T>, ConfigError> {
    let mut layers = Layers::new(schema);
    let mut base = preset.map(|name| (name.to_owned(), Origin::CommandLine));
    let (mut document, mut of_run) = (None, false);
    if let Some((path, text)) = file {
        let origin = Origin::File(path.to_owned());
        if let Some(mut table) = layers.parse(&text, &origin)
            && layers.take_task(&mut table, &origin)
        {
            document = Some((table, origin));
        }
    }
    if let Some((table, origin)) = &mut document {
        // Only a run's `config.toml` has a format number.
        let format = layers.take_format(table, origin);
        of_run = format.is_some();
        if let (true, Some(name)) = (of_run, preset) {
            layers.problems.push(Problem::Conflict {
                message: format!(
                    "--preset {name} has no effect: {origin} is a run's config.toml, which sets every key"
                ),
                hint: "leave --preset out; KEY=VALUE changes single keys".to_owned(),
            });
        }
        if let Some(name) = layers.take_extends(table, origin) {
            base = base.or(Some((name, origin.clone())));
        }
        if format == Some(false) {
            document = None;
        }
    }
    let (preset, origin) = base.unwrap_or((schema.default_preset.to_owned(), Origin::CommandLine));
    layers.preset(&preset, origin);
    if let Some((table, origin)) = document {
        layers.table(table, &origin);
    }
    for (word, origin) in arguments {
        layers.argument(word, origin);
    }
    let origin = Origin::Preset(preset.clone());
    if layers.problems.is_empty() {
        layers.require_all(&origin);
    }
    ConfigError::unless_empty(schema, std::mem::take(&mut layers.problems))?;
    let settings = document::typed(&layers, &origin)?;
    let origins = layers.values.into_iter().map(|(key, (_, origin))| (key, origin)).collect();
    Ok(Loaded { settings, preset, of_run, origins })
}

/// Reads the text of a run's `config.toml`, whose values are all resolved.
pub(crate) fn parse<T: DeserializeOwned>(
    schema: &'static Schema,
    text: &str,
    path: &Path,
) -> Result<Loaded<T>, ConfigError> {
    let origin = Origin::File(path.to_owned());
    let mut layers = Layers::new(schema);
    let mut preset = String::new();
    if let Some(mut table) = layers.parse(text, &origin)
        && layers.take_task(&mut table, &origin)
    {
        match layers.take_format(&mut table, &origin) {
            Some(true) => {}
            // Each of its keys could be missing or unknown.
            Some(false) => ConfigError::unless_empty(schema, std::mem::take(&mut layers.problems))?,
            None => layers.problems.push(Problem::Missing { key: "format", origin: origin.clone() }),
        }
        preset = layers.take_extends(&mut table, &origin).unwrap_or_default();
        layers.table(table, &origin);
        for (&name, (value, _)) in &layers.values {
            if let Some(key) = schema.key(name)
                && key.auto
                && value.as_str() == Some("auto")
            {
                let (found, expected) = ("\"auto\"".to_owned(), key.kind.to_string());
                layers.problems.push(Problem::WrongType { key: key.name, found, expected, origin: origin.clone() });
            }
        }
        layers.require_all(&origin);
    }
    ConfigError::unless_empty(schema, std::mem::take(&mut layers.problems))?;
    let settings = document::typed(&layers, &origin)?;
    Ok(Loaded { settings, preset, of_run: true, origins: document::origins(schema, text) })
}

impl Task {
    /// The task of a run by the text of its `config.toml`. `path` is used in messages. The keys are not read.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown task, and a settings file that names neither a task nor a format.
    pub fn parse(text: &str, path: &Path) -> Result<Task, ConfigError> {
        let origin = Origin::File(path.to_owned());
        let table = layers::parse(text, &origin)?;
        layers::task(&table, &origin)?.ok_or_else(|| Problem::Missing { key: "format", origin }.into())
    }

    /// The task of a run by its `config.toml`.
    ///
    /// # Errors
    /// A file that cannot be read, and as [`Task::parse`].
    pub fn read(path: &Path) -> Result<Task, ConfigError> {
        Task::parse(&document::read(path)?, path)
    }
}
