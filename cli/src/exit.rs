//! Exit codes, the same for every command: scripts rely on them.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; what was looked at is sound.
    Done,
    /// There are findings, or the execution failed.
    Findings,
    /// Wrong usage, settings, or input and output.
    Unusable,
    /// Nothing to do, or it still waits.
    Waiting,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Unusable => 2,
            Self::Waiting => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Whether the reader of our output went away, as `flowctl … | head` does.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    is_of(error, ErrorKind::BrokenPipe)
}

/// Whether somebody ended a question with Ctrl-C.
pub fn is_interrupted(error: &anyhow::Error) -> bool {
    is_of(error, ErrorKind::Interrupted)
}

fn is_of(error: &anyhow::Error, kind: ErrorKind) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind))
}

/// An error with its causes, each told once: many of our errors already say what caused them.
pub fn told_once(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}
