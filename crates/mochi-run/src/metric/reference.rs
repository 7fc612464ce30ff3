//! The table of metrics in `docs/guides/measurements.md`.

use std::fmt::Write as _;

/// Every metric as a row of a Markdown table; `cargo run -p mochi-run --example metrics` prints it.
pub fn reference_table() -> String {
    let mut table = String::from("| key | unit | over steps | TensorBoard tag | what it is |\n|---|---|---|---|---|\n");
    for metric in super::all() {
        let (unit, average) = (metric.unit.name(), metric.average.name());
        let _ = writeln!(table, "| `{}` | {unit} | {average} | `{}` | {} |", metric.key, metric.tag, metric.doc.trim());
    }
    table
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_guide_holds_the_table() {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/measurements.md");
        let text = std::fs::read_to_string(guide).unwrap();
        assert!(
            text.contains(&super::reference_table()),
            "docs/guides/measurements.md is out of date: paste the output of `cargo run -p mochi-run --example metrics`"
        );
    }
}
