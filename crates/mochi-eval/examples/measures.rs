//! Prints the table of measures for `docs/guides/analysis.md`.

fn main() {
    print!("{}", mochi_eval::analysis::measure::reference_table());
}
