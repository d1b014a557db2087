//! Which data reaches where: from the trigger, inputs, secrets and what steps gave, through expressions and steps, into
//! the fields of steps and the outputs of a process; through sub-processes too. Only data counts: that a condition was
//! true because of a title moves no title. Judges nothing; the security rules and the guarantees stand on it.

mod across;
mod address;
mod build;
mod constants;
mod flow;
mod source;

#[cfg(test)]
mod tests;

pub use across::Flows;
pub(crate) use constants::Constants;
pub use flow::{Field, FieldIndex, Flow, Hop, Owner, Part, Path, StepNumber};
pub(crate) use flow::{PlaceIndex, Reading, reads_inside};
pub use source::{Origin, Origins, Source, TriggerPart};
