//! What the prover says of a guarantee, and the path that a person can read where it does not hold.

use crate::definition::repository::File;
use crate::source::Span;

/// What the prover says.
#[derive(Debug, Clone)]
pub enum Verdict<'r> {
    /// It holds in every run.
    Holds,
    /// It holds because no run ever comes to what it speaks about; why.
    Idle(String),
    /// It does not hold: a shortest run against it.
    Fails(Counterexample<'r>),
    /// Neither was proved; why, and behind `; ` what to do about it where that is known.
    Unproved(String),
    /// Nothing can be said because of a fault that is told elsewhere: a process that is not there, or runs itself.
    Faulty,
}

/// A run against a guarantee.
#[derive(Debug, Clone, Default)]
pub struct Counterexample<'r> {
    /// The run in words: steps joined by arrows.
    pub path: String,
    /// What is behind the path: what did not happen.
    pub notes: Vec<String>,
    /// The places of the path, in its order.
    pub places: Vec<Place<'r>>,
    /// Which way to close.
    pub help: Option<String>,
}

/// A place on a path.
#[derive(Debug, Clone)]
pub struct Place<'r> {
    /// The file.
    pub file: &'r File,
    /// Where.
    pub span: Span,
    /// What happens there.
    pub message: String,
}

impl Counterexample<'_> {
    /// The path and its notes as one sentence.
    pub fn in_words(&self) -> String {
        let notes: Vec<&str> = self.notes.iter().map(String::as_str).collect();
        if notes.is_empty() { self.path.clone() } else { format!("{}; {}", self.path, notes.join(", ")) }
    }
}
