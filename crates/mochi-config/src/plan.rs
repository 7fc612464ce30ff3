//! Plan files of commands that do several things (`mochi ablate`, `mochi eval all`): TOML whose problems are told with file, line, key, what was expected and what was
//! given. What a key means is the caller's concern.
//!
//! ```
//! use mochi_config::plan;
//!
//! let text = "seeds = [0, 1]\nhours = \"two\"\n";
//! let read = plan::read("plan.toml".as_ref(), text, "docs/guides/ablation.md", |table| {
//!     table.only(&["seeds", "hours"])?;
//!     Ok((table.wholes("seeds")?, table.number("hours")?))
//! });
//! assert_eq!(read.unwrap_err().to_string(), "plan.toml: line 2: invalid value for `hours`: expected a number, got \"two\"");
//! ```

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::error::{ConfigError, Problem};
use crate::nearest::nearest;

/// A problem of a plan file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct PlanError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, with the line where there is one.
    pub problem: String,
    /// What to write instead.
    pub hint: String,
}

/// A file, as problems name it.
#[derive(Clone, Copy, Debug)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    /// Where its keys are described.
    page: &'static str,
}

/// A table of a plan file: its values, and where they are.
#[derive(Clone, Copy, Debug)]
pub struct PlanTable<'a> {
    file: File<'a>,
    values: &'a Table,
    places: Option<&'a DeTable<'a>>,
    /// Line of its heading; 0 for the file itself.
    line: usize,
}

/// A place in a plan file, for problems that are found after it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: line {}", self.path.display(), self.line)
    }
}

/// Reads the text of a plan file, whose keys `page` describes.
///
/// # Errors
/// Text that is not TOML, and what `read` returns.
pub fn read<T>(
    path: &Path,
    text: &str,
    page: &'static str,
    read: impl FnOnce(&PlanTable) -> Result<T, PlanError>,
) -> Result<T, PlanError> {
    let file = File { path, text, page };
    let invalid = |error: toml::de::Error| {
        let line = error.span().map_or(0, |span| file.line(span.start));
        file.problem(line, &format!("invalid TOML: {}", error.message()), &format!("{page} describes the plan file"))
    };
    let places = DeTable::parse(text).map_err(invalid)?;
    let values: Table = toml::from_str(text).map_err(invalid)?;
    read(&PlanTable { file, values: &values, places: Some(places.get_ref()), line: 0 })
}

impl File<'_> {
    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        self.text.as_bytes().iter().take(byte).filter(|&&byte| byte == b'\n').count() + 1
    }

    fn problem(&self, line: usize, message: &str, hint: &str) -> PlanError {
        let problem = if line == 0 { message.to_owned() } else { format!("line {line}: {message}") };
        PlanError { path: self.path.to_owned(), problem, hint: hint.to_owned() }
    }
}

