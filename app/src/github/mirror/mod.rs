//! Repositories as we read them: bare mirrors of remote ones below `DATA_DIR/mirrors/TENANT/OWNER/NAME.git`, and local
//! ones where they are. Nothing is ever checked out or run, and nothing is written to a repository that is not ours.
//! A mirror is a copy: it may be removed at any time and comes back with the next fetch.

mod error;
mod gate;
mod packet;
mod reading;
mod remote;
mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use git2::Repository;
use secrecy::SecretString;
use tokio::sync::mpsc;
use url::Url;

pub use error::MirrorError;
pub use reading::{CommitSaid, Content, FileAt};
pub use remote::Credentials;

use super::client::RepositoryName;
use gate::Gate;
use reading::Reading;
use remote::{Conversation, Listing, Remote};
use storage::{Piece, Storage};

/// Of one fetch, from the first request to the last reference.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Pieces of a pack that wait for the disk.
const PIECES_IN_FLIGHT: usize = 16;

/// What to fetch, or to resolve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// What `HEAD` stands for on the server.
    DefaultBranch,
    /// A branch by its short name.
    Branch(String),
    /// The head of a pull request.
    PullRequest(u64),
    /// A commit by its full id in lower case.
    Commit(String),
}

impl Reference {
    /// The name under which the server knows it and the mirror keeps it.
    fn name(&self) -> String {
        match self {
            Self::DefaultBranch => "HEAD".to_owned(),
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::PullRequest(number) => format!("refs/pull/{number}/head"),
            Self::Commit(id) => format!("refs/flowctl/commits/{id}"),
        }
    }
}

/// What a fetch found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// The commit of each reference that was asked for, perhaps of others too; `None` where it does not exist.
    pub commits: BTreeMap<Reference, Option<String>>,
    /// The default branch, where it was asked for and has a commit.
    pub default_branch: Option<DefaultBranch>,
}

impl Fetched {
    /// The commit of a reference that was asked for; `None` where it does not exist.
    #[must_use]
    pub fn commit(&self, reference: &Reference) -> Option<&str> {
        self.commits.get(reference)?.as_deref()
    }
}

/// A repository's default branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultBranch {
    /// Its short name; `HEAD` where none is checked out in a local repository.
    pub name: String,
    /// Its commit.
    pub commit: String,
}

/// All mirrors of this server.
#[derive(Clone)]
pub struct Mirrors {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    client: reqwest::Client,
    gates: Mutex<BTreeMap<PathBuf, Arc<Gate>>>,
}

impl Mirrors {
    /// Mirrors below `data_dir/mirrors`; nothing is made or fetched yet.
    ///
    /// # Errors
    /// [`MirrorError::Storage`] when TLS cannot be set up.
    pub fn new(data_dir: &Path) -> Result<Self, MirrorError> {
        let client = remote::http_client().map_err(|error| MirrorError::Storage {
            repository: "every repository".to_owned(),
            message: format!("the HTTP client cannot be set up: {error}"),
        })?;
        let shared = Shared { folder: data_dir.join("mirrors"), client, gates: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The mirror of a repository on a git server. Mirrors of the same repository share one copy and its queue.
    ///
    /// # Errors
    /// [`MirrorError::Argument`] for a tenant that cannot be a folder's name.
    pub fn remote(
        &self,
        tenant: &str,
        repository: &RepositoryName,
        clone_url: &Url,
        credentials: Arc<dyn Credentials>,
    ) -> Result<Mirror, MirrorError> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if tenant.is_empty() || tenant.starts_with('.') || tenant.len() > 100 || !tenant.chars().all(allowed) {
            let message = format!("{tenant:?} cannot be the name of a tenant's folder");
            return Err(MirrorError::Argument { repository: repository.to_string(), message });
        }
        // GitHub takes any case for the same repository; so do we.
        let (owner, name) = (repository.owner().to_ascii_lowercase(), repository.name().to_ascii_lowercase());
        let path = self.shared.folder.join(tenant).join(owner).join(format!("{name}.git"));
        let remote = Remote {
            client: self.shared.client.clone(),
            repository: repository.to_string(),
            clone_url: clone_url.clone(),
        };
        let storage = Storage { repository: repository.to_string(), path, owned: true };
        Ok(self.mirror(storage, Some((remote, credentials))))
    }

    /// A repository on this machine, read where it is; its default branch is what is checked out.
    #[must_use]
    pub fn local(&self, name: &str, directory: &Path) -> Mirror {
        let storage = Storage { repository: name.to_owned(), path: directory.to_owned(), owned: false };
        self.mirror(storage, None)
    }

    fn mirror(&self, storage: Storage, source: Option<(Remote, Arc<dyn Credentials>)>) -> Mirror {
        let mut gates = self.shared.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = Arc::clone(gates.entry(storage.path.clone()).or_default());
        Mirror { inner: Arc::new(Inner { storage, source, gate }) }
    }
}

/// One repository. Cheap to clone.
#[derive(Clone)]
pub struct Mirror {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Storage,
    /// `None`: the repository is on this machine.
    source: Option<(Remote, Arc<dyn Credentials>)>,
    gate: Arc<Gate>,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Mirror").field("storage", &self.inner.storage).finish_non_exhaustive()
    }
}

