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

use mochi_config::Settings;
use mochi_config::plan::{self, Place, PlanError, PlanTable};
use mochi_files::read_capped;
use mochi_run::Protocol;

use crate::axis::axis_of;
use crate::detector::detection_of;
use crate::error::AblateError;
use crate::name::slug;

pub use crate::axis::{Axis, AxisValue};
pub use crate::detector::DetectionPlan;

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

/// A plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The file that it was read from.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Name of the study.
    pub name: String,
    /// Whether the plan has the name; otherwise it is that of its file.
    pub named: bool,
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
    /// The same as the plan has them.
    pub labeled_as_written: [String; 2],
    /// Where the plan names the images to train on, and the labeled ones.
    pub places: [Place; 3],
    /// Settings of every run, as a settings file.
    pub base: String,
    /// What varies.
    pub axes: Vec<Axis>,
    /// The detector that is trained from each cell's encoder, if a protocol needs one.
    pub detection: Option<DetectionPlan>,
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

    /// Reads the plan that the folder of a study holds. Where the plan itself was is not known, so that its paths stay as it has them, and without a `name` it has
    /// that of the folder.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub(crate) fn read_stored(path: &Path) -> Result<Plan, AblateError> {
        let stored = Plan::read(path)?;
        let folder = std::path::absolute(path).ok();
        let folder = folder.as_ref().and_then(|path| path.parent()?.file_name());
        let name = if stored.named { None } else { folder.map(|name| name.to_string_lossy().into_owned()) };
        Ok(Plan {
            name: name.unwrap_or_else(|| stored.name.clone()),
            images: PathBuf::from(&stored.images_as_written),
            labeled: stored.labeled_as_written.each_ref().map(PathBuf::from),
            ..stored
        })
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

    /// An absolute path of what the plan names; relative paths start at its folder.
    pub fn place(&self, text: &str) -> PathBuf {
        beside(&self.path, text)
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
        let place = |text: &str| beside(path, text);
        let base = toml::to_string(&base).map_err(|error| {
            file.problem(Some("base"), &format!("[base]: {error}"), "write settings as in a settings file")
        })?;
        if let Some(table) = file.table("base")? {
            let loaded = Settings::load_text(Path::new("[base]"), base.clone(), &[]);
            loaded.map_err(|error| table.settings_problem(&error))?;
        }
        let evaluate = protocols(file)?;
        let detection = detection_of(file, &evaluate, &place)?;
        Ok(Plan {
            path: path.to_owned(),
            name: file.text("name")?.map_or_else(stem, str::to_owned),
            named: file.text("name")?.is_some(),
            design,
            seeds,
            seeds_line: file.place(Some("seeds")).line,
            evaluate,
            hours,
            images: place(images),
            images_as_written: images.to_owned(),
            labeled: [place(train), place(test)],
            labeled_as_written: [train, test].map(str::to_owned),
            places,
            base,
            axes,
            detection,
            text: text.to_owned(),
        })
    }
}

/// What the plan at `path` names as `text`: absolute, so that results tell what they were computed on, from whichever folder.
fn beside(path: &Path, text: &str) -> PathBuf {
    let plan = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let whole = plan.parent().unwrap_or(Path::new("/")).join(text);
    if text.contains("://") { PathBuf::from(text) } else { whole.canonicalize().unwrap_or(whole) }
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

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
