//! The plan file of an ablation study.
//!
//! ```toml
//! seeds = [0, 1, 2]                  # each variant is trained once per seed
//! evaluate = ["knn", "linear"]
//!
//! [data]
//! images = "photos/train"            # relative to the plan
//! train = "photos/train"             # labeled images, for the evaluation
//! test = "photos/test"
//!
//! [base]                             # settings of every run, as in a settings file
//! extends = "small-mochi"
//! epochs = 10
//!
//! [[axis]]                           # the first value of each axis is the baseline
//! key = "moco.temperature"
//! values = [0.2, 0.1]
//!
//! [[axis]]                           # an axis of several keys
//! name = "negatives"
//! values = [
//!     { name = "MoCo v2", negatives.pairs = 0, negatives.query_mixes = 0 },
//!     { name = "MoCHi (1024, 512, 256)", negatives.pairs = 512, negatives.query_mixes = 256 },
//! ]
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mochi_config::plan::{self, Place, PlanError, PlanTable};
use mochi_config::{Settings, detection};
use mochi_files::read_capped;
use mochi_run::Protocol;
use toml::{Table, Value};

use crate::error::AblateError;
use crate::name::slug;

/// Largest plan file in bytes.
const LIMIT: u64 = 1 << 20;

/// Which combinations of the axes' values are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// Every combination.
    Grid,
    /// The baseline, and each other value of each axis with the other axes at their first value.
    OneAtATime,
}

/// Where the keys of a plan are described.
const PAGE: &str = "docs/guides/ablation.md";

/// One axis: what varies, and its values; the first is the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Heading of its column.
    pub name: String,
    /// The key that its values are of; `None` for values that set several keys and have names.
    pub key: Option<String>,
    /// The values.
    pub values: Vec<AxisValue>,
}

impl Axis {
    /// Its name, or the last part of its key, for figures.
    pub fn title(&self) -> &str {
        match &self.key {
            Some(key) if *key == self.name => key.rsplit('.').next().unwrap_or(key),
            _ => &self.name,
        }
    }
}

/// One value of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxisValue {
    /// How the table calls it.
    pub label: String,
    /// `KEY=VALUE` arguments that it stands for.
    pub settings: Vec<String>,
    /// Line of the plan on which they are.
    pub line: usize,
}

/// A plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The file that it was read from.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Name of the study.
    pub name: String,
    /// Which combinations are trained.
    pub design: Design,
    /// Seeds of every variant, without repetition.
    pub seeds: Vec<u64>,
    /// Line of the seeds.
    pub seeds_line: usize,
    /// Protocols, the first of which decides.
    pub evaluate: Vec<Protocol>,
    /// Time in hours after which no further cell is started.
    pub hours: Option<f64>,
    /// Images to train on.
    pub images: PathBuf,
    /// The same as the plan has it.
    pub images_as_written: String,
    /// Labeled images for the evaluation: training and test.
    pub labeled: [PathBuf; 2],
    /// Where the plan names the images to train on, and the labeled ones.
    pub places: [Place; 3],
    /// Settings of every run, as a settings file.
    pub base: String,
    /// What varies.
    pub axes: Vec<Axis>,
    /// The detector that is trained from each cell's encoder, if a protocol needs one.
    pub detection: Option<DetectionPlan>,
}

