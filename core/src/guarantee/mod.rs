//! Guarantees: what a process or a policy promises about every run, proved before anything runs or refuted with a path.
//! Pure; knows the meaning of the language and no findings. A proof that is claimed holds; where none was found, that is
//! said and nothing is claimed.

mod weakened;

pub use weakened::{Weakening, weakened};