impl Mirror {
    /// The repository's name.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.inner.storage.repository
    }

    /// Brings the mirror up to date with these references. What does not exist is no error. Calls at the same time
    /// share one fetch. Commits that are here already cost no request.
    ///
    /// # Errors
    /// Any [`MirrorError`]; the mirror is then as it was before.
    pub async fn fetch(&self, references: &[Reference]) -> Result<Arc<Fetched>, MirrorError> {
        for reference in references {
            self.check(reference)?;
        }
        let Some((remote, credentials)) = &self.inner.source else {
            return self.resolve(references.to_vec()).await.map(Arc::new);
        };
        if let Some(fetched) = self.held(references).await? {
            return Ok(Arc::new(fetched));
        }
        let fetch = |wishes| async move {
            match self.attempt(remote, credentials.as_ref(), &wishes).await {
                Err(error) if error.is_corruption() => {
                    self.discard(&error).await?;
                    self.attempt(remote, credentials.as_ref(), &wishes).await
                }
                done => done,
            }
        };
        self.inner.gate.pass(references, fetch).await
    }

    /// The default branch as it was when it was last fetched; `None` before that, or without a commit.
    ///
    /// # Errors
    /// [`MirrorError::Corrupt`] and [`MirrorError::Storage`].
    pub async fn default_branch(&self) -> Result<Option<DefaultBranch>, MirrorError> {
        self.blocking(|storage| {
            if storage.owned && !storage.path.exists() {
                return Ok(None);
            }
            let repository = storage.open()?;
            let found = Reading { storage, repository: &repository }.default_branch()?;
            Ok(found.map(|(name, commit)| DefaultBranch { name, commit }))
        })
        .await
    }

    /// The files below a folder at a commit, by path: at most 10,000, at most 8 MiB each. None where there is no
    /// such folder.
    ///
    /// # Errors
    /// Any [`MirrorError`]; [`MirrorError::UnknownCommit`], [`MirrorError::TooLarge`].
    pub async fn read_tree(&self, commit: &str, folder: &str) -> Result<Vec<FileAt>, MirrorError> {
        let (at, folder) = (commit.to_owned(), folder.to_owned());
        self.read(&[commit], move |reading| reading.tree(&at, &folder)).await
    }

    /// One file at a commit; `None` where there is none.
    ///
    /// # Errors
    /// Any [`MirrorError`].
    pub async fn read_file(&self, commit: &str, path: &str) -> Result<Option<FileAt>, MirrorError> {
        let (at, path) = (commit.to_owned(), path.to_owned());
        self.read(&[commit], move |reading| reading.file_at(&at, &path)).await
    }

    /// The id of a commit's tree: equal for two commits with the same files.
    ///
    /// # Errors
    /// Any [`MirrorError`].
    pub async fn tree_id(&self, commit: &str) -> Result<String, MirrorError> {
        let at = commit.to_owned();
        self.read(&[commit], move |reading| reading.tree_id(&at)).await
    }

    /// What a commit says of itself.
    ///
    /// # Errors
    /// Any [`MirrorError`].
    pub async fn commit(&self, commit: &str) -> Result<CommitSaid, MirrorError> {
        let at = commit.to_owned();
        self.read(&[commit], move |reading| reading.commit(&at)).await
    }

    /// Whether a commit is here, without asking the server.
    ///
    /// # Errors
    /// [`MirrorError::Corrupt`] and [`MirrorError::Storage`].
    pub async fn contains(&self, commit: &str) -> Result<bool, MirrorError> {
        let commit = commit.to_owned();
        self.blocking(move |storage| {
            if storage.owned && !storage.path.exists() {
                return Ok(false);
            }
            Ok(storage::has_commit(&storage.open()?, &commit))
        })
        .await
    }

    /// The best common ancestor of two commits; `None` where they have nothing in common.
    ///
    /// # Errors
    /// Any [`MirrorError`].
    pub async fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, MirrorError> {
        let (first, second) = (one.to_owned(), other.to_owned());
        self.read(&[one, other], move |reading| reading.merge_base(&first, &second)).await
    }

    /// The paths whose files differ between two commits; of a renamed file both.
    ///
    /// # Errors
    /// Any [`MirrorError`].
    pub async fn changed_paths(&self, from: &str, to: &str) -> Result<BTreeSet<String>, MirrorError> {
        let (first, second) = (from.to_owned(), to.to_owned());
        self.read(&[from, to], move |reading| reading.changed_paths(&first, &second)).await
    }

    /// Reads at commits. What is missing or damaged in a mirror is fetched once, and read again.
    async fn read<T: Send + 'static>(
        &self,
        commits: &[&str],
        read: impl Fn(&Reading<'_>) -> Result<T, MirrorError> + Clone + Send + 'static,
    ) -> Result<T, MirrorError> {
        match self.read_once(read.clone()).await {
            Err(MirrorError::UnknownCommit { .. }) if self.inner.source.is_some() => {}
            Err(error) if error.is_corruption() && self.inner.source.is_some() => {
                // Under the gate, and only if it is still so: somebody may have repaired it since.
                let _alone = self.inner.gate.alone().await;
                match self.read_once(read.clone()).await {
                    Err(error) if error.is_corruption() => self.discard(&error).await?,
                    Err(MirrorError::UnknownCommit { .. }) => {}
                    answered => return answered,
                }
            }
            answered => return answered,
        }
        let references: Vec<_> = commits.iter().map(|commit| Reference::Commit((*commit).to_owned())).collect();
        self.fetch(&references).await?;
        self.read_once(read).await
    }

    async fn read_once<T: Send + 'static>(
        &self,
        read: impl Fn(&Reading<'_>) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, MirrorError> {
        self.blocking(move |storage| {
            let repository = if storage.owned { storage.open_or_create()? } else { storage.open()? };
            read(&Reading { storage, repository: &repository })
        })
        .await
    }

    async fn discard(&self, error: &MirrorError) -> Result<(), MirrorError> {
        tracing::warn!(repository = %self.repository(), %error, "the mirror is removed and fetched anew");
        self.blocking(Storage::discard).await
    }

    /// Runs on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Storage) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, MirrorError> {
        let storage = self.inner.storage.clone();
        let repository = storage.repository.clone();
        let done = tokio::task::spawn_blocking(move || work(&storage)).await;
        done.unwrap_or_else(|error| Err(MirrorError::Storage { repository, message: error.to_string() }))
    }

    /// A name that git does not allow could break out of a line of the protocol or of a folder.
    fn check(&self, reference: &Reference) -> Result<(), MirrorError> {
        if git2::Reference::is_valid_name(&reference.name()) {
            if let Reference::Commit(id) = reference {
                self.inner.storage.id(id)?;
            }
            return Ok(());
        }
        let message = format!("{reference:?} is no name that git allows");
        Err(MirrorError::Argument { repository: self.inner.storage.repository.clone(), message })
    }

    /// The answer where only commits are asked for and all are here.
    async fn held(&self, references: &[Reference]) -> Result<Option<Fetched>, MirrorError> {
        let mut commits = BTreeMap::new();
        for reference in references {
            let Reference::Commit(id) = reference else { return Ok(None) };
            match self.contains(id).await {
                Ok(true) => commits.insert(reference.clone(), Some(id.clone())),
                Ok(false) => return Ok(None),
                Err(error) if error.is_corruption() => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        Ok(Some(Fetched { commits, default_branch: None }))
    }

    /// The references of a repository on this machine.
    async fn resolve(&self, references: Vec<Reference>) -> Result<Fetched, MirrorError> {
        self.blocking(move |storage| {
            let repository = storage.open()?;
            let reading = Reading { storage, repository: &repository };
            let mut fetched = Fetched::default();
            for reference in references {
                let commit = match &reference {
                    Reference::DefaultBranch => {
                        let found = reading.default_branch()?;
                        fetched.default_branch = found.map(|(name, commit)| DefaultBranch { name, commit });
                        fetched.default_branch.as_ref().map(|branch| branch.commit.clone())
                    }
                    Reference::Commit(id) => storage::has_commit(&repository, id).then(|| id.clone()),
                    other => reading.resolve(&other.name())?,
                };
                fetched.commits.insert(reference, commit);
            }
            Ok(fetched)
        })
        .await
    }

    async fn attempt(
        &self,
        remote: &Remote,
        credentials: &dyn Credentials,
        wishes: &BTreeSet<Reference>,
    ) -> Result<Fetched, MirrorError> {
        let deadline = Instant::now() + FETCH_TIMEOUT;
        let fetching = self.converse(remote, credentials, wishes, deadline);
        match tokio::time::timeout(FETCH_TIMEOUT, fetching).await {
            Ok(done) => done,
            Err(_) => {
                Err(MirrorError::TimedOut { repository: remote.repository.clone(), seconds: FETCH_TIMEOUT.as_secs() })
            }
        }
    }

    async fn converse(
        &self,
        remote: &Remote,
        credentials: &dyn Credentials,
        wishes: &BTreeSet<Reference>,
        deadline: Instant,
    ) -> Result<Fetched, MirrorError> {
        let conversation = greet(remote, credentials).await?;
        let names: Vec<String> =
            wishes.iter().filter(|wish| !matches!(wish, Reference::Commit(_))).map(Reference::name).collect();
        let listing = if names.is_empty() { Listing::default() } else { conversation.list(&names).await? };
        let mut fetched = found(wishes, &listing);
        self.bring(&conversation, &mut fetched, deadline).await?;
        self.keep(fetched).await
    }

    /// Fetches what is missing. A commit that the server does not have is taken out and the rest fetched without it.
    async fn bring(
        &self,
        conversation: &Conversation<'_>,
        fetched: &mut Fetched,
        deadline: Instant,
    ) -> Result<(), MirrorError> {
        loop {
            let wanted: BTreeSet<String> = fetched.commits.values().flatten().cloned().collect();
            let (missing, haves) = self
                .blocking(move |storage| {
                    let repository = storage.open_or_create()?;
                    let missing = storage.missing(&repository, &wanted);
                    let haves = if missing.is_empty() { Vec::new() } else { storage.haves(&repository)? };
                    Ok((missing, haves))
                })
                .await?;
            if missing.is_empty() {
                return Ok(());
            }
            match self.transfer(conversation, &missing, &haves, deadline).await {
                Ok(()) => return self.verify(missing).await,
                Err(MirrorError::UnknownCommit { commit, .. }) => {
                    for found in fetched.commits.values_mut().filter(|found| found.as_ref() == Some(&commit)) {
                        *found = None;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Streams a pack from the server to the disk.
    async fn transfer(
        &self,
        conversation: &Conversation<'_>,
        wants: &[String],
        haves: &[String],
        deadline: Instant,
    ) -> Result<(), MirrorError> {
        let (sender, receiver) = mpsc::channel::<Piece>(PIECES_IN_FLIGHT);
        let indexing = self.blocking(move |storage| storage.index(receiver, deadline));
        let (sent, indexed) = tokio::join!(conversation.fetch(wants, haves, sender), indexing);
        // When the connection broke, what the disk says is only that.
        sent?;
        indexed
    }

    /// A server that leaves out what it was asked for, or a copy that lied about what it had.
    async fn verify(&self, wants: Vec<String>) -> Result<(), MirrorError> {
        self.blocking(move |storage| {
            let repository = storage.open()?;
            match storage.missing(&repository, &wants.into_iter().collect()).first() {
                None => Ok(()),
                Some(commit) => Err(storage.damaged(&git2::Error::from_str(&format!("{commit} is still not here")))),
            }
        })
        .await
    }

    /// Points the mirror's references at what was found.
    async fn keep(&self, fetched: Fetched) -> Result<Fetched, MirrorError> {
        self.blocking(move |storage| {
            let repository = storage.open_or_create()?;
            for (reference, commit) in &fetched.commits {
                if *reference != Reference::DefaultBranch {
                    storage.point(&repository, &reference.name(), commit.as_deref())?;
                }
            }
            if let Some(branch) = &fetched.default_branch {
                keep_default_branch(storage, &repository, branch)?;
            }
            Ok(fetched)
        })
        .await
    }
}

fn keep_default_branch(storage: &Storage, repository: &Repository, branch: &DefaultBranch) -> Result<(), MirrorError> {
    let name = format!("refs/heads/{}", branch.name);
    storage.point(repository, &name, Some(&branch.commit))?;
    storage.head(repository, &name)
}

/// Says hello; a token that is not accepted is replaced once.
async fn greet<'a>(remote: &'a Remote, credentials: &dyn Credentials) -> Result<Conversation<'a>, MirrorError> {
    let no_token = |cause| MirrorError::Token { repository: remote.repository.clone(), cause };
    let token: SecretString = credentials.token().await.map_err(no_token)?;
    match remote.greet(&token).await {
        Err(MirrorError::Unauthorized { .. }) => {
            let token = credentials.token_instead_of(&token).await.map_err(no_token)?;
            remote.greet(&token).await
        }
        greeted => greeted,
    }
}

/// What the server's list says of each wish. A commit is taken to exist until the server says otherwise.
fn found(wishes: &BTreeSet<Reference>, listing: &Listing) -> Fetched {
    let mut fetched = Fetched::default();
    for wish in wishes {
        let commit = match wish {
            Reference::Commit(id) => Some(id.clone()),
            other => listing.references.get(&other.name()).cloned(),
        };
        if let (Reference::DefaultBranch, Some(commit), Some(head)) = (wish, &commit, &listing.head) {
            let name = head.strip_prefix("refs/heads/").unwrap_or(head).to_owned();
            fetched.default_branch = Some(DefaultBranch { name, commit: commit.clone() });
        }
        fetched.commits.insert(wish.clone(), commit);
    }
    fetched
}

#[cfg(test)]
mod tests;
