//! flowctl-core: what a process means. Pure: no I/O, no async, no clock, no randomness;
//! time and ids are arguments, and the same inputs give the same result.

pub mod approval;
pub mod command;
pub mod dataflow;
pub mod definition;
pub mod diff;
pub mod editor;
pub mod execution;
pub mod expression;
pub mod format;
pub mod graph;
pub mod guarantee;
pub mod simulation;
pub mod source;
pub mod types;
pub mod validate;
pub mod value;