/// The detector that is trained from a cell's encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionPlan {
    /// Images with objects.
    pub images: PathBuf,
    /// The same as the plan has it.
    pub images_as_written: String,
    /// Its settings, as a settings file.
    pub settings: String,
    /// Where the plan names the images.
    pub place: Place,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`AblateError::File`], [`AblateError::Plan`]. Values of settings are checked by [`Cells::of`](crate::Cells::of).
    pub fn read(path: &Path) -> Result<Plan, AblateError> {
        let bytes = read_capped(path, LIMIT)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| problem(path)("it is not UTF-8 text".to_owned(), "write the plan in a text editor"))?;
        Plan::parse(path, text)
    }

    /// A variant by the labels of its values: "temperature = 0.2, MoCo v2".
    pub fn described(&self, labels: &[String]) -> String {
        let one = |(axis, label): (&Axis, &String)| match axis.key {
            Some(_) => format!("{} = {label}", axis.title()),
            None => label.clone(),
        };
        self.axes.iter().zip(labels).map(one).collect::<Vec<_>>().join(", ")
    }

    /// `runs/NAME`: the folder of the study if no other is chosen.
    pub fn default_folder(&self) -> PathBuf {
        Path::new("runs").join(slug(&self.name))
    }

    fn parse(path: &Path, text: String) -> Result<Plan, AblateError> {
        Ok(plan::read(path, &text, PAGE, |file| Plan::of(path, &text, file))?)
    }

    fn of(path: &Path, text: &str, file: &PlanTable) -> Result<Plan, PlanError> {
        file.only(&["name", "design", "seeds", "evaluate", "hours", "data", "base", "axis", "detection"])?;
        let design = match file.text("design")? {
            None | Some("grid") => Design::Grid,
            Some("one-at-a-time") => Design::OneAtATime,
            Some(other) => {
                let message =
                    format!("invalid value for `design`: expected \"grid\" or \"one-at-a-time\", got \"{other}\"");
                return Err(file.problem(Some("design"), &message, "leave it out for the grid of all combinations"));
            }
        };
        let seeds = file.wholes("seeds")?.unwrap_or_else(|| vec![0]);
        let unique: BTreeSet<u64> = seeds.iter().copied().collect();
        if unique.len() != seeds.len() || seeds.is_empty() {
            let message = "`seeds` must name at least one seed, each once";
            return Err(file.problem(Some("seeds"), message, "write e.g. seeds = [0, 1, 2]"));
        }
        let hours = file.number("hours")?;
        if let Some(hours) = hours.filter(|hours| !(hours.is_finite() && *hours > 0.0)) {
            let message = format!("`hours` must be a number above 0, got {hours}");
            return Err(file.problem(Some("hours"), &message, "write e.g. hours = 8"));
        }
        let data = file.required("data", file.table("data")?)?;
        data.only(&["images", "train", "test"])?;
        let [images, train, test] = ["images", "train", "test"].map(|key| data.required(key, data.text(key)?));
        let (images, train, test) = (images?, train?, test?);
        let places = ["images", "train", "test"].map(|key| data.place(Some(key)));
        let base = file.values("base")?.cloned().unwrap_or_default();
        if base.contains_key("seed") {
            let message = "`seed` in [base] has no effect";
            return Err(file.problem(Some("base"), message, "list the seeds at the top: seeds = [0, 1, 2]"));
        }
        let axes = file.tables("axis")?.iter().map(axis_of).collect::<Result<Vec<_>, _>>()?;
        if axes.is_empty() {
            return Err(file.problem(None, "it has no axis", "add [[axis]] with a key and its values"));
        }
        let names: BTreeSet<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
        if names.len() != axes.len() {
            return Err(file.problem(None, "two axes have one name", "give each axis its own `name`"));
        }
        let stem = || path.file_stem().map_or_else(|| "study".to_owned(), |stem| stem.to_string_lossy().into_owned());
        // Absolute, so that results tell what they were computed on, from whichever folder.
        let beside = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let beside = beside.parent().unwrap_or(Path::new("/")).to_owned();
        let place = |text: &str| {
            let whole = beside.join(text);
            if text.contains("://") { PathBuf::from(text) } else { whole.canonicalize().unwrap_or(whole) }
        };
        let base = toml::to_string(&base).map_err(|error| {
            file.problem(Some("base"), &format!("[base]: {error}"), "write settings as in a settings file")
        })?;
        if let Some(table) = file.table("base")? {
            let loaded = Settings::load_text(Path::new("[base]"), base.clone(), &[]);
            loaded.map_err(|error| table.settings_problem(&error))?;
        }
        let evaluate = protocols(file)?;
        let detection = detection_of(file, &place)?;
        if let (Some(protocol), None) =
            (evaluate.iter().find(|protocol| protocol.detection_metric().is_some()), &detection)
        {
            let message = format!("\"{}\" needs a detector, and there is no [detection]", protocol.name());
            let hint = "add [detection] with `images`, a folder as of `mochi detect train --data`";
            return Err(file.problem(Some("evaluate"), &message, hint));
        }
        Ok(Plan {
            path: path.to_owned(),
            name: file.text("name")?.map_or_else(stem, str::to_owned),
            design,
            seeds,
            seeds_line: file.place(Some("seeds")).line,
            evaluate,
            hours,
            images: place(images),
            images_as_written: images.to_owned(),
            labeled: [place(train), place(test)],
            places,
            base,
            axes,
            detection,
            text: text.to_owned(),
        })
    }
}

