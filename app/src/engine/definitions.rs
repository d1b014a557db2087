//! Where plans come from, as the engine sees it.

use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::execution::{Plan, TenantId};

/// Gives the plan of a process at a commit. The same arguments give the same plan for ever: whoever implements this
/// may keep what was read.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// The plan of `process` in `repository` at the commit `revision`.
    ///
    /// # Errors
    /// Where there is none, it is faulty, or cannot be read now.
    async fn plan(
        &self,
        tenant: &TenantId,
        repository: &str,
        revision: &str,
        process: &str,
    ) -> Result<Arc<Plan>, DefinitionError>;
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The commit has no such process.
    #[error("there is no process `{process}` in {repository} at commit {revision}")]
    NotFound {
        /// The process.
        process: String,
        /// The repository.
        repository: String,
        /// The commit.
        revision: String,
    },
    /// The process cannot run as it is written.
    #[error("process `{process}` cannot run: {reason}; `flowctl validate` shows where")]
    Faulty {
        /// The process.
        process: String,
        /// Why.
        reason: String,
    },
    /// The same commit gives another definition than when the execution started.
    #[error(
        "process `{process}` at commit {revision} has digest {found}, and the execution was started with {started}"
    )]
    Changed {
        /// The process.
        process: String,
        /// The commit.
        revision: String,
        /// The digest at the start.
        started: String,
        /// The digest now.
        found: String,
    },
    /// The repository cannot be read now; later it may.
    #[error("the definitions of {repository} cannot be read now: {reason}")]
    Unavailable {
        /// The repository.
        repository: String,
        /// Why.
        reason: String,
    },
}
