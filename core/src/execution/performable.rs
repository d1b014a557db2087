//! What can be performed by whoever asks for a plan: the engine, or a simulation that stubs what it cannot do. Names
//! only; how something is performed is elsewhere.

use std::collections::BTreeSet;

use crate::definition::StepType;

/// The step types that whoever asks for a plan performs. A plan with any other is refused when it is built, so that
/// nothing is accepted and then ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Performable {
    types: BTreeSet<StepType>,
}

impl Performable {
    /// Every type of the language: for a simulation, which is told what steps give.
    pub fn everything() -> Self {
        Self { types: StepType::ALL.into_iter().collect() }
    }

    /// What this version's engine performs: every type, by now. One that is new to the language is left out here until it is
    /// performed, and `validate` refuses it for what runs processes.
    pub fn engine() -> Self {
        Self::everything()
    }

    /// The same with one type more.
    #[must_use]
    pub fn with(mut self, step_type: StepType) -> Self {
        self.types.insert(step_type);
        self
    }

    /// Whether steps of this type are performed.
    pub fn includes(&self, step_type: StepType) -> bool {
        self.types.contains(&step_type)
    }

    /// The types, in the order of the documentation.
    pub fn types(&self) -> impl Iterator<Item = StepType> {
        StepType::ALL.into_iter().filter(|step_type| self.includes(*step_type))
    }
}
