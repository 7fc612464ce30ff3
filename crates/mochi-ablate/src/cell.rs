//! Variants and cells of a plan. A variant is a combination of the axes' values; a cell is a variant with a seed: one training run.
//!
//! A cell's identity is a hash of every setting that it resolves from (not of the plan's text), and of the path of the images as the plan has it, so
//! that it is the same from every folder and on every machine. Adding an axis value or a seed to a plan therefore keeps the runs that there are, and
//! changing a setting makes new ones. Other labeled images change the evaluation, not the run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mochi_config::{NO_WEIGHTS, Origin, Settings};

use crate::error::AblateError;
use crate::name::{short_hash, slug};
use crate::plan::{Design, Plan};

/// A combination of the axes' values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The label of its value, by axis.
    pub labels: Vec<String>,
    /// `KEY=VALUE` arguments, each with the line of the plan on which it is.
    pub settings: Vec<(String, usize)>,
}

impl Variant {
    /// Its labels in one line.
    pub fn name(&self) -> String {
        self.labels.join(", ")
    }
}

/// One training run of a plan.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Index of its variant.
    pub variant: usize,
    /// Its seed.
    pub seed: u64,
    /// Its identity.
    pub id: String,
    /// Readable name of a new run folder; ends with the identity.
    pub folder: String,
    /// `KEY=VALUE` arguments, the seed included.
    pub arguments: Vec<String>,
    /// Its settings, with `"auto"` values as written.
    pub settings: Settings,
}

/// Variants and cells of a plan.
#[derive(Clone, Debug)]
pub struct Cells {
    /// The variants; the first is the baseline.
    pub variants: Vec<Variant>,
    /// The cells in the order in which they are trained: all variants of the first seed, then of the next.
    pub cells: Vec<Cell>,
}

impl Cell {
    /// The weights that its backbone starts from (`model.init`), whose path starts at the folder of the plan; `None` for random weights.
    pub fn init(&self, plan: &Plan) -> Option<PathBuf> {
        let init = self.settings.model.init.as_str();
        (init != NO_WEIGHTS).then(|| plan.place(init))
    }
}

impl Cells {
    /// Expands a plan.
    ///
    /// # Errors
    /// [`AblateError::Settings`] for settings that are not valid, [`AblateError::Plan`] for two variants with the same settings.
    pub fn of(plan: &Plan) -> Result<Cells, AblateError> {
        let variants = variants(plan);
        let mut cells = Vec::new();
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for &seed in &plan.seeds {
            for (index, variant) in variants.iter().enumerate() {
                let words = variant.settings.iter().cloned().chain([(format!("seed={seed}"), plan.seeds_line)]);
                let placed: Vec<_> = words.map(|(word, line)| (word, Origin::Plan(plan.path.clone(), line))).collect();
                let arguments = placed.iter().map(|(word, _)| word.clone()).collect();
                let settings = Settings::load_text(&plan.path, plan.base.clone(), &placed).map_err(|source| {
                    AblateError::Settings { plan: plan.path.clone(), variant: variant.name(), source }
                })?;
                let id = identity(plan, &settings);
                if let Some(&other) = owners.get(&id) {
                    return Err(AblateError::Plan {
                        plan: plan.path.clone(),
                        problem: format!(
                            "the variants \"{}\" and \"{}\" have the same settings",
                            variants[other].name(),
                            variant.name()
                        ),
                        hint: "remove one of the two values".to_owned(),
                    });
                }
                owners.insert(id.clone(), index);
                let folder = format!("{}-seed-{seed}-{id}", slug(&variant.name()));
                cells.push(Cell { variant: index, seed, id, folder, arguments, settings });
            }
        }
        Ok(Cells { variants, cells })
    }
}

fn variants(plan: &Plan) -> Vec<Variant> {
    let lengths: Vec<usize> = plan.axes.iter().map(|axis| axis.values.len()).collect();
    let baseline = vec![0; lengths.len()];
    let choices = match plan.design {
        Design::Grid => lengths.iter().fold(vec![Vec::new()], |all: Vec<Vec<usize>>, &length| {
            all.iter().flat_map(|chosen| (0..length).map(|i| [&chosen[..], &[i]].concat())).collect()
        }),
        Design::OneAtATime => {
            let others = lengths.iter().enumerate().flat_map(|(axis, &length)| (1..length).map(move |i| (axis, i)));
            let with = |(axis, i): (usize, usize)| {
                let mut chosen = baseline.clone();
                chosen[axis] = i;
                chosen
            };
            std::iter::once(baseline.clone()).chain(others.map(with)).collect()
        }
    };
    let variant = |chosen: Vec<usize>| {
        let values = || plan.axes.iter().zip(&chosen).map(|(axis, &i)| &axis.values[i]);
        Variant {
            labels: values().map(|value| value.label.clone()).collect(),
            settings: values().flat_map(|value| value.settings.iter().map(|word| (word.clone(), value.line))).collect(),
        }
    };
    choices.into_iter().map(variant).collect()
}

