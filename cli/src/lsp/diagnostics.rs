//! Validation behind the editor's back: once typing pauses, of what there is then; what is older is thrown away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::definition::repository::Repository;
use flowctl_core::validate::{Finding, Options, validate};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tower_lsp_server::Client;
use tower_lsp_server::ls_types::{Diagnostic, Uri};

use super::convert;
use super::workspace::{Snapshot, Workspace};
use crate::repository::Checkout;

/// How long typing must pause before the repository is validated.
const PAUSE: Duration = Duration::from_millis(80);
/// How long somebody who never pauses waits at most.
const PATIENCE: Duration = Duration::from_millis(600);

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
    let mut published: BTreeMap<Uri, (Option<i32>, Vec<Diagnostic>)> = BTreeMap::new();
    loop {
        bell.changed.notified().await;
        wait_for_a_pause(&bell).await;
        for root in refreshed(&workspace).await {
            let base = bases.remove(&root).unwrap_or_default();
            let Some((base, findings)) = found(&workspace, &root, base).await else { continue };
            bases.insert(root.clone(), base);
            for (uri, version, diagnostics) in take_in(&workspace, &root, findings) {
                let news = (version, diagnostics);
                if published.get(&uri) != Some(&news) {
                    client.publish_diagnostics(uri.clone(), news.1.clone(), version).await;
                    published.insert(uri, news);
                }
            }
        }
        let open = |uri: &Uri| workspace.lock().unwrap_or_else(PoisonError::into_inner).document(uri).is_some();
        // What is closed has nothing to be told any more.
        let closed: Vec<Uri> = published.keys().filter(|uri| !open(uri)).cloned().collect();
        for uri in closed {
            published.remove(&uri);
            client.publish_diagnostics(uri, Vec::new(), None).await;
        }
        bell.done.send_modify(|count| *count += 1);
    }
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
