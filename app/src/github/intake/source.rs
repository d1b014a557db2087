//! What intake asks of a repository's git side. Only the default branch's definitions are ever started.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::definition::repository::{Definition, FileKind, Repository, stem};
use flowctl_core::definition::settings::FlowSettings;
use flowctl_core::definition::workflows::Workflows;
use flowctl_core::definition::{Process, Role, Trigger};
use flowctl_core::diff::{Difference, Status, compare};
use flowctl_core::execution::TenantId;
use flowctl_core::simulation::{Stage, preview};
use flowctl_core::validate::{Options, Report, Severity, validate};

use super::trigger::triggers;
use crate::github::definitions::{DefinitionsAt, Push, ReadError, Repositories};
use crate::github::mirror::{Content, Mirror, MirrorError, Reference};
use crate::github::wording::preview::Preview;

/// Why a repository cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SourceError {
    /// What happened.
    pub reason: String,
    /// Whether it may pass by itself.
    pub passes: bool,
}

/// The definitions at the head of the default branch.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// The commit: 40 hexadecimal digits.
    pub revision: String,
    /// Every process that could be read, in the order of the files' paths.
    pub processes: Vec<Arc<Process>>,
    /// Files of processes that could not be read: the name that the file has, and the first thing wrong with it.
    pub unreadable: Vec<(String, String)>,
    /// `.flow/flow.yaml`, where there is one that could be read.
    pub settings: Option<FlowSettings>,
    /// The first error of `.flow/flow.yaml` with its place: what it would restrict is not known then.
    pub settings_fault: Option<String>,
}

impl Published {
    /// The process with this name.
    pub fn process(&self, name: &str) -> Option<&Arc<Process>> {
        self.processes.iter().find(|process| process.header.name.as_str() == name)
    }

    /// The permission that `flow.yaml` demands for a command.
    pub fn demands(&self, verb: &str) -> Option<Role> {
        let commands = &self.settings.as_ref()?.commands;
        commands.iter().find(|(name, _)| name.value.trim_start_matches('/') == verb).map(|(_, command)| command.role)
    }

    /// The words of comment triggers, each with its process.
    pub fn words(&self) -> Vec<(String, String)> {
        let mut words = Vec::new();
        for process in &self.processes {
            for trigger in triggers(process) {
                if let Trigger::Comment(word) = trigger {
                    words.push((word.value.word().to_owned(), process.header.name.as_str().to_owned()));
                }
            }
        }
        words
    }
}

/// Two commits of a pull request or of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What a pull request brings: from where it left its base to its head.
    PullRequest {
        /// Its number.
        number: u64,
        /// The base's commit.
        base: String,
        /// The head's commit.
        head: String,
    },
    /// What a push brought.
    Push {
        /// The commit before.
        before: String,
        /// The commit after.
        after: String,
    },
}

/// What is found in the definitions that a change leads to.
#[derive(Debug)]
pub struct Validation {
    /// What validation finds.
    pub report: Report,
    /// What differs from before.
    pub difference: Difference,
    /// Whether a weakening fails the check.
    pub fails_on_weakening: bool,
    /// What the processes that changed would do.
    pub previews: Vec<Preview>,
}

/// Reads repositories.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The definitions at the head of the default branch, as it stands now.
    async fn published(&self, tenant: &TenantId, repository: &str) -> Result<Arc<Published>, SourceError>;

    /// Somebody is known to have moved the default branch of a repository of this account.
    fn pushed(&self, _tenant: &TenantId, _push: Push) {}

    /// The paths that a change touches; of a renamed file both.
    async fn changed_paths(
        &self,
        tenant: &TenantId,
        repository: &str,
        change: &Change,
    ) -> Result<BTreeSet<String>, SourceError>;

    /// What validation finds in the definitions that a change leads to, held against those before it.
    async fn validated(&self, tenant: &TenantId, repository: &str, change: &Change) -> Result<Validation, SourceError>;

    /// Whether two commits of a pull request hold the same files.
    async fn same_tree(
        &self,
        tenant: &TenantId,
        repository: &str,
        number: u64,
        commits: (&str, &str),
    ) -> Result<bool, SourceError>;
}

impl From<ReadError> for SourceError {
    fn from(error: ReadError) -> Self {
        Self { reason: error.to_string(), passes: error.is_transient() }
    }
}

impl From<MirrorError> for SourceError {
    fn from(error: MirrorError) -> Self {
        Self { reason: error.to_string(), passes: error.is_transient() }
    }
}

#[async_trait]
impl Source for Repositories {
    async fn published(&self, tenant: &TenantId, repository: &str) -> Result<Arc<Published>, SourceError> {
        let definitions = self.current(tenant, repository).await?;
        let processes = definitions.repository.processes().map(|(_, process)| Arc::clone(process)).collect();
        let settings = definitions.repository.settings().cloned();
        let settings_fault = definitions.fault_of(|file| file.kind == FileKind::Settings);
        let unreadable = unreadable(&definitions);
        let revision = definitions.revision.clone();
        Ok(Arc::new(Published { revision, processes, unreadable, settings, settings_fault }))
    }