/// `[detection]`: `images`, and settings of detection.
fn detection_of(file: &PlanTable, place: &impl Fn(&str) -> PathBuf) -> Result<Option<DetectionPlan>, PlanError> {
    let (Some(table), Some(values)) = (file.table("detection")?, file.values("detection")?) else { return Ok(None) };
    let images = table.required("images", table.text("images")?)?;
    let settings: Table =
        values.iter().filter(|(key, _)| *key != "images").map(|(key, value)| (key.clone(), value.clone())).collect();
    if settings.contains_key("seed") {
        let hint = "list the seeds at the top: seeds = [0, 1, 2]";
        return Err(table.problem(Some("seed"), "`seed` in [detection] has no effect", hint));
    }
    let settings = toml::to_string(&settings).map_err(|error| {
        table.problem(None, &format!("[detection]: {error}"), "write settings as in a settings file of detection")
    })?;
    let loaded = detection::Settings::load_text(Path::new("[detection]"), settings.clone());
    loaded.map_err(|error| table.settings_problem(&error))?;
    let (place, images, images_as_written) = (table.place(Some("images")), place(images), images.to_owned());
    Ok(Some(DetectionPlan { images, images_as_written, settings, place }))
}

/// The protocols of `evaluate`, each once.
fn protocols(file: &PlanTable) -> Result<Vec<Protocol>, PlanError> {
    let Some(names) = file.texts("evaluate")? else { return Ok(Protocol::DEFAULT.to_vec()) };
    let mut all = Vec::new();
    for name in names {
        let unknown = || {
            let hint = format!("the protocols are {}", Protocol::names());
            file.problem(Some("evaluate"), &format!("unknown protocol \"{name}\" in `evaluate`"), &hint)
        };
        let protocol = Protocol::find(name).ok_or_else(unknown)?;
        if !all.contains(&protocol) {
            all.push(protocol);
        }
    }
    if all.is_empty() {
        let hint = "write e.g. evaluate = [\"knn\", \"linear\"]";
        return Err(file.problem(Some("evaluate"), "`evaluate` names no protocol", hint));
    }
    Ok(all)
}

fn problem(path: &Path) -> impl Fn(String, &str) -> AblateError {
    move |problem, hint| AblateError::Plan { plan: path.to_owned(), problem, hint: hint.to_owned() }
}

