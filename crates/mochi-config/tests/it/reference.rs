//! The generated pages of the reference.

use mochi_config::{Task, reference};

#[test]
fn the_reference_names_every_key_and_preset() {
    for &task in Task::ALL {
        let page = reference(task).unwrap();
        for key in task.schema().keys() {
            assert!(page.contains(&format!("\n### `{}`\n", key.name)), "{}", key.name);
            assert!(!key.doc.trim().is_empty(), "{}", key.name);
        }
        for preset in task.schema().presets() {
            assert!(page.contains(&format!("\n* `{}`: ", preset.name)), "{}", preset.name);
        }
    }
}

#[test]
fn the_reference_pages_are_up_to_date() {
    for (task, page, argument) in
        [(Task::Pretraining, "configuration.md", ""), (Task::Detection, "detection-settings.md", " -- detection")]
    {
        let path = format!("{}/../../docs/reference/{page}", env!("CARGO_MANIFEST_DIR"));
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == reference(task).unwrap(),
            "docs/reference/{page} is out of date: \
             cargo run -p mochi-config --example reference{argument} > docs/reference/{page}"
        );
    }
}