impl<'a> PlanTable<'a> {
    /// Refuses keys other than these.
    ///
    /// # Errors
    /// The first unknown key, with the most similar one.
    pub fn only(&self, known: &'static [&'static str]) -> Result<(), PlanError> {
        let Some(key) = self.values.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}; {} describes them", known.join(", "), self.file.page),
        };
        Err(self.problem(Some(key), &format!("unknown key `{key}`"), &hint))
    }

    /// A problem of a key, or of the table.
    pub fn problem(&self, key: Option<&str>, message: &str, hint: &str) -> PlanError {
        self.file.problem(key.map_or(self.line, |key| self.line_of(key)), message, hint)
    }

    /// Where a key is, or the table.
    pub fn place(&self, key: Option<&str>) -> Place {
        let line = key.map_or(self.line, |key| self.line_of(key));
        Place { path: self.file.path.to_owned(), line: line.max(1) }
    }

    /// The lines on which the values of a list begin.
    pub fn lines_of_values(&self, key: &str) -> Vec<usize> {
        let values = self.entry(key).and_then(|(_, value)| value.get_ref().as_array());
        values.into_iter().flat_map(|values| values.iter()).map(|value| self.file.line(value.span().start)).collect()
    }

    /// The first problem of settings in this table at its line.
    pub fn settings_problem(&self, error: &ConfigError) -> PlanError {
        let key = error.problems().first().and_then(Problem::key).unwrap_or_default();
        let (section, field) = key.split_once('.').unwrap_or((key, ""));
        let table = self.table(section).ok().flatten();
        let line = match table {
            Some(table) if !field.is_empty() => table.line_of(field),
            _ => self.line_of(section),
        };
        let hint = error.hint().unwrap_or_else(|| format!("{} describes the plan file", self.file.page));
        self.file.problem(line, &error.to_string(), &hint)
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// A missing key.
    pub fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, PlanError> {
        let hint = || format!("add it; {} describes the plan file", self.file.page);
        value.ok_or_else(|| self.problem(None, &format!("missing key `{key}`"), &hint()))
    }

    /// Text.
    ///
    /// # Errors
    /// A value of another type; so do the next ones.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, PlanError> {
        self.value(key, "text in quotes", Value::as_str)
    }

    /// A list of texts.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>, PlanError> {
        self.value(key, "a list of texts, such as [\"a\", \"b\"]", |value| {
            value.as_array()?.iter().map(Value::as_str).collect()
        })
    }

    /// A whole number from 0.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn whole(&self, key: &str) -> Result<Option<u64>, PlanError> {
        self.value(key, "a whole number from 0", whole)
    }

    /// A list of whole numbers from 0.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn wholes(&self, key: &str) -> Result<Option<Vec<u64>>, PlanError> {
        self.value(key, "a list of whole numbers from 0, such as [0, 1, 2]", |value| {
            value.as_array()?.iter().map(whole).collect()
        })
    }

    /// A number.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn number(&self, key: &str) -> Result<Option<f64>, PlanError> {
        self.value(key, "a number", |value| value.as_float().or(value.as_integer().map(|n| n as f64)))
    }

    /// A list of any values.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn list(&self, key: &str) -> Result<Option<&'a [Value]>, PlanError> {
        self.value(key, "a list", |value| value.as_array().map(Vec::as_slice))
    }

    /// A table with any keys, whose problems are somebody else's.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn values(&self, key: &str) -> Result<Option<&'a Table>, PlanError> {
        self.value(key, &format!("keys under [{key}]"), Value::as_table)
    }

    /// A table.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn table(&self, key: &str) -> Result<Option<PlanTable<'a>>, PlanError> {
        let Some(values) = self.values(key)? else { return Ok(None) };
        let places = self.entry(key).and_then(|(_, value)| value.get_ref().as_table());
        Ok(Some(PlanTable { file: self.file, values, places, line: self.line_of(key) }))
    }

    /// Tables of one name; none if there is none.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn tables(&self, key: &str) -> Result<Vec<PlanTable<'a>>, PlanError> {
        let all = self.value(key, &format!("tables under [[{key}]]"), |value| {
            value.as_array()?.iter().map(Value::as_table).collect::<Option<Vec<_>>>()
        })?;
        let places: Vec<&'a Spanned<DeValue<'a>>> = self
            .entry(key)
            .and_then(|(_, value)| value.get_ref().as_array())
            .map(|array| array.iter().collect())
            .unwrap_or_default();
        let table = |(number, values): (usize, &'a Table)| {
            let place: Option<&'a Spanned<DeValue<'a>>> = places.get(number).copied();
            PlanTable {
                file: self.file,
                values,
                places: place.and_then(|place| place.get_ref().as_table()),
                line: place.map_or(self.line, |place| self.file.line(place.span().start)),
            }
        };
        Ok(all.unwrap_or_default().into_iter().enumerate().map(table).collect())
    }

    fn value<T>(
        &self,
        key: &str,
        expected: &str,
        of: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, PlanError> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        let wrong = || {
            let message = format!("invalid value for `{key}`: expected {expected}, got {}", brief(value));
            self.problem(Some(key), &message, &format!("{} describes the plan file", self.file.page))
        };
        of(value).map(Some).ok_or_else(wrong)
    }

    fn entry(&self, key: &str) -> Option<(&'a Spanned<toml::de::DeString<'a>>, &'a Spanned<DeValue<'a>>)> {
        self.places?.iter().find(|(name, _)| name.get_ref() == key)
    }

    fn line_of(&self, key: &str) -> usize {
        self.entry(key).map_or(self.line, |(name, _)| self.file.line(name.span().start))
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok())
}

/// A value as it is written, if it is short.
fn brief(value: &Value) -> String {
    match value {
        Value::Table(_) => "a table".to_owned(),
        value => match value.to_string() {
            long if long.chars().count() > 60 => format!("{}...", long.chars().take(57).collect::<String>()),
            short => short,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "docs/guides/ablation.md";

    fn refused(text: &str) -> PlanError {
        let read = |table: &PlanTable| {
            table.only(&["seeds", "name", "data", "axis", "base"])?;
            table.wholes("seeds")?;
            table.text("name")?;
            table.values("base")?;
            let data = table.required("data", table.table("data")?)?;
            data.only(&["train"])?;
            data.required("train", data.text("train")?)?;
            for axis in table.tables("axis")? {
                axis.only(&["key", "values"])?;
                axis.required("values", axis.list("values")?)?;
            }
            Ok(())
        };
        super::read("plan.toml".as_ref(), text, PAGE, read).unwrap_err()
    }

    #[test]
    fn problems_have_line_key_expectation_and_value() {
        let data = "[data]\ntrain = \"a\"\n";
        for (text, wanted) in [
            (
                "seeds = [0, -1]\n",
                "line 1: invalid value for `seeds`: expected a list of whole numbers from 0, such as [0, 1, 2], got [0, -1]",
            ),
            ("\nname = 3\n", "line 2: invalid value for `name`: expected text in quotes, got 3"),
            ("seeds = [1]\nbase = 3\n", "line 2: invalid value for `base`: expected keys under [base], got 3"),
            ("seds = 3\n", "line 1: unknown key `seds`"),
            ("seeds = [1]\n", "missing key `data`"),
            ("seeds = [1]\n[data]\n", "line 2: missing key `train`"),
            ("[data]\ntrain = \"a\"\nx = 1\n", "line 3: unknown key `x`"),
            (&format!("{data}[[axis]]\nvalues = [1]\n[[axis]]\nkey = \"a\"\n"), "line 5: missing key `values`"),
            (
                &format!("{data}[axis]\nvalues = [1]\n"),
                "line 3: invalid value for `axis`: expected tables under [[axis]], got a table",
            ),
        ] {
            assert_eq!(refused(text).problem, wanted);
            assert!(refused(text).to_string().starts_with("plan.toml: "));
        }
        assert_eq!(refused("seds = 3\n").hint, "did you mean `seeds`?");
        assert_eq!(
            refused("[data]\ntrain = \"a\"\nx = 1\n").hint,
            "the keys here are train; docs/guides/ablation.md describes them"
        );
        let syntax = refused("seeds = [1\n[data]\n").problem;
        assert!(syntax.starts_with("line ") && syntax.contains(": invalid TOML: "), "{syntax}");
    }
}