fn axis_of(axis: &PlanTable) -> Result<Axis, PlanError> {
    axis.only(&["key", "name", "values"])?;
    let key = axis.text("key")?;
    let Some(name) = axis.text("name")?.or(key) else {
        let hint = "add the key that varies: key = \"moco.queue\"";
        return Err(axis.problem(None, "an axis has neither `key` nor `name`", hint));
    };
    let wrong = |message: String, hint: &str| axis.problem(Some("values"), &message, hint);
    let values = axis.required("values", axis.list("values")?)?;
    if values.is_empty() {
        return Err(wrong(format!("the axis \"{name}\" has no values"), "write e.g. values = [0.2, 0.1]"));
    }
    if key == Some("seed") {
        return Err(axis.problem(Some("key"), "`seed` is no axis", "list the seeds with seeds = [0, 1, 2]"));
    }
    let of_key = axis.place(Some("key")).line;
    let lines = axis.lines_of_values("values").into_iter().map(Some).chain(std::iter::repeat(None));
    let values = values.iter().zip(lines).map(|(value, line)| match (key, value) {
        (Some(key), value) => {
            let text = written(value);
            let label = value.as_str().map_or_else(|| text.clone(), str::to_owned);
            Ok(AxisValue { label, settings: vec![format!("{key}={text}")], line: of_key })
        }
        (None, Value::Table(table)) => {
            let mut table = table.clone();
            let Some(label) = table.remove("name").and_then(|name| name.as_str().map(str::to_owned)) else {
                return Err(wrong(
                    format!("a value of the axis \"{name}\" has no name"),
                    "write e.g. { name = \"MoCo v2\", negatives.pairs = 0 }",
                ));
            };
            Ok(AxisValue { label, settings: assignments(&table), line: line.unwrap_or(of_key) })
        }
        (None, value) => Err(wrong(
            format!("the axis \"{name}\" has no `key`, so its values must be tables, got {}", written(value)),
            "add the key that varies, or write e.g. { name = \"MoCo v2\", negatives.pairs = 0 }",
        )),
    });
    let values: Vec<AxisValue> = values.collect::<Result<_, _>>()?;
    let labels: BTreeSet<&str> = values.iter().map(|value| value.label.as_str()).collect();
    if labels.len() != values.len() {
        return Err(wrong(format!("two values of the axis \"{name}\" have one name"), "give each value its own name"));
    }
    Ok(Axis { values, name: name.to_owned(), key: key.map(str::to_owned) })
}

/// A value as it is written on the command line and in a settings file.
fn written(value: &Value) -> String {
    value.to_string().trim().to_owned()
}

