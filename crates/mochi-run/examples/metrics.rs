//! Prints the table of metrics for `docs/guides/measurements.md`.

fn main() {
    print!("{}", mochi_run::metric::reference_table());
}
