//! The definitions of a repository at a commit, read from its mirror and kept while they are in use. Only commits that
//! somebody pinned are read; which commit may run is decided by whoever starts an execution.

mod pushes;
mod settings;

pub use pushes::Push;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::definition::Trigger;
use flowctl_core::definition::repository::{Definition, File, FileKind, Form, Repository, stem};
use flowctl_core::execution::{ExecutionId, Plan, PlanError, TenantId};
use flowctl_core::types::reads_pull_request;
use flowctl_core::validate::{Options, Report, Severity, validate};
use flowctl_core::value::Prices;
use indexmap::IndexMap;
use tokio::time::Instant;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::engine::{BranchHead, DefinitionError, Definitions, Published};
use crate::github::client::{GitHub, InstallationId, RepositoryName};
use crate::github::mirror::{Content, DefaultBranch, Mirror, MirrorError, Mirrors, Reference};
use crate::github::outbox::AuditReferences;
use crate::github::whose::{had_before, of_execution};
use crate::store::{RepositoryCalled, Store, StoreError};

/// The folder of definitions.
pub const FOLDER: &str = ".flow";
/// Stands for a file that is no text; validation finds an error in it.
const UNREADABLE: &str = "\u{fffd}";
/// How many commits' definitions are kept: each is some hundred kilobytes at the most usual sizes.
const MAX_KEPT: usize = 256;

/// How long the head of a default branch is taken for known after it was read: within that time commits in local
/// repositories are seen, and GitHub tells of its own.
const HEAD_KNOWN: Duration = Duration::from_secs(2);

/// Why a repository's definitions cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// Nobody knows the repository.
    #[error("repository `{repository}` is not served here")]
    UnknownRepository {
        /// Its name.
        repository: String,
    },
    /// It has no commit yet.
    #[error("repository `{repository}` has no commit on its default branch")]
    Empty {
        /// Its name.
        repository: String,
    },
    /// It could not be read.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The store did not answer.
    #[error("the database does not answer: {0}")]
    Store(String),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl ReadError {
    /// Whether it may pass by itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Mirror(error) => error.is_transient(),
            Self::Store(_) => true,
            Self::UnknownRepository { .. } | Self::Empty { .. } => false,
        }
    }
}

/// The definitions of a repository at one commit.
#[derive(Debug)]
pub struct DefinitionsAt {
    /// The commit: 40 hexadecimal digits.
    pub revision: String,
    /// Every file below `.flow/`.
    pub repository: Repository,
    /// What validation finds.
    pub report: Report,
    plans: Mutex<BTreeMap<String, Arc<Plan>>>,
    /// Of each process that was asked about, who reads a pull request where it is started by hand.
    readers: Mutex<BTreeMap<String, Option<String>>>,
    name: String,
    /// The processes whose end starts others.
    followed: BTreeSet<String>,
}

fn followed(repository: &Repository) -> BTreeSet<String> {
    let triggers = repository.processes().flat_map(|(_, process)| process.header.triggers.iter().flatten());
    let names = triggers.filter_map(|trigger| match &trigger.value {
        Trigger::Process(trigger) => Some(trigger.name.value.as_str().to_owned()),
        _ => None,
    });
    names.collect()
}

impl DefinitionsAt {
    /// The process with this name, made ready to run.
    ///
    /// # Errors
    /// Where there is no such process, or it has errors.
    pub fn plan(&self, process: &str) -> Result<Arc<Plan>, DefinitionError> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(process) {
            return Ok(Arc::clone(plan));
        }
        let unknown = || DefinitionError::NotFound {
            process: process.to_owned(),
            repository: self.name.clone(),
            revision: self.revision.clone(),
        };
        self.refuse_unsound(process)?;
        let plan = self.repository.plan(process).ok_or_else(unknown)?;
        let faulty =
            |reason: PlanError| DefinitionError::Faulty { process: process.to_owned(), reason: reason.to_string() };
        let plan = plan.map_err(faulty)?;
        let plan = Arc::new(plan);
        plans.insert(process.to_owned(), Arc::clone(&plan));
        Ok(plan)
    }

    /// Of a process and those that it runs, the one that fails where it is started by hand and not on a pull request, since it
    /// reads one.
    pub fn reads_pull_request(&self, process: &str) -> Option<String> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let find = || reads_pull_request(&self.repository, process);
        readers.entry(process.to_owned()).or_insert_with(find).clone()
    }

    /// A process with an error, in its own file or in one that it refers to, does not run: what is left of it when
    /// the faulty parts are left out is not what its author wrote, and may ask fewer people.
    fn refuse_unsound(&self, process: &str) -> Result<(), DefinitionError> {
        let files = self.repository.files_of(process);
        match self.fault_of(|file| files.iter().any(|used| std::ptr::eq(*used, file))) {
            Some(reason) => Err(DefinitionError::Faulty { process: process.to_owned(), reason }),
            None => Ok(()),
        }
    }

    /// The names that files of processes have which cannot be read: what they hold is not known.
    fn unreadable(&self) -> Vec<String> {
        let files = self.repository.files.values().filter(|file| file.kind == FileKind::Process);
        let lost = files.filter(|file| match &file.definition {
            Some(Definition::Process(process)) => !process.is_identified(),
            _ => true,
        });
        lost.map(|file| stem(file.source.path()).to_owned()).collect()
    }

    /// The first error in one of these files, with its place.
    pub fn fault_of(&self, wanted: impl Fn(&File) -> bool) -> Option<String> {
        let errors = self.report.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let mut wanted =
            errors.filter(|finding| self.repository.files.get(finding.path.as_str()).is_some_and(|file| wanted(file)));
        let finding = wanted.next()?;
        let start = finding.range.start;
        Some(format!("{}:{}:{}: {}", finding.path, start.line, start.column, finding.message))
    }
}

