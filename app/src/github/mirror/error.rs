//! Why a repository could not be read. Nothing here carries a token or a URL with one.

use thiserror::Error;

use crate::github::client::GitHubError;

/// Why a repository could not be fetched or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// There is no token to fetch with.
    #[error("no token to fetch {repository} with: {cause}")]
    Token {
        /// The repository.
        repository: String,
        /// Why not.
        cause: GitHubError,
    },
    /// The token is not accepted.
    #[error("{repository}: the git server does not accept our token")]
    Unauthorized {
        /// The repository.
        repository: String,
    },
    /// There is no such repository, or the App may not read it.
    #[error("{repository}: not found, or the App may not read its contents")]
    RepositoryNotFound {
        /// The repository.
        repository: String,
    },
    /// The server refuses.
    #[error("{repository}: the git server refuses ({status}); the App needs to read the repository's contents")]
    Refused {
        /// The repository.
        repository: String,
        /// The status.
        status: u16,
    },
    /// The server is there but cannot answer now.
    #[error("{repository}: the git server answers {status}")]
    Server {
        /// The repository.
        repository: String,
        /// The status.
        status: u16,
    },
    /// No answer, or one that broke off.
    #[error("{repository}: the git server cannot be reached: {message}")]
    Unreachable {
        /// The repository.
        repository: String,
        /// What happened.
        message: String,
    },
    /// The server does not speak what we understand.
    #[error("{repository}: the git server's answer is not understood: {message}")]
    Protocol {
        /// The repository.
        repository: String,
        /// What is wrong.
        message: String,
    },
    /// The server says that it cannot.
    #[error("{repository}: the git server says: {message}")]
    Remote {
        /// The repository.
        repository: String,
        /// Its words.
        message: String,
    },
    /// More than we take.
    #[error("{repository}: {what} is larger than {limit}")]
    TooLarge {
        /// The repository.
        repository: String,
        /// What is too large.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// It took too long.
    #[error("{repository}: fetching took longer than {seconds} s")]
    TimedOut {
        /// The repository.
        repository: String,
        /// The limit.
        seconds: u64,
    },
    /// The commit does not exist there (any more).
    #[error("{repository}: there is no commit {commit}; it may have been removed by a force push")]
    UnknownCommit {
        /// The repository.
        repository: String,
        /// The commit that was asked for.
        commit: String,
    },
    /// An argument that names nothing in git.
    #[error("{repository}: {message}")]
    Argument {
        /// The repository.
        repository: String,
        /// What is wrong with it.
        message: String,
    },
    /// What is on disk cannot be used.
    #[error("{repository}: the copy at {path} is damaged: {message}")]
    Corrupt {
        /// The repository.
        repository: String,
        /// Where it is.
        path: String,
        /// What git says.
        message: String,
    },
    /// The disk does not do what is asked.
    #[error("{repository}: {message}")]
    Storage {
        /// The repository.
        repository: String,
        /// What happened.
        message: String,
    },
}

impl MirrorError {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Token { cause, .. } => cause.is_transient(),
            Self::Server { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Storage { .. }
            | Self::Corrupt { .. } => true,
            _ => false,
        }
    }

    pub(super) fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}
