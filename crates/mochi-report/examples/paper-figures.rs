//! Prints the table of the paper's figures for `docs/guides/figures.md`.

fn main() {
    print!("{}", mochi_report::paper_figures_table());
}
