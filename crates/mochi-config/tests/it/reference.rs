//! The generated page of the reference.

use mochi_config::presets;

#[test]
fn the_reference_names_every_key_and_preset() {
    let page = mochi_config::reference().unwrap();
    for key in mochi_config::keys::all() {
        assert!(page.contains(&format!("\n### `{}`\n", key.name)), "{}", key.name);
        assert!(!key.doc.trim().is_empty(), "{}", key.name);
    }
    for preset in presets::all() {
        assert!(page.contains(&format!("\n* `{}`: ", preset.name)), "{}", preset.name);
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == mochi_config::reference().unwrap(),
        "docs/reference/configuration.md is out of date: \
         cargo run -p mochi-config --example reference > docs/reference/configuration.md"
    );
}
