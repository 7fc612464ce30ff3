//! Runs that differ in their seed only are one group: one line of a chart and one row of results.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mochi_config::Origin;
use mochi_text::counted;

use crate::name::{common_name, name_of, numbered, shortened_before};
use crate::settings::RunSettings;

/// Keys that a time limit estimates from the measured speed of the machine. What ends such a run is its time.
const ESTIMATED: [&str; 6] = [
    "epochs",
    "optimizer.warmup_epochs",
    "checkpoint.every_steps",
    "checkpoint.keep_every",
    "log.diagnostics_every_steps",
    "evaluation.every_steps",
];

/// Runs that differ in their seed only, or a single run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeedGroup {
    /// Positions of its runs, in their order; at least one.
    pub(crate) runs: Vec<usize>,
    /// Its number among the groups, with its name: that of its only run, or what the names of its runs begin with, and the number of seeds.
    pub(crate) name: String,
    /// The same for the line of a chart.
    pub(crate) short: String,
}

/// The groups of runs in the order of their first runs. Two runs of one seed are in different groups.
pub(crate) fn seed_groups(runs: &[(PathBuf, &RunSettings)]) -> Vec<SeedGroup> {
    let mut found: Vec<Found> = Vec::new();
    for (at, (_, settings)) in runs.iter().enumerate() {
        let equal = equal_but_for_seed(settings);
        let fitting = found.iter_mut().find(|group| group.equal == equal && !group.seeds.contains(&settings.seed));
        let group = match fitting {
            Some(group) => group,
            None => {
                found.push(Found { equal, seeds: BTreeSet::new(), runs: Vec::new() });
                let Some(last) = found.last_mut() else { continue };
                last
            }
        };
        group.seeds.insert(settings.seed);
        group.runs.push(at);
    }
    let named = found.into_iter().enumerate().map(|(at, Found { runs: members, .. })| {
        let names: Vec<String> =
            members.iter().filter_map(|&run| runs.get(run)).map(|(path, _)| name_of(path)).collect();
        let seeds = if members.len() > 1 { format!(", {}", counted(members.len(), "seed")) } else { String::new() };
        let name = numbered(at + 1, &common_name(&names));
        SeedGroup { runs: members, short: shortened_before(&name, &seeds), name: format!("{name}{seeds}") }
    });
    named.collect()
}

struct Found {
    equal: Vec<(&'static str, String)>,
    seeds: BTreeSet<u64>,
    runs: Vec<usize>,
}

/// The settings that runs of one group have in common.
fn equal_but_for_seed(settings: &RunSettings) -> Vec<(&'static str, String)> {
    let timed = settings.lines.iter().any(|line| line.key == "time" && line.value.as_str() != Some("none"));
    let auto = |origin: &Origin| match origin {
        Origin::Auto(_) => true,
        Origin::Run(remark) => remark.starts_with("auto"),
        _ => false,
    };
    let lines = settings.lines.iter().filter(|line| {
        let estimated = timed && ESTIMATED.contains(&line.key) && auto(&line.origin);
        line.key != "seed" && !estimated
    });
    lines.map(|line| (line.key, line.value.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::{DeviceFacts, Facts, Settings, Speed};

    fn settings(words: &[&str], images_per_s: f64) -> RunSettings {
        let cpu = DeviceFacts { memory_bytes: 8 << 30, fast_bf16: true };
        let speeds = vec![Speed { size: 32, images_per_s, first_s: 0.0 }];
        let facts = Facts { images: 5000, cores: 2, cpu, speeds, ..Facts::default() };
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let settings = Settings::load(Some("small"), None, &words).unwrap();
        RunSettings::of_pretraining(&settings.resolve(&facts).unwrap().0)
    }

    fn named(runs: &[(&str, &RunSettings)]) -> Vec<(String, Vec<usize>)> {
        let runs: Vec<_> = runs.iter().map(|(name, settings)| (PathBuf::from(name), *settings)).collect();
        seed_groups(&runs).into_iter().map(|group| (group.name, group.runs)).collect()
    }

    #[test]
    fn runs_that_differ_in_their_seed_are_one_group() {
        let of = |words: &[&str]| settings(words, 500.0);
        let moco = [0, 1, 2].map(|seed| of(&["epochs=3", &format!("seed={seed}")]));
        let other = of(&["epochs=4", "seed=0"]);
        let all = [("r/moco-0", &moco[0]), ("r/four", &other), ("r/moco-1", &moco[1]), ("r/moco-2", &moco[2])];
        let wanted = [("1 moco, 3 seeds".to_owned(), vec![0, 2, 3]), ("2 four".to_owned(), vec![1])];
        assert_eq!(named(&all), wanted);
        // A repeated run is no further seed.
        let wanted = [("1 a".to_owned(), vec![0]), ("2 b".to_owned(), vec![1])];
        assert_eq!(named(&[("r/a", &moco[0]), ("r/b", &moco[0])]), wanted);
    }

    #[test]
    fn the_estimates_of_a_time_limit_are_no_difference() {
        let of = |words: &[&str], speed| settings(words, speed);
        let timed =
            [of(&["time=20m", "seed=0", "data.size=32"], 500.0), of(&["time=20m", "seed=1", "data.size=32"], 490.0)];
        let epochs = |run: &RunSettings| run.lines.iter().find(|line| line.key == "epochs").unwrap().value.to_string();
        assert_ne!(epochs(&timed[0]), epochs(&timed[1]), "the estimate follows the speed");
        assert_eq!(named(&[("r/a-0", &timed[0]), ("r/a-1", &timed[1])]), [("1 a, 2 seeds".to_owned(), vec![0, 1])]);
        let set = [of(&["epochs=3", "seed=0"], 500.0), of(&["epochs=4", "seed=1"], 500.0)];
        assert_eq!(named(&[("r/a-0", &set[0]), ("r/a-1", &set[1])]).len(), 2);
    }
}
