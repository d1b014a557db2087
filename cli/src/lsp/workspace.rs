//! Documents in memory over files on disk, one repository for each folder with `.flow/`. Only what changed is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowctl_core::definition::repository::{File, Repository};
use flowctl_core::definition::workflows::Workflows;
use flowctl_core::source::{SourceFile, Span};
use flowctl_core::validate::Finding;
use tower_lsp_server::ls_types::{TextDocumentContentChangeEvent, Uri};

use super::position::Encoding;
use crate::repository::{Checkout, FLOW};

/// Everything that the server knows.
#[derive(Debug)]
pub struct Workspace {
    /// How places are counted.
    pub encoding: Encoding,
    /// The repositories that something was asked about, by their root.
    pub repositories: BTreeMap<PathBuf, Held>,
    /// The open documents, by their address.
    documents: BTreeMap<Uri, Document>,
}

/// A repository.
#[derive(Debug)]
pub struct Held {
    /// Its definitions, with the texts of open documents.
    pub repository: Arc<Repository>,
    /// The names of its workflow files.
    pub workflow_files: Option<Arc<Workflows>>,
    /// Rises with every change.
    pub generation: u64,
    /// What was found last, and in which generation.
    pub findings: Arc<Vec<Finding>>,
    /// The generation of the findings.
    pub found_in: Option<u64>,
    /// Whether files on disk may have changed behind the editor.
    pub is_stale: bool,
    /// The open document that was changed last, until it was judged.
    pub typed: Option<String>,
}

/// A document that is open in the editor.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its repository's root.
    pub root: PathBuf,
    /// Its path relative to the root, with `/`.
    pub path: String,
    /// The version that the editor gave it.
    pub version: i32,
}

/// What a question is answered from: nothing in it changes any more.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// How places are counted.
    pub encoding: Encoding,
    /// The repository's root.
    pub root: PathBuf,
    /// The definitions.
    pub repository: Arc<Repository>,
    /// The names of the workflow files.
    pub workflow_files: Option<Arc<Workflows>>,
    /// The file that is asked about.
    pub file: Arc<File>,
    /// The open documents of the repository: address and version by path.
    pub open: BTreeMap<String, (Uri, i32)>,
}

