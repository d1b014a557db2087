//! Who counts, and what follows: a requirement tree, the decisions recorded for it, and the verdict with its reasons.
//! Pure: membership is asked for elsewhere and arrives as facts.

pub mod codeowners;
mod decision;
mod implies;
mod requirement;
mod strength;
mod verdict;
mod weigh;

pub use decision::{AboutCall, Decision, DecisionKind, InPlaceOf, Person, Source, SourceKind, is_program};
pub use implies::{Demand, at_least_as_strict, conjuncts};
pub use requirement::{Group, LeafIndex, Requirement, RequirementError};
pub use strength::{Loosening, adds_nobody, whoever_may_write};
pub use verdict::{Missing, Outcome, Verdict, evaluate};
pub use weigh::{Counted, Ineligible, PersonFacts, Weighed, weigh};

#[cfg(test)]
mod tests;
