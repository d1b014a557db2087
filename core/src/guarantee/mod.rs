//! Guarantees: what a process or a policy promises about every run, proved before anything runs or refuted with a path.
//! Pure; knows the meaning of the language and no findings. A proof that is claimed holds; where none was found, that is
//! said and nothing is claimed.

mod conditions;
mod copies;
mod costliest;
mod equipped;
mod every_path;
mod governing;
mod items;
mod judge;
mod layout;
mod loosened;
mod model;
mod money;
mod pauses;
mod quick;
mod related;
mod review;
mod search;
mod shown;
mod start;
mod tell;
mod time;
mod unreviewed;
mod verdict;
mod weakened;

#[cfg(test)]
mod tests;

pub use governing::{Policies, Stated};
pub use judge::{Judged, Nameless, judge};
pub(crate) use loosened::{Approval, Runs, Versions};
pub(crate) use review::{Question, Reviewed, Reviewers, reviewed};
pub use verdict::{Counterexample, Place, Verdict};
pub use weakened::{Weakening, weakened};