impl Workspace {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { encoding: Encoding::Utf16, repositories: BTreeMap::new(), documents: BTreeMap::new() }
    }

    /// A document was opened. False where it lies outside of any `.flow/` and is left alone.
    pub fn open(&mut self, uri: Uri, version: i32, text: &str) -> bool {
        let Some((root, path)) = place_of(&uri) else { return false };
        self.put(&root, &path, text);
        self.documents.insert(uri, Document { root, path, version });
        true
    }

    /// A document was changed, in parts or as a whole.
    pub fn change(&mut self, uri: &Uri, version: i32, changes: Vec<TextDocumentContentChangeEvent>) -> bool {
        let Some(document) = self.documents.get_mut(uri) else { return false };
        document.version = version;
        let (root, path) = (document.root.clone(), document.path.clone());
        let Some(file) = self.repositories.get(&root).and_then(|held| held.repository.files.get(path.as_str())) else {
            return false;
        };
        let text = apply(file.source.clone(), changes, self.encoding);
        self.put(&root, &path, &text);
        true
    }

    /// A document was closed: what is on disk counts again.
    pub fn close(&mut self, uri: &Uri) -> Option<Document> {
        let document = self.documents.remove(uri)?;
        if let Some(held) = self.repositories.get_mut(&document.root) {
            let on_disk = std::fs::read(document.root.join(&document.path));
            let files = &mut Arc::make_mut(&mut held.repository).files;
            match on_disk {
                Ok(bytes) => {
                    let file = File::read_bytes(&document.path, &bytes);
                    files.insert(Arc::from(document.path.as_str()), Arc::new(file));
                }
                Err(_) => {
                    files.remove(document.path.as_str());
                }
            }
            held.generation += 1;
        }
        Some(document)
    }

    fn put(&mut self, root: &Path, path: &str, text: &str) {
        let held = self.hold(root);
        let file = Arc::new(File::read(path, text));
        Arc::make_mut(&mut held.repository).files.insert(Arc::from(path), file);
        held.generation += 1;
        held.typed = Some(path.to_owned());
    }

    /// The repository at a root, read from disk when it is first asked for.
    pub fn hold(&mut self, root: &Path) -> &mut Held {
        self.repositories.entry(root.to_owned()).or_insert_with(|| {
            let (repository, workflow_files) = match Checkout::open(root) {
                Ok(checkout) => (checkout.definitions(), checkout.workflow_files()),
                Err(_) => (Repository::default(), None),
            };
            Held {
                repository: Arc::new(repository),
                workflow_files: workflow_files.map(Arc::new),
                generation: 1,
                findings: Arc::default(),
                found_in: None,
                is_stale: false,
                typed: None,
            }
        })
    }

    /// What is on disk now: files that read as before are kept, open documents keep the editor's text.
    pub fn refresh(&mut self, root: &Path, disk: &Checkout) {
        let open: BTreeSet<&str> =
            self.documents.values().filter(|document| document.root == root).map(|one| one.path.as_str()).collect();
        let Some(held) = self.repositories.get_mut(root) else { return };
        let known = &held.repository.files;
        let mut files: BTreeMap<Arc<str>, Arc<File>> = BTreeMap::new();
        let mut changed = false;
        for (path, bytes) in &disk.files {
            let same = known
                .get_key_value(path.as_str())
                .filter(|(_, file)| open.contains(path.as_str()) || file.source.text().as_bytes() == bytes.as_slice());
            if let Some((path, file)) = same {
                files.insert(Arc::clone(path), Arc::clone(file));
            } else {
                changed = true;
                files.insert(Arc::from(path.as_str()), Arc::new(File::read_bytes(path, bytes)));
            }
        }
        for (path, form) in &disk.irregular {
            files.entry(Arc::from(path.as_str())).or_insert_with(|| Arc::new(File::irregular(path, *form)));
        }
        for (path, file) in known.iter().filter(|(path, _)| open.contains(&***path)) {
            files.entry(Arc::clone(path)).or_insert_with(|| Arc::clone(file));
        }
        let workflow_files = disk.workflow_files();
        changed |= !files.keys().eq(known.keys()) || held.workflow_files.as_deref() != workflow_files.as_ref();
        if changed {
            held.repository = Arc::new(Repository { files });
            held.workflow_files = workflow_files.map(Arc::new);
            held.generation += 1;
        }
        held.is_stale = false;
    }

    /// Forgets a folder that the editor has closed, where none of its documents is open.
    pub fn forget(&mut self, folder: &Path) {
        let documents = &self.documents;
        self.repositories
            .retain(|root, _| !root.starts_with(folder) || documents.values().any(|document| document.root == *root));
    }

    /// An open document.
    pub fn document(&self, uri: &Uri) -> Option<&Document> {
        self.documents.get(uri)
    }

    /// The open documents of a repository, by path.
    pub fn open_in(&self, root: &Path) -> BTreeMap<String, (Uri, i32)> {
        let own = self.documents.iter().filter(|(_, document)| document.root == root);
        own.map(|(uri, document)| (document.path.clone(), (uri.clone(), document.version))).collect()
    }

    /// Everything as it is, for a question about a file.
    pub fn snapshot(&mut self, uri: &Uri) -> Option<Snapshot> {
        let (root, path) = match self.documents.get(uri) {
            Some(document) => (document.root.clone(), document.path.clone()),
            None => place_of(uri)?,
        };
        let held = self.hold(&root);
        let file = Arc::clone(held.repository.files.get(path.as_str())?);
        let (repository, workflow_files) = (Arc::clone(&held.repository), held.workflow_files.clone());
        let open = self.open_in(&root);
        Some(Snapshot { encoding: self.encoding, root, repository, workflow_files, file, open })
    }
}

impl Snapshot {
    /// The address of a path of the repository: the one that the editor uses, where the file is open.
    pub fn uri(&self, path: &str) -> Option<Uri> {
        match self.open.get(path) {
            Some((uri, _)) => Some(uri.clone()),
            None => Uri::from_file_path(self.root.join(path)),
        }
    }
}

/// The root of a definition's repository and its path there: nothing for what does not lie below a `.flow/` on disk.
pub fn place_of(uri: &Uri) -> Option<(PathBuf, String)> {
    if uri.scheme().as_str() != "file" {
        return None;
    }
    let path = uri.to_file_path()?;
    let root = path.ancestors().skip(1).find(|above| above.file_name().is_some_and(|name| name == FLOW))?.parent()?;
    let inside = path.strip_prefix(root).ok()?;
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Some((root.to_owned(), parts.join("/")))
}

/// The root of the repository that a changed file on disk matters to.
pub fn root_of(uri: &Uri) -> Option<PathBuf> {
    if let Some((root, _)) = place_of(uri) {
        return Some(root);
    }
    let path = uri.to_file_path()?;
    let is_github = |above: &&Path| above.file_name().is_some_and(|name| name == ".github" || name == FLOW);
    Some(path.ancestors().find(is_github)?.parent()?.to_owned())
}

fn apply(mut source: SourceFile, changes: Vec<TextDocumentContentChangeEvent>, encoding: Encoding) -> String {
    for change in changes {
        let text = match change.range {
            None => change.text,
            Some(range) => {
                let Span { start, end } = encoding.span(&source, range);
                let (before, after) = (source.text().get(..start as usize), source.text().get(end as usize..));
                [before.unwrap_or_default(), &change.text, after.unwrap_or_default()].concat()
            }
        };
        source = SourceFile::new(source.path(), text);
    }
    source.text().to_owned()
}
