//! What the sandbox saw, for assertions.

use crate::error::SandboxError;
use crate::hub::Hub;
use crate::state::{Account, CheckRun, Comment, Delivery, Id, Issue, Reaction, Review, Subject, WorkflowRun};

impl Hub {
    /// The commit of a branch.
    pub fn branch(&self, repository: &str, branch: &str) -> Result<String, SandboxError> {
        self.read(|view| {
            let found = view.world.repository(repository)?.branch(branch).map(str::to_owned);
            found.ok_or_else(|| SandboxError::NotFound(format!("branch `{branch}`")))
        })
    }

    /// The pull request or issue.
    pub fn issue(&self, repository: &str, number: u64) -> Result<Issue, SandboxError> {
        self.read(|view| {
            let id = view.world.repository(repository)?.id;
            view.world.issue(id, number).cloned()
        })
    }

    /// All check runs of a commit, oldest first, each with its history.
    pub fn check_runs(&self, repository: &str, head_sha: &str) -> Result<Vec<CheckRun>, SandboxError> {
        self.read(|view| {
            let id = view.world.repository(repository)?.id;
            Ok(view.world.check_runs_of(id, head_sha).cloned().collect())
        })
    }

    /// All check runs of a pull request's commits, past ones too, oldest first.
    pub fn check_runs_of_pull_request(&self, repository: &str, number: u64) -> Result<Vec<CheckRun>, SandboxError> {
        self.read(|view| {
            let id = view.world.repository(repository)?.id;
            let (_, side) = view.world.pull_request(id, number)?;
            let commits = view.git.compare(id, &side.base_sha, &side.head_sha)?.commits;
            let of_pull_request =
                |run: &&CheckRun| run.repository == id && commits.iter().any(|commit| commit.sha == run.head_sha);
            Ok(view.world.check_runs.values().filter(of_pull_request).cloned().collect())
        })
    }

    /// All workflow runs of a repository, oldest first.
    pub fn workflow_runs(&self, repository: &str) -> Result<Vec<WorkflowRun>, SandboxError> {
        self.read(|view| {
            let id = view.world.repository(repository)?.id;
            Ok(view.world.workflow_runs_of(id).cloned().collect())
        })
    }

    /// All comments of an issue, oldest first.
    pub fn comments(&self, repository: &str, number: u64) -> Result<Vec<Comment>, SandboxError> {
        self.read(|view| {
            let id = view.world.repository(repository)?.id;
            let issue = view.world.issue(id, number)?.id;
            Ok(view.world.comments_of(issue).cloned().collect())
        })
    }

    /// All reviews of a pull request, oldest first.
    pub fn reviews(&self, repository: &str, number: u64) -> Result<Vec<Review>, SandboxError> {
        self.read(|view| {
            let id = view.world.repository(repository)?.id;
            let issue = view.world.issue(id, number)?.id;
            Ok(view.world.reviews_of(issue).cloned().collect())
        })
    }

    /// All reactions on a comment, oldest first.
    pub fn reactions(&self, comment: Id) -> Vec<Reaction> {
        self.read(|view| view.world.reactions_on(Subject::Comment(comment)).cloned().collect())
    }

    /// All deliveries, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.read(|view| view.world.deliveries.values().cloned().collect())
    }

    /// An account by login.
    pub fn account(&self, login: &str) -> Result<Account, SandboxError> {
        self.read(|view| view.world.account(login).cloned())
    }
}