/// `KEY=VALUE` of a table; sections are joined with dots.
fn assignments(table: &Table) -> Vec<String> {
    let mut all = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(section) => all.extend(assignments(section).into_iter().map(|one| format!("{key}.{one}"))),
            value => all.push(format!("{key}={}", written(value))),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = "[data]\nimages = \"a\"\ntrain = \"/b\"\ntest = \"s3://c\"\n";

    fn parse(text: &str) -> Result<Plan, AblateError> {
        Plan::parse(Path::new("plans/queue.toml"), text.to_owned())
    }

    #[test]
    fn a_plan_has_defaults_and_paths_relative_to_itself() {
        let plan = parse(&format!("{DATA}[[axis]]\nkey = \"moco.queue\"\nvalues = [64, \"auto\"]\n")).unwrap();
        assert_eq!((plan.name.as_str(), plan.design, &plan.seeds[..]), ("queue", Design::Grid, &[0][..]));
        assert_eq!(plan.evaluate, Protocol::DEFAULT);
        assert_eq!(plan.images, std::path::absolute("plans/a").unwrap());
        assert_eq!(
            (plan.images_as_written.as_str(), &plan.labeled),
            ("a", &[PathBuf::from("/b"), PathBuf::from("s3://c")])
        );
        let of =
            |label: &str, setting: &str| AxisValue { label: label.into(), settings: vec![setting.into()], line: 6 };
        let values = vec![of("64", "moco.queue=64"), of("auto", "moco.queue=\"auto\"")];
        assert_eq!(plan.axes, [Axis { name: "moco.queue".into(), key: Some("moco.queue".into()), values }]);
    }

    #[test]
    fn an_axis_of_tables_sets_several_keys() {
        let axis = "[[axis]]\nname = \"method\"\nvalues = [{ name = \"MoCo\", negatives.pairs = 0, seed = 3 }]\n";
        let plan = parse(&format!("{DATA}{axis}")).unwrap();
        assert_eq!(plan.axes[0].values[0].label, "MoCo");
        assert_eq!(plan.axes[0].values[0].settings, ["negatives.pairs=0", "seed=3"]);
        let keyed = "[[axis]]\nkey = \"moco.temperature\"\nvalues = [0.2]\n\
                     [[axis]]\nname = \"K\"\nkey = \"moco.queue\"\nvalues = [64]\n";
        let plan = parse(&format!("{DATA}{keyed}{axis}")).unwrap();
        let labels = ["0.2", "64", "MoCo"].map(str::to_owned);
        assert_eq!(plan.described(&labels), "temperature = 0.2, K = 64, MoCo");
    }

    #[test]
    fn problems_are_named() {
        let axis = "[[axis]]\nkey = \"moco.queue\"\nvalues = [64]\n";
        let cases = [
            (format!("seeds = [1, 1]\n{DATA}{axis}"), "each once"),
            (format!("seeds = []\n{DATA}{axis}"), "at least one seed"),
            (format!("hours = 0\n{DATA}{axis}"), "above 0"),
            (format!("hours = nan\n{DATA}{axis}"), "above 0"),
            (format!("evaluate = []\n{DATA}{axis}"), "no protocol"),
            (format!("evaluate = [\"detection\"]\n{DATA}{axis}"), "unknown protocol \"detection\""),
            (format!("sed = [1]\n{DATA}{axis}"), "line 1: unknown key `sed`"),
            (format!("seeds = [\"a\"]\n{DATA}{axis}"), "line 1: invalid value for `seeds`: expected a list of whole"),
            (format!("design = \"all\"\n{DATA}{axis}"), "line 1: invalid value for `design`"),
            (format!("{DATA}{axis}x = 1\n"), "line 8: unknown key `x`"),
            (format!("{DATA}x = 1\n{axis}"), "line 5: unknown key `x`"),
            (axis.to_owned(), "queue.toml: missing key `data`"),
            (DATA.to_owned(), "queue.toml: it has no axis"),
            (format!("{DATA}[[axis]]\nkey = \"moco.queue\"\nvalues = []\n"), "has no values"),
            (format!("{DATA}[[axis]]\nvalues = [1]\n"), "neither `key` nor `name`"),
            (format!("{DATA}[[axis]]\nname = \"m\"\nvalues = [1]\n"), "must be tables, got 1"),
            (format!("{DATA}[[axis]]\nname = \"m\"\nvalues = [{{ seed = 1 }}]\n"), "has no name"),
            (format!("{DATA}[[axis]]\nkey = \"seed\"\nvalues = [1]\n"), "`seed` is no axis"),
            (format!("evaluate = [\"detection-ap\"]\n{DATA}{axis}"), "line 1: \"detection-ap\" needs a detector"),
            (format!("{DATA}{axis}[detection]\nbatch = 3\n"), "line 8: missing key `images`"),
            (format!("{DATA}{axis}[detection]\nimages = \"a\"\nseed = 1\n"), "line 10: `seed` in [detection]"),
            (
                format!("{DATA}{axis}[detection]\nimages = \"a\"\nepochs = 1\n"),
                "line 10: unknown key `epochs` ([detection])",
            ),
            (
                format!("{DATA}{axis}[detection]\nimages = \"a\"\n[detection.data]\nbatch = 0\n"),
                "line 11: invalid value",
            ),
            (format!("{DATA}{axis}[base]\nepoch = 1\n"), "line 9: unknown key `epoch` ([base])"),
            (
                format!("{DATA}{axis}[base]\nmoco.queue = 3\nmoco.batch = -1\n"),
                "line 10: invalid value for `moco.batch`",
            ),
            (format!("{DATA}{axis}[base]\nextends = \"moco\"\n"), "line 9: unknown preset"),
            (format!("{DATA}{axis}{axis}"), "two axes have one name"),
            (format!("{DATA}[[axis]]\nkey = \"moco.queue\"\nvalues = [64, 64]\n"), "\"moco.queue\" have one name"),
            (format!("{DATA}{axis}[base]\nseed = 5\n"), "`seed` in [base]"),
        ];
        for (text, part) in cases {
            let error = parse(&text).unwrap_err();
            assert!(error.to_string().contains(part), "{error}: expected {part}");
            assert!(error.to_string().starts_with("plans/queue.toml: ") && error.hint().is_some());
        }
    }
}
