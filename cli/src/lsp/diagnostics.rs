//! Validation behind the editor's back: once typing pauses, of what there is then; what is older is thrown away. In a large
//! repository the file in which somebody types is judged first, beside what it has to do with, and everything once
//! typing has paused for longer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::definition::repository::Repository;
use flowctl_core::validate::{Finding, Options, validate, validate_near};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tower_lsp_server::Client;
use tower_lsp_server::ls_types::{Diagnostic, Uri};

use super::convert;
use super::workspace::{Held, Snapshot, Workspace};
use crate::repository::Checkout;

/// How long typing must pause before the repository is validated.
const PAUSE: Duration = Duration::from_millis(80);
/// How long somebody who never pauses waits at most.
const PATIENCE: Duration = Duration::from_millis(600);
/// Of so many files everything is judged only after a longer pause.
const MANY: usize = 100;
/// That pause.
const LONG_PAUSE: Duration = Duration::from_millis(400);

/// Wakes the validator and tells when it is done.
#[derive(Debug)]
pub struct Bell {
    changed: Notify,
    done: watch::Sender<u64>,
}

impl Bell {
    /// A bell that nobody has rung.
    pub fn new() -> Self {
        Self { changed: Notify::new(), done: watch::Sender::new(0) }
    }

    /// Something changed.
    pub fn ring(&self) {
        self.changed.notify_one();
    }

    /// Rises whenever findings are new.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.done.subscribe()
    }
}

/// The definitions of the last commit, kept as long as it is the last one.
#[derive(Default)]
struct Base {
    commit: Option<git2::Oid>,
    repository: Option<Arc<Repository>>,
}

/// Validates whatever has changed, for as long as the server lives.
pub async fn keep_validating(workspace: Arc<Mutex<Workspace>>, bell: Arc<Bell>, client: Client) {
    let mut bases: BTreeMap<PathBuf, Base> = BTreeMap::new();
    let mut told = Told { client, published: BTreeMap::new() };
    loop {
        bell.changed.notified().await;
        wait_for_a_pause(&bell).await;
        if at_once(&workspace, &bases, &mut told).await && goes_on(&bell).await {
            bell.ring();
            continue;
        }
        for root in refreshed(&workspace).await {
            let base = bases.remove(&root).unwrap_or_default();
            let Some((base, findings)) = found(&workspace, &root, base).await else { continue };
            bases.insert(root.clone(), base);
            told.tell(take_in(&workspace, &root, findings)).await;
        }
        // What is closed has nothing to be told any more.
        let open = |uri: &Uri| workspace.lock().unwrap_or_else(PoisonError::into_inner).document(uri).is_some();
        let closed: Vec<Uri> = told.published.keys().filter(|uri| !open(uri)).cloned().collect();
        told.forget(closed).await;
        bell.done.send_modify(|count| *count += 1);
    }
}

/// What open documents were told last.
struct Told {
    client: Client,
    published: BTreeMap<Uri, (Option<i32>, Vec<Diagnostic>)>,
}

impl Told {
    /// Tells what is new.
    async fn tell(&mut self, news: Vec<(Uri, Option<i32>, Vec<Diagnostic>)>) {
        for (uri, version, diagnostics) in news {
            let news = (version, diagnostics);
            if self.published.get(&uri) != Some(&news) {
                self.client.publish_diagnostics(uri.clone(), news.1.clone(), version).await;
                self.published.insert(uri, news);
            }
        }
    }

    async fn forget(&mut self, closed: Vec<Uri>) {
        for uri in closed {
            self.published.remove(&uri);
            self.client.publish_diagnostics(uri, Vec::new(), None).await;
        }
    }
}

/// Tells of the documents in which somebody types, in repositories that are too large to be judged with each keystroke.
/// Whether there were any.
async fn at_once(workspace: &Arc<Mutex<Workspace>>, bases: &BTreeMap<PathBuf, Base>, told: &mut Told) -> bool {
    let typed: Vec<Typed> = {
        let mut held = workspace.lock().unwrap_or_else(PoisonError::into_inner);
        let large = |held: &Held| held.found_in != Some(held.generation) && held.repository.files.len() >= MANY;
        let roots: Vec<PathBuf> =
            held.repositories.iter().filter(|(_, held)| large(held)).map(|(root, _)| root.clone()).collect();
        roots.iter().filter_map(|root| Typed::take(&mut held, root, bases.get(root))).collect()
    };
    let any = !typed.is_empty();
    for typed in typed {
        let news = tokio::task::spawn_blocking(move || typed.judge()).await;
        told.tell(news.ok().flatten().into_iter().collect()).await;
    }
    any
}

/// A document in which somebody types.
struct Typed {
    snapshot: Snapshot,
    base: Option<Arc<Repository>>,
    uri: Uri,
    version: i32,
}

impl Typed {
    /// Takes what was typed in last, so that it is told once.
    fn take(workspace: &mut Workspace, root: &Path, base: Option<&Base>) -> Option<Self> {
        let path = workspace.repositories.get_mut(root)?.typed.take()?;
        let (uri, version) = workspace.open_in(root).remove(&path)?;
        let snapshot = workspace.snapshot(&uri)?;
        Some(Self { snapshot, base: base.and_then(|base| base.repository.clone()), uri, version })
    }

