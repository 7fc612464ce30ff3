//! Prints the reference page of all settings: `cargo run -p mochi-config --example reference > docs/reference/configuration.md`, and with
//! `-- detection > docs/reference/detection-settings.md` that of detection.

use mochi_config::{Task, reference};

fn main() -> Result<(), mochi_config::ConfigError> {
    let detection = std::env::args().nth(1).is_some_and(|word| word == Task::Detection.as_str());
    print!("{}", reference(if detection { Task::Detection } else { Task::Pretraining })?);
    Ok(())
}