    fn pushed(&self, tenant: &TenantId, push: Push) {
        self.note_push(tenant, push);
    }

    async fn changed_paths(
        &self,
        tenant: &TenantId,
        repository: &str,
        change: &Change,
    ) -> Result<BTreeSet<String>, SourceError> {
        let mirror = self.mirror(tenant, repository).await?;
        let (from, to) = commits(&mirror, change).await?;
        Ok(mirror.changed_paths(&from, &to).await?)
    }

    async fn validated(&self, tenant: &TenantId, repository: &str, change: &Change) -> Result<Validation, SourceError> {
        let mirror = self.mirror(tenant, repository).await?;
        let (from, to) = commits(&mirror, change).await?;
        let (before, after) = (self.at(tenant, repository, &from).await?, self.at(tenant, repository, &to).await?);
        let workflows = mirror.read_tree(&to, WORKFLOWS).await?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut workflow_files = Workflows::default();
        for file in workflows {
            let text = match &file.content {
                Content::Text(text) => Some(text.to_string()),
                _ => None,
            };
            workflow_files.add(name(&file.path), text);
        }
        let options = Options {
            base: Some(&before.repository),
            workflow_files: Some(&workflow_files),
            prices: Some(self.prices()),
            ..Options::default()
        };
        let report = validate(&after.repository, &options);
        let difference = compare(&before.repository, &after.repository);
        // A change cannot turn off what it is judged by.
        let asked = |definitions: &DefinitionsAt| {
            definitions.repository.settings().is_some_and(|settings| settings.validate.fail_on_weakening)
        };
        let fails_on_weakening = asked(&before) || asked(&after);
        let previews = played(&after.repository, &report, &difference);
        Ok(Validation { report, difference, fails_on_weakening, previews })
    }

    async fn same_tree(
        &self,
        tenant: &TenantId,
        repository: &str,
        number: u64,
        commits: (&str, &str),
    ) -> Result<bool, SourceError> {
        let mirror = self.mirror(tenant, repository).await?;
        let (one, other) = commits;
        let commit = |id: &str| Reference::Commit(id.to_owned());
        mirror.fetch(&[Reference::PullRequest(number), commit(one), commit(other)]).await?;
        // A commit that was pushed over may be gone for good: then nobody can say that the files are the same.
        if !mirror.contains(one).await? || !mirror.contains(other).await? {
            return Ok(false);
        }
        Ok(mirror.changed_paths(one, other).await?.is_empty())
    }
}

fn unreadable(definitions: &DefinitionsAt) -> Vec<(String, String)> {
    let processes =
        definitions.repository.files.values().map(AsRef::as_ref).filter(|file| file.kind == FileKind::Process);
    let lost = processes.filter(|file| match &file.definition {
        Some(Definition::Process(process)) => !process.is_identified(),
        _ => true,
    });
    lost.map(|file| {
        let path = file.source.path();
        let fault = definitions.fault_of(|other| std::ptr::eq(other, file));
        (stem(path).to_owned(), fault.unwrap_or_else(|| format!("{path} cannot be read")))
    })
    .collect()
}

/// Processes of one change that are played: a page of paths is as much as anybody reads.
const MOST_PLAYED: usize = 10;

/// Plays the processes that are new or mean something else than before. Nothing of them runs: expressions are evaluated
/// within their limits, and the world is examples.
fn played(repository: &Repository, report: &Report, difference: &Difference) -> Vec<Preview> {
    let is_changed = |status| matches!(status, Status::Added | Status::Changed | Status::Renamed);
    let changed = difference.definitions.iter().filter(|it| it.kind == "process" && is_changed(it.status));
    let broken: BTreeSet<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.path.as_str())
        .collect();
    let sound = |name: &str| repository.files_of(name).into_iter().all(|file| !broken.contains(file.source.path()));
    let names: Vec<&str> = changed.map(|it| it.name.as_str()).filter(|name| sound(name)).take(MOST_PLAYED).collect();
    let stage = Stage::of(repository, names.iter().copied());
    let play = |name: &str| {
        let (_, process) = repository.process(name)?;
        Some(Preview { process: name.to_owned(), run: preview(&stage, process) })
    };
    names.into_iter().filter_map(play).collect()
}

/// Where GitHub reads workflows.
const WORKFLOWS: &str = ".github/workflows";

/// Fetches a change and gives the commits on its two sides.
async fn commits(mirror: &Mirror, change: &Change) -> Result<(String, String), MirrorError> {
    let commit = |id: &str| Reference::Commit(id.to_owned());
    match change {
        Change::PullRequest { number, base, head } => {
            mirror.fetch(&[Reference::PullRequest(*number), commit(base), commit(head)]).await?;
            // Without a common ancestor everything is new.
            let from = mirror.merge_base(base, head).await?;
            Ok((from.unwrap_or_else(|| base.clone()), head.clone()))
        }
        Change::Push { before, after } => {
            mirror.fetch(&[commit(before), commit(after)]).await?;
            Ok((before.clone(), after.clone()))
        }
    }
}