/// Where repositories come from.
#[derive(Clone)]
pub struct Repositories {
    mirrors: Mirrors,
    local: Arc<BTreeMap<String, PathBuf>>,
    github: Option<(GitHub, Url)>,
    store: Arc<dyn Store>,
    kept: Arc<Mutex<IndexMap<Key, Arc<DefinitionsAt>>>>,
    heads: Arc<Mutex<BTreeMap<(TenantId, String), Head>>>,
    pushes: Arc<pushes::Pushes>,
    /// The settings of each repository that this server has seen last.
    told_here: Arc<Mutex<BTreeMap<(TenantId, String), SettingsFiles>>>,
    audit_references: AuditReferences,
    clock: Arc<dyn Clock>,
    prices: Arc<Prices>,
}

/// The head of a default branch as it was read.
struct Head {
    /// When reading it began.
    asked: Instant,
    definitions: Arc<DefinitionsAt>,
    /// Whether other repositories had the name: executions of theirs may go on under it.
    is_shared: bool,
}

type Key = (TenantId, String, String);
/// Files that hold settings: by path the SHA-256 of the text.
type SettingsFiles = BTreeMap<String, String>;

impl Repositories {
    /// Local repositories by name, and those of GitHub below `web_url`.
    pub fn new(
        mirrors: Mirrors,
        local: BTreeMap<String, PathBuf>,
        github: Option<(GitHub, Url)>,
        store: Arc<dyn Store>,
    ) -> Self {
        Self {
            mirrors,
            local: Arc::new(local),
            github,
            store,
            kept: Arc::default(),
            heads: Arc::default(),
            pushes: Arc::default(),
            told_here: Arc::default(),
            audit_references: AuditReferences::default(),
            clock: Arc::new(SystemClock),
            prices: Arc::default(),
        }
    }

    /// The same, which keep in mind whose audit log goes to a reference.
    #[must_use]
    pub fn with_audit_references(self, audit_references: AuditReferences) -> Self {
        Self { audit_references, ..self }
    }

    /// The same, judging budgets by these prices of models.
    #[must_use]
    pub fn with_prices(self, prices: Arc<Prices>) -> Self {
        Self { prices, ..self }
    }

    /// What models cost.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The names of the local repositories.
    pub fn local_names(&self) -> impl Iterator<Item = &str> {
        self.local.keys().map(String::as_str)
    }

    /// The mirror of a repository.
    ///
    /// # Errors
    /// Where nobody knows the repository.
    pub async fn mirror(&self, tenant: &TenantId, repository: &str) -> Result<Mirror, ReadError> {
        let unknown = || ReadError::UnknownRepository { repository: repository.to_owned() };
        if *tenant == TenantId::local() {
            let folder = self.local.get(repository).ok_or_else(unknown)?;
            return Ok(self.mirrors.local(repository, folder));
        }
        let (github, web_url) = self.github.as_ref().ok_or_else(unknown)?;
        let installation = self.store.installation(tenant).await?.filter(|found| !found.deleted).ok_or_else(unknown)?;
        let (owner, name) = repository.split_once('/').ok_or_else(unknown)?;
        let name = RepositoryName::new(owner, name).map_err(|_| unknown())?;
        let clone_url = clone_url(web_url, &name).ok_or_else(unknown)?;
        let credentials = Arc::new(github.installation(InstallationId(installation.id)));
        Ok(self.mirrors.remote(tenant.as_str(), &name, &clone_url, credentials)?)
    }

