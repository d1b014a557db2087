//! Plays an execution without the world: what would be called is answered by stubs, people speak as a test says, and a
//! virtual clock jumps to whatever is due next. What follows from that is decided by `execution` and weighed by
//! `approval`, as in production; here is nothing that could decide otherwise.

pub mod coverage;
pub mod preview;
pub mod sample;

mod expectation;
mod fault;
mod live;
mod path;
mod people;
mod play;
mod run;
mod stage;
mod stub;
mod suite;
mod timeline;
mod trigger;
mod words;

pub use coverage::Coverage;
pub use expectation::{Difference, Failure, judge};
pub use fault::{CaseFault, start_faults};
pub use play::simulate;
pub use preview::{PreviewError, preview};
pub use run::{Cut, MissingStub, Run, Spoken, SpokenOutcome};
pub use stage::Stage;
pub use suite::{Played, Suite, SuiteFile};
pub use timeline::{Moment, MomentKind};

#[cfg(test)]
mod tests;
