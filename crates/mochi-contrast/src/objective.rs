//! What a loss is, in one description: temperature, synthetic negatives, guards, form.

use crate::synthesis::Block;
use crate::{ContrastError, Form, Guard, Synthesis, Term};

/// The loss's description. [`Objective::plain`] is MoCo's, [`Objective::mochi`] the paper's.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// t that cosines are divided by.
    pub temperature: f64,
    /// The paper's N, s and s'. Its N is also the number of parents of the further strategies.
    pub synthesis: Synthesis,
    /// Further strategies beside pair and query mixing.
    pub also: Vec<Term>,
    /// Columns that are no negatives of a query.
    pub guards: Vec<Guard>,
    /// How positive and negatives make a loss.
    pub form: Form,
}

impl Objective {
    /// InfoNCE over the columns alone (MoCo).
    pub fn plain(temperature: f64) -> Self {
        Self::mochi(temperature, Synthesis::paper(0, 0, 0))
    }

    /// InfoNCE with MoCHi's synthetic negatives.
    pub fn mochi(temperature: f64, synthesis: Synthesis) -> Self {
        Self { temperature, synthesis, also: Vec::new(), guards: Vec::new(), form: Form::InfoNce }
    }

    /// The same without any synthetic, repeated or weighted negative: what a warm-up epoch trains on. Guards and form stay.
    pub fn without_synthesis(&self) -> Self {
        Self { synthesis: Synthesis { pairs: 0, query_mixes: 0, ..self.synthesis }, also: Vec::new(), ..self.clone() }
    }

    /// Whether a query gets any point beside the columns.
    pub fn synthesises(&self) -> bool {
        !self.blocks().is_empty()
    }

    /// The loss of an encoder that knows nothing (all cosines equal) against `columns` columns: ln(1 + negatives), or ln(negatives) for the
    /// decoupled form.
    pub fn ceiling(&self, columns: usize) -> f64 {
        let hardest = self.synthesis.hardest.min(columns);
        let points = self.synthesis.points() as f64 + self.also.iter().map(|term| term.mass(hardest)).sum::<f64>();
        self.form.ceiling(columns as f64 + points)
    }

    /// Refuses options out of range.
    ///
    /// # Errors
    /// [`ContrastError::Option`] naming the option.
    pub fn check(&self) -> Result<(), ContrastError> {
        let bad = |option, value: String, expected| Err(ContrastError::Option { option, value, expected });
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return bad("moco.temperature", self.temperature.to_string(), "it must be above 0");
        }
        if self.synthesis.points() > 0 {
            self.synthesis.check()?;
        }
        for (at, term) in self.also.iter().enumerate() {
            term.check(self.synthesis.hardest)?;
            // Two blocks of a kind would be drawn from the same counters and hold the same points.
            if self.also[..at].iter().any(|other| other.name() == term.name()) {
                return bad("negatives.extra", term.name().to_owned(), "each strategy may be named once");
            }
        }
        self.guards.iter().try_for_each(Guard::check)?;
        self.form.check()
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        self.synthesis.blocks(&self.also)
    }

    /// The smallest hardest set where it is smaller than N: N was clamped to `fewest` valid columns.
    pub(crate) fn clamped(&self, fewest: usize) -> Option<usize> {
        (self.synthesises() && fewest < self.synthesis.hardest).then_some(fewest)
    }

    /// The guards' names, for messages.
    pub(crate) fn guard_names(&self) -> String {
        let names: Vec<&str> = self.guards.iter().map(Guard::name).collect();
        if names.is_empty() { "the own columns".to_owned() } else { names.join(", ") }
    }
}
