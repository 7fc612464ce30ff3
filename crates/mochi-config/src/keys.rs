//! The table of keys: name, accepted values and documentation. Validation, suggestions for misspelled names and the reference page all read
//! this table.

use crate::kind::{Key, Kind};
use crate::sections;

/// Keys outside any section.
const TOP: &[Key] = &[
    Key {
        name: "seed",
        kind: Kind::Integer { min: 0, max: i64::MAX },
        auto: false,
        doc: "Seed of every random number: initial weights, order of images, augmentation, synthesis. On a CPU with the same \
              number of threads, the same seed, data and settings give bitwise identical weights.",
    },
    Key {
        name: "epochs",
        kind: Kind::Number { min: 0.0, max: 1e6 },
        auto: true,
        doc: "Passes over the dataset. 0 writes the untrained encoder as a run. auto: as many as `time` allows at the measured speed, which may be \
              a fraction; without a time limit 400 below 2,000 images, 200 below 20,000, 100 below 200,000, otherwise 50, with more than two views fewer in proportion.",
    },
    Key {
        name: "time",
        kind: Kind::Time,
        auto: true,
        doc: "Training time, such as `20m` or `1h 30m`. The machine's speed is measured first, and the `auto` values follow from it. The \
              learning rate follows the time, so the run ends in time on a machine that becomes slower, also over several sessions. \
              `none`: as long as the epochs take. auto: an hour, or `none` if `epochs` is given. `--time` on the command line sets \
              this key.",
    },
];

/// Every key, section by section in the order in which they are written.
pub fn all() -> impl Iterator<Item = &'static Key> + Clone {
    let sections = [
        TOP,
        sections::Data::KEYS,
        sections::Model::KEYS,
        sections::Moco::KEYS,
        sections::Negatives::KEYS,
        sections::Mix::KEYS,
        sections::Optimizer::KEYS,
        sections::Compute::KEYS,
        sections::Checkpoint::KEYS,
        sections::Log::KEYS,
    ];
    sections.into_iter().flatten()
}

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// A name such as `moco.loss.hcl.beta`: the key, the name and its argument.
pub(crate) fn with_argument(name: &str) -> Option<(&'static Key, &str, &str)> {
    let (rest, argument) = name.rsplit_once('.')?;
    let (key, entry) = rest.rsplit_once('.')?;
    let key = find(key).filter(|key| matches!(key.kind, Kind::Selection(_) | Kind::Selections(_)))?;
    Some((key, entry, argument))
}

/// Whether a name is a section, such as `moco`.
pub(crate) fn is_section(name: &str) -> bool {
    all().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == name))
}
