//! What the sandbox refuses, and why, in words for the person who asked.
//! Rooms that speak a protocol (REST, page, scenario) translate this; they add no reasons of their own.

use std::path::PathBuf;

/// One fault of one field, as GitHub lists them in `errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// GitHub's name of the kind of object, such as `IssueComment`.
    pub resource: &'static str,
    /// The field of the request.
    pub field: String,
    /// GitHub's code: `missing`, `missing_field`, `invalid`, `already_exists`, `unprocessable`, `custom`.
    pub code: &'static str,
    /// What is wrong, when the code does not say it all.
    pub message: Option<String>,
}

/// Why the sandbox did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The named thing is not there (or the asker may not know that it is).
    #[error("{0} does not exist")]
    NotFound(String),
    /// The asker may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The request makes no sense for this object; `errors` says which fields.
    #[error("{message}")]
    Invalid {
        /// The sentence on top.
        message: String,
        /// The faults by field, possibly none.
        errors: Vec<FieldFault>,
    },
    /// The request is understood and refused, for a reason that no single field has.
    #[error("{0}")]
    Unprocessable(String),
    /// The object is in a state that forbids it (a merge with conflicts, a closed pull request).
    #[error("{0}")]
    Conflict(String),
    /// The git library refused.
    #[error("git: {0}")]
    Git(#[from] git2::Error),
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The App's RSA key could not be made.
    #[error("the App's RSA key could not be made")]
    Key,
    /// The stored state cannot be read back.
    #[error("the sandbox's state in {path} cannot be read: {reason}; delete the folder to start anew")]
    Snapshot {
        /// The snapshot file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was waited for did not come in time.
    #[error("waited {seconds} s for {what}")]
    NotInTime {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: f64,
    },
}

impl SandboxError {
    /// A refusal with one sentence and no fields.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), errors: Vec::new() }
    }

    /// A refusal of one field: GitHub's `Validation Failed` with one entry.
    pub fn field(resource: &'static str, field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            message: "Validation Failed".to_owned(),
            errors: vec![FieldFault { resource, field: field.to_owned(), code, message: Some(message.into()) }],
        }
    }

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
