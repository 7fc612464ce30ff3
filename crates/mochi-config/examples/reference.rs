//! Prints the reference page of all settings: `cargo run -p mochi-config --example reference > docs/reference/configuration.md`.

fn main() -> Result<(), mochi_config::ConfigError> {
    print!("{}", mochi_config::reference()?);
    Ok(())
}