    /// The definitions at the head of the default branch, as it stands now. Where its settings are new, the audit log
    /// knows of them before anybody does.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub async fn current(&self, tenant: &TenantId, repository: &str) -> Result<Arc<DefinitionsAt>, ReadError> {
        let asked = Instant::now();
        let mirror = self.mirror(tenant, repository).await?;
        let definitions = self.fetched(tenant, repository, &mirror).await?;
        let definitions = self.noted((tenant, repository), &mirror, definitions).await?;
        let is_shared = self.store.repositories_called(tenant, repository).await?.len() > 1;
        let head = Head { asked, definitions: Arc::clone(&definitions), is_shared };
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.retain(|_, known| known.asked.elapsed() < HEAD_KNOWN);
        heads.insert((tenant.clone(), repository.to_owned()), head);
        Ok(definitions)
    }

    /// The definitions at a commit.
    ///
    /// # Errors
    /// Where the repository or the commit cannot be read.
    pub async fn at(
        &self,
        tenant: &TenantId,
        repository: &str,
        revision: &str,
    ) -> Result<Arc<DefinitionsAt>, ReadError> {
        let key = (tenant.clone(), repository.to_owned(), revision.to_owned());
        if let Some(kept) = self.recall(&key) {
            return Ok(kept);
        }
        let mirror = self.mirror_with(tenant, repository, revision).await?;
        let files = mirror.read_tree(revision, FOLDER).await?;
        // What is no text is there all the same, as a file with an error: nothing is silently left out.
        let mut read = Repository::default();
        for file in files {
            read.insert(match file.content {
                Content::Text(text) => File::read(&file.path, &text),
                Content::Link => File::irregular(&file.path, Form::Link),
                Content::Binary { .. } | Content::TooLarge { .. } => File::read(&file.path, UNREADABLE),
            });
        }
        let report = validate(&read, &Options { prices: Some(&*self.prices), ..Options::default() });
        let followed = followed(&read);
        let definitions = Arc::new(DefinitionsAt {
            followed,
            revision: revision.to_owned(),
            repository: read,
            report,
            plans: Mutex::default(),
            readers: Mutex::default(),
            name: repository.to_owned(),
        });
        self.keep(key, &definitions);
        Ok(definitions)
    }

    /// A mirror that holds a commit: that of the repository of this name, or of one that had the name before. A commit's id
    /// says what is in it, whoever has it.
    async fn mirror_with(&self, tenant: &TenantId, repository: &str, revision: &str) -> Result<Mirror, ReadError> {
        let mirror = self.mirror(tenant, repository).await?;
        let commit = [Reference::Commit(revision.to_owned())];
        if mirror.contains(revision).await? {
            return Ok(mirror);
        }
        let Err(error) = mirror.fetch(&commit).await else { return Ok(mirror) };
        for name in had_before(&*self.store, tenant, repository).await? {
            let other = self.mirror(tenant, &name).await?;
            if other.contains(revision).await? || other.fetch(&commit).await.is_ok() {
                return Ok(other);
            }
        }
        Err(error.into())
    }

    fn recall(&self, key: &Key) -> Option<Arc<DefinitionsAt>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.get_index_of(key)?;
        // What was used last is dropped last.
        let last = kept.len() - 1;
        kept.move_index(place, last);
        kept.get(key).cloned()
    }

    fn keep(&self, key: Key, definitions: &Arc<DefinitionsAt>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, Arc::clone(definitions));
        while kept.len() > MAX_KEPT {
            kept.shift_remove_index(0);
        }
    }

    /// Asks GitHub which repository has a name of which no delivery has told yet, and remembers it. Without an answer nothing is
    /// known.
    async fn ask_whose(&self, tenant: &TenantId, repository: &str) -> Result<Option<u64>, StoreError> {
        let installation = self.store.installation(tenant).await?.filter(|found| !found.deleted);
        let (Some((github, _)), Some(installation)) = (&self.github, installation) else { return Ok(None) };
        let Ok(name) = repository.parse::<RepositoryName>() else { return Ok(None) };
        let at = self.clock.now();
        let found = match github.installation(InstallationId(installation.id)).get_repository(&name).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(repository, %error, "which repository this is cannot be said now");
                return Ok(None);
            }
        };
        let (id, name) = (found.id, found.name.to_string());
        let is_it = name == repository;
        self.store.call_repository(RepositoryCalled { id, tenant: tenant.clone(), name, at }).await?;
        Ok(is_it.then_some(id))
    }
}