fn identity(plan: &Plan, settings: &Settings) -> String {
    let mut lines: Vec<String> =
        settings.describe().into_iter().map(|described| format!("{} = {}", described.key, described.value)).collect();
    lines.push(format!("images = {}", plan.images_as_written));
    short_hash(lines.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn plan(folder: &Path, text: &str) -> Plan {
        let path = folder.join("plan.toml");
        let data = "[data]\nimages = \"a\"\ntrain = \"b\"\ntest = \"c\"\n";
        std::fs::write(&path, text.replace("DATA", data)).unwrap();
        Plan::read(&path).unwrap()
    }

    fn expand(plan: &Plan, folder: &Path) -> Result<Cells, AblateError> {
        assert!(plan.path.starts_with(folder));
        Cells::of(plan)
    }

    const AXES: &str = "[[axis]]\nkey = \"moco.temperature\"\nvalues = [0.2, 0.1]\n\
                        [[axis]]\nkey = \"negatives.pairs\"\nvalues = [0, 32, 64]\n";

    #[test]
    fn a_grid_has_every_combination_and_one_at_a_time_only_those_that_differ_in_one_axis() {
        let folder = tempfile::tempdir().unwrap();
        let labels = |cells: &Cells| cells.variants.iter().map(Variant::name).collect::<Vec<_>>();
        let grid = expand(&plan(folder.path(), &format!("seeds = [0, 7]\nDATA{AXES}")), folder.path()).unwrap();
        assert_eq!(labels(&grid), ["0.2, 0", "0.2, 32", "0.2, 64", "0.1, 0", "0.1, 32", "0.1, 64"]);
        let order: Vec<_> = grid.cells.iter().map(|cell| (cell.seed, cell.variant)).collect();
        assert_eq!(order[5..8], [(0, 5), (7, 0), (7, 1)]);
        assert_eq!(grid.cells[7].arguments, ["moco.temperature=0.2", "negatives.pairs=32", "seed=7"]);
        assert_eq!(grid.cells[7].folder, format!("0.2-32-seed-7-{}", grid.cells[7].id));

        let text = format!("design = \"one-at-a-time\"\nDATA{AXES}");
        let one = expand(&plan(folder.path(), &text), folder.path()).unwrap();
        assert_eq!(labels(&one), ["0.2, 0", "0.1, 0", "0.2, 32", "0.2, 64"]);
    }

    #[test]
    fn the_identity_follows_the_settings_and_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let ids = |text: &str| -> Vec<String> {
            let cells = expand(&plan(folder.path(), text), folder.path()).unwrap();
            cells.cells.into_iter().map(|cell| cell.id).collect()
        };
        let axis = "[[axis]]\nkey = \"negatives.pairs\"\nvalues = [0, 32]\n";
        let first = ids(&format!("DATA{axis}"));
        // Another name, a longer axis, and an axis whose first value is the preset's.
        assert_eq!(ids(&format!("name = \"other\"\nDATA{axis}")), first);
        assert_eq!(ids(&format!("DATA{}", axis.replace("32", "32, 64")))[..2], first);
        let with = format!(
            "DATA{axis}[[axis]]\nkey = \"moco.temperature\"\nvalues = [0.2, 0.1]\n[base]\nextends = \"moco-v2\"\n"
        );
        let base = ids(&format!("DATA{axis}[base]\nextends = \"moco-v2\"\n"));
        assert_eq!([&ids(&with)[0], &ids(&with)[2]], [&base[0], &base[1]]);
        // Other settings, other data.
        assert_ne!(base, first);
        let moved = format!("DATA{axis}").replace("DATA", "[data]\nimages = \"z\"\ntrain = \"b\"\ntest = \"c\"\n");
        assert_ne!(ids(&moved), first);
        let evaluated = format!("DATA{axis}").replace("DATA", "[data]\nimages = \"a\"\ntrain = \"y\"\ntest = \"z\"\n");
        assert_eq!(ids(&evaluated), first, "other labeled images are evaluated on the same runs");
    }

    #[test]
    fn the_plan_of_the_guide_is_valid() {
        let guide = include_str!("../../../docs/guides/ablation.md");
        let text = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cells = expand(&plan(folder.path(), text), folder.path()).unwrap();
        assert_eq!((cells.variants.len(), cells.cells.len()), (4, 12));
    }

    #[test]
    fn settings_that_are_not_valid_and_variants_that_are_equal_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let of = |axis: &str| expand(&plan(folder.path(), &format!("DATA{axis}")), folder.path()).unwrap_err();
        let error = of("[[axis]]\nkey = \"moco.temprature\"\nvalues = [0.2]\n");
        let line = folder.path().join("plan.toml").display().to_string() + ", line 6";
        let wanted = format!("variant \"0.2\": unknown key `moco.temprature` ({line})");
        assert!(error.to_string().contains(&wanted), "{error}");
        assert!(error.hint().unwrap().contains("moco.temperature"));
        let error = of("[[axis]]\nname = \"m\"\nvalues = [\n{ name = \"a\" },\n{ name = \"b\", moco.queu = 2 },\n]\n");
        assert!(error.to_string().contains("line 9)"), "{error}");
        let error = of("[[axis]]\nname = \"m\"\nvalues = [{ name = \"a\", seed = 1 }, { name = \"b\" }]\n");
        assert!(error.to_string().contains("have the same settings"), "{error}");
    }
}
