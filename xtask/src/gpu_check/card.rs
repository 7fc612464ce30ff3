//! The NVIDIA cards of this machine, as the driver's own program names them.

use std::path::Path;
use std::process::Command;

use crate::command;
use crate::failure::Failure;

/// What `nvidia-smi` prints of each card, in this order.
pub(super) const QUERY: &str = "--query-gpu=name,driver_version,memory.total,compute_cap";
/// Without a heading.
pub(super) const FORMAT: &str = "--format=csv,noheader";
/// Compute capability from which cards have TF32 and bf16 units (Ampere).
const AMPERE: f64 = 8.0;
/// Memory from which a step of 64 images of 224 pixels fits: ResNet-50 in float32 keeps about 6 GB of activations for them.
const ROOMY_MIB: u64 = 12_000;

/// One card.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Card {
    pub(super) name: String,
    driver: String,
    memory_mib: u64,
    /// Compute capability, e.g. 9.0.
    capability: f64,
}

impl Card {
    /// The cards in the output of `nvidia-smi`; none if a line is not one of a card.
    pub(super) fn read(output: &str) -> Vec<Card> {
        let card = |line: &str| {
            let mut cells = line.split(',').map(str::trim);
            let (name, driver) = (cells.next()?.to_owned(), cells.next()?.to_owned());
            let memory_mib = cells.next()?.strip_suffix(" MiB")?.parse().ok()?;
            Some(Card { name, driver, memory_mib, capability: cells.next()?.parse().ok()? })
        };
        let lines = output.lines().filter(|line| !line.trim().is_empty());
        lines.map(card).collect::<Option<Vec<Card>>>().unwrap_or_default()
    }

    /// Whether the card has TF32 and bf16 units.
    pub(super) fn is_ampere(&self) -> bool {
        self.capability >= AMPERE
    }

    /// Images of a step of ResNet-50 at 224 pixels that the card has memory for.
    pub(super) fn batch(&self) -> u32 {
        if self.memory_mib >= ROOMY_MIB { 64 } else { 16 }
    }

    /// One line: name, driver, memory, compute capability.
    pub(super) fn describe(&self) -> String {
        format!(
            "{}, driver {}, {:.1} GiB, compute capability {:.1}",
            self.name,
            self.driver,
            self.memory_mib as f64 / 1024.0,
            self.capability
        )
    }
}

/// The cards; empty where there is a device that `nvidia-smi` does not describe.
///
/// # Errors
/// Where there is no device.
pub(super) fn find() -> Result<Vec<Card>, Failure> {
    let asked = command::capture(Command::new("nvidia-smi").args([QUERY, FORMAT]));
    let has_device = ["/dev/nvidiactl", "/dev/dxg"].iter().any(|path| Path::new(path).exists());
    let said = match asked {
        Ok(asked) if asked.status.success() => return Ok(Card::read(&asked.output)),
        Ok(asked) => format!("nvidia-smi says: {}", asked.tail(1)),
        Err(_) => "nvidia-smi is not installed".to_owned(),
    };
    if has_device { Ok(Vec::new()) } else { Err(none(&said)) }
}

fn none(said: &str) -> Failure {
    Failure::new(format!("no NVIDIA GPU was found ({said}), so there is nothing to check")).hint(
        "run the command on a machine with an NVIDIA card and its driver; `cargo xtask gpu-check --dry-run` lists what it checks",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_read_from_the_drivers_program() {
        let cards =
            Card::read("NVIDIA H100 80GB HBM3, 580.65.06, 81559 MiB, 9.0\nTesla T4, 580.65.06, 7000 MiB, 7.5\n\n");
        assert_eq!(cards[0].describe(), "NVIDIA H100 80GB HBM3, driver 580.65.06, 79.6 GiB, compute capability 9.0");
        assert_eq!((cards[0].batch(), cards[0].is_ampere()), (64, true));
        assert_eq!((cards[1].batch(), cards[1].is_ampere()), (16, false));
        assert!(Card::read("Field \"compute_cap\" is not a valid field to query.").is_empty());
    }

    #[test]
    fn without_a_card_the_next_step_is_told() {
        assert_eq!(
            none("nvidia-smi is not installed").to_string(),
            "error: no NVIDIA GPU was found (nvidia-smi is not installed), so there is nothing to check\nhint: run the command on a machine \
             with an NVIDIA card and its driver; `cargo xtask gpu-check --dry-run` lists what it checks"
        );
    }
}
