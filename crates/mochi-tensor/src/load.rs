//! What differs between the tensors of a file and those of a network, all at once.

use std::fmt::{self, Write};

use mochi_text::counted_with;

/// How many names of each sort a message shows.
const SHOWN: usize = 5;

/// The comparison of a file's tensors with a network's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// What the file's names begin with; the other fields give names without it.
    pub prefix: String,
    /// Number of tensors with equal name and shape.
    pub matched: usize,
    /// The network's tensors that the file lacks.
    pub missing: Vec<String>,
    /// The file's tensors that the network lacks.
    pub unexpected: Vec<String>,
    /// Tensors of equal name and different shape.
    pub mismatched: Vec<Found>,
}

/// A tensor of another shape than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<i64>,
    /// Its shape in the network.
    pub expected: Vec<i64>,
}

impl LoadReport {
    /// Whether every tensor has its counterpart.
    pub fn fits(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }
}

/// One line, e.g. `60 tensors match; 2 missing: "fc.weight", "fc.bias"; 1 of another shape: "conv1.weight" [64, 3, 3, 3], expected [64, 3, 7, 7]`.
impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &String| format!("\"{}{name}\"", self.prefix);
        write!(f, "{}", counted_with(self.matched, "tensor", ["matches", "match"]))?;
        list(f, "missing", self.missing.iter().map(quoted))?;
        list(f, "unexpected", self.unexpected.iter().map(quoted))?;
        let shapes = |found: &Found| {
            format!("{} {}, expected {}", quoted(&found.name), Shape(&found.shape), Shape(&found.expected))
        };
        list(f, "of another shape", self.mismatched.iter().map(shapes))
    }
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, names: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    let count = names.len();
    if count == 0 {
        return Ok(());
    }
    let shown: Vec<String> = names.take(SHOWN).collect();
    write!(f, "; {count} {what}: {}", shown.join(", "))?;
    if count > SHOWN { write!(f, " and {} more", count - SHOWN) } else { Ok(()) }
}

/// A shape in brackets, cut after 8 sides.
pub(crate) struct Shape<'a, T>(pub &'a [T]);

impl<T: fmt::Display> fmt::Display for Shape<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (at, side) in self.0.iter().enumerate().take(8) {
            write!(f, "{}{side}", if at == 0 { "" } else { ", " })?;
        }
        if self.0.len() > 8 { write!(f, ", ... ({} sides)]", self.0.len()) } else { f.write_char(']') }
    }
}
