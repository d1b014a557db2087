//! Where plans come from, as the engine sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::definition::Process;
use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::execution::{ExecutionId, Plan, TenantId};

use crate::store::StoreError;

/// The processes that a repository has now, at the head of its default branch.
#[derive(Debug, Clone)]
pub struct Published {
    /// The commit.
    pub revision: String,
    /// The processes.
    pub processes: Vec<Arc<Process>>,
    /// Names of files of processes that cannot be read.
    pub unreadable: Vec<String>,
}

impl Published {
    /// Whether a process is there and not archived. One whose file cannot be read may be.
    #[must_use]
    pub fn is_live(&self, process: &str) -> bool {
        let there = self.processes.iter().find(|it| it.header.name.as_str() == process);
        there.is_some_and(|it| it.header.status != ProcessStatus::Archived)
            || self.unreadable.iter().any(|name| name == process)
    }
}

/// A branch as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchHead {
    /// Its short name.
    pub branch: String,
    /// Its commit.
    pub commit: String,
    /// Who committed it, by name.
    pub committer: String,
    /// What the commit says.
    pub message: String,
}

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

    /// The processes of a repository as they stand now: what may be started by something that happens.
    ///
    /// # Errors
    /// Where the repository is not known or cannot be read now.
    async fn published(&self, _tenant: &TenantId, repository: &str) -> Result<Published, DefinitionError> {
        let reason = "nothing here starts by itself".to_owned();
        Err(DefinitionError::Unavailable { repository: repository.to_owned(), reason })
    }

    /// GitHub's id of a repository, which stays while names change; nothing: it is not known, or not on GitHub.
    ///
    /// # Errors
    /// Where the store failed.
    async fn repository_id(&self, _tenant: &TenantId, _repository: &str) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Repositories of a tenant that are served although nothing was heard of them yet.
    fn served(&self, _tenant: &TenantId) -> Vec<String> {
        Vec::new()
    }

    /// The default branch of a repository on this machine, of which nobody tells when it moves; nothing: it has none, or
    /// is elsewhere.
    ///
    /// # Errors
    /// Where the repository cannot be read now.
    async fn head(&self, _tenant: &TenantId, _repository: &str) -> Result<Option<BranchHead>, DefinitionError> {
        Ok(None)
    }

    /// The paths whose files differ between two commits; nothing: one of them is not there any more.
    ///
    /// # Errors
    /// Where the repository cannot be read now.
    async fn changed_paths(
        &self,
        _tenant: &TenantId,
        _repository: &str,
        _before: &str,
        _after: &str,
    ) -> Result<Option<BTreeSet<String>>, DefinitionError> {
        Ok(None)
    }

    /// How the repository of an execution is called now, where it had this name; nothing: that cannot be said, or another
    /// one has its name.
    ///
    /// # Errors
    /// Where it cannot be said now.
    async fn called_now(
        &self,
        _tenant: &TenantId,
        _execution: ExecutionId,
        repository: &str,
    ) -> Result<Option<String>, DefinitionError> {
        Ok(Some(repository.to_owned()))
    }

    /// Whether some process of the repository may start when this one ends, as far as is known without reading.
    fn may_follow(&self, _tenant: &TenantId, _repository: &str, _process: &str) -> bool {
        false
    }
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