    fn judge(self) -> Option<(Uri, Option<i32>, Vec<Diagnostic>)> {
        let options = Options {
            performed_only: false,
            base: self.base.as_deref(),
            workflow_files: self.snapshot.workflow_files.as_deref(),
            is_whole: true,
            prices: crate::prices::kept(),
        };
        let findings = validate_near(&self.snapshot.repository, self.snapshot.file.source.path(), &options)?;
        let diagnostics = findings.iter().map(|finding| convert::diagnostic(&self.snapshot, finding)).collect();
        Some((self.uri, Some(self.version), diagnostics))
    }
}

/// Whether somebody types on before a longer pause is over.
async fn goes_on(bell: &Bell) -> bool {
    tokio::time::timeout(LONG_PAUSE, bell.changed.notified()).await.is_ok()
}

async fn wait_for_a_pause(bell: &Bell) {
    let last = Instant::now() + PATIENCE;
    loop {
        let until = (Instant::now() + PAUSE).min(last);
        if tokio::time::timeout_at(until, bell.changed.notified()).await.is_err() || Instant::now() >= last {
            return;
        }
    }
}

/// The repositories whose findings are old, after a look at the disk where something may have changed there.
async fn refreshed(workspace: &Arc<Mutex<Workspace>>) -> Vec<PathBuf> {
    let lock = || workspace.lock().unwrap_or_else(PoisonError::into_inner);
    let stale: Vec<PathBuf> = {
        let held = lock();
        let stale = held.repositories.iter().filter(|(_, held)| held.is_stale);
        stale.map(|(root, _)| root.clone()).collect()
    };
    for root in stale {
        let folder = root.clone();
        let disk = tokio::task::spawn_blocking(move || Checkout::open(&folder)).await;
        if let Ok(Ok(disk)) = disk {
            lock().refresh(&root, &disk);
        }
    }
    let held = lock();
    let old = held.repositories.iter().filter(|(_, held)| held.found_in != Some(held.generation));
    old.map(|(root, _)| root.clone()).collect()
}

/// Findings of one state of a repository.
struct Found {
    generation: u64,
    findings: Vec<Finding>,
}

async fn found(workspace: &Arc<Mutex<Workspace>>, root: &Path, mut base: Base) -> Option<(Base, Found)> {
    let (repository, workflow_files, generation) = {
        let workspace = workspace.lock().unwrap_or_else(PoisonError::into_inner);
        let held = workspace.repositories.get(root)?;
        (Arc::clone(&held.repository), held.workflow_files.clone(), held.generation)
    };
    let root = root.to_owned();
    let work = move || {
        base.look(&root);
        // What is not performed by this version is no concern of somebody who writes.
        let options = Options {
            performed_only: false,
            base: base.repository.as_deref(),
            workflow_files: workflow_files.as_deref(),
            is_whole: true,
            prices: crate::prices::kept(),
        };
        let findings = validate(&repository, &options).findings;
        (base, Found { generation, findings })
    };
    tokio::task::spawn_blocking(work).await.ok()
}

impl Base {
    /// Reads the definitions of the last commit, if it is another one than before.
    fn look(&mut self, root: &Path) {
        let head = git2::Repository::discover(root).ok().and_then(|git| git.head().ok()?.target());
        if head == self.commit && (head.is_none() || self.repository.is_some()) {
            return;
        }
        self.repository = Checkout::empty(root).at(None).ok().flatten().map(Arc::new);
        self.commit = head;
    }
}

/// Keeps findings and gives what the open documents of the repository are to be told. Where a document has changed
/// meanwhile nothing is told: the next round is on its way.
fn take_in(workspace: &Arc<Mutex<Workspace>>, root: &Path, found: Found) -> Vec<(Uri, Option<i32>, Vec<Diagnostic>)> {
    let mut workspace = workspace.lock().unwrap_or_else(PoisonError::into_inner);
    let open = workspace.open_in(root);
    let encoding = workspace.encoding;
    let Some(held) = workspace.repositories.get_mut(root) else { return Vec::new() };
    if held.generation != found.generation {
        return Vec::new();
    }
    held.findings = Arc::new(found.findings);
    held.found_in = Some(found.generation);
    let (repository, findings) = (Arc::clone(&held.repository), Arc::clone(&held.findings));
    let workflow_files = held.workflow_files.clone();
    let mut told = Vec::new();
    for (path, (uri, version)) in &open {
        let Some(file) = repository.files.get(path.as_str()) else { continue };
        let snapshot = Snapshot {
            encoding,
            root: root.to_owned(),
            repository: Arc::clone(&repository),
            workflow_files: workflow_files.clone(),
            file: Arc::clone(file),
            open: open.clone(),
        };
        let own = findings.iter().filter(|finding| finding.path == *path);
        let diagnostics = own.map(|finding| convert::diagnostic(&snapshot, finding)).collect();
        told.push((uri.clone(), Some(*version), diagnostics));
    }
    told
}