#[async_trait]
impl Definitions for Repositories {
    async fn plan(
        &self,
        tenant: &TenantId,
        repository: &str,
        revision: &str,
        process: &str,
    ) -> Result<Arc<Plan>, DefinitionError> {
        let definitions = self.at(tenant, repository, revision).await.map_err(|error| {
            DefinitionError::Unavailable { repository: repository.to_owned(), reason: error.to_string() }
        })?;
        definitions.plan(process)
    }

    async fn published(&self, tenant: &TenantId, repository: &str) -> Result<Published, DefinitionError> {
        let current = self.current(tenant, repository).await.map_err(|error| DefinitionError::Unavailable {
            repository: repository.to_owned(),
            reason: error.to_string(),
        })?;
        let processes = current.repository.processes().map(|(_, process)| Arc::clone(process)).collect();
        Ok(Published { revision: current.revision.clone(), processes, unreadable: current.unreadable() })
    }

    async fn repository_id(&self, tenant: &TenantId, repository: &str) -> Result<Option<u64>, StoreError> {
        if *tenant == TenantId::local() {
            return Ok(None);
        }
        match self.store.repository_called(tenant, repository).await? {
            Some(id) => Ok(Some(id)),
            None => self.ask_whose(tenant, repository).await,
        }
    }

    async fn head(&self, tenant: &TenantId, repository: &str) -> Result<Option<BranchHead>, DefinitionError> {
        if *tenant != TenantId::local() {
            return Ok(None);
        }
        let unavailable = |reason: String| DefinitionError::Unavailable { repository: repository.to_owned(), reason };
        let mirror = self.mirror(tenant, repository).await.map_err(|error| unavailable(error.to_string()))?;
        let branch = mirror.default_branch().await.map_err(|error| unavailable(error.to_string()))?;
        // `HEAD`: a commit is checked out, and no branch.
        let Some(DefaultBranch { name, commit }) = branch.filter(|branch| branch.name != "HEAD") else {
            return Ok(None);
        };
        let said = mirror.commit(&commit).await.map_err(|error| unavailable(error.to_string()))?;
        Ok(Some(BranchHead { branch: name, commit, committer: said.committer, message: said.message }))
    }

    async fn changed_paths(
        &self,
        tenant: &TenantId,
        repository: &str,
        before: &str,
        after: &str,
    ) -> Result<Option<BTreeSet<String>>, DefinitionError> {
        let unavailable = |reason: String| DefinitionError::Unavailable { repository: repository.to_owned(), reason };
        let mirror = self.mirror(tenant, repository).await.map_err(|error| unavailable(error.to_string()))?;
        match mirror.changed_paths(before, after).await {
            Ok(changed) => Ok(Some(changed)),
            Err(MirrorError::UnknownCommit { .. }) => Ok(None),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }

    fn served(&self, tenant: &TenantId) -> Vec<String> {
        if *tenant == TenantId::local() { self.local.keys().cloned().collect() } else { Vec::new() }
    }

    async fn called_now(
        &self,
        tenant: &TenantId,
        execution: ExecutionId,
        repository: &str,
    ) -> Result<Option<String>, DefinitionError> {
        if *tenant == TenantId::local() {
            return Ok(Some(repository.to_owned()));
        }
        let unavailable = |error: StoreError| DefinitionError::Unavailable {
            repository: repository.to_owned(),
            reason: ReadError::from(error).to_string(),
        };
        // Of one that is not kept any more nobody can say whose it was.
        let Some(stored) = self.store.load(tenant, execution).await.map_err(unavailable)? else { return Ok(None) };
        let now = of_execution(&*self.store, &stored.execution).await.map_err(unavailable)?;
        Ok(now.ok())
    }

    fn may_follow(&self, tenant: &TenantId, repository: &str, process: &str) -> bool {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let head = heads.get(&(tenant.clone(), repository.to_owned()));
        // Only the head as it stands rules anything out; what was read earlier says nothing of what came since.
        head.filter(|head| head.asked.elapsed() < HEAD_KNOWN)
            .is_none_or(|head| head.is_shared || head.definitions.followed.contains(process))
    }
}

fn clone_url(web_url: &Url, name: &RepositoryName) -> Option<Url> {
    let base = web_url.as_str().trim_end_matches('/');
    format!("{base}/{}/{}.git", name.owner(), name.name()).parse().ok()
}

#[cfg(test)]
mod tests;
