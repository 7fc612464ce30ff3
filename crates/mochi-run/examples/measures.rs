//! Prints the table of measures for `docs/guides/analysis.md`.

fn main() {
    print!("{}", mochi_run::measure::reference_table());
}
