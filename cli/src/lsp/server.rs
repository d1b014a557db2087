//! Each request of the protocol: looks the document up, asks `core::editor`, answers. Thinking happens on other threads,
//! on a snapshot that was taken when the request came.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use flowctl_core::editor::actions::{ActionKind, actions};
use flowctl_core::editor::completion::completions;
use flowctl_core::editor::formatting::formatting;
use flowctl_core::editor::hover::hover;
use flowctl_core::editor::references::{definition, highlights, references_of};
use flowctl_core::editor::rename::{prepare, rename};
use flowctl_core::editor::symbols::{folds, search, symbols};
use flowctl_core::editor::{View, occurrence_at};
use flowctl_core::format::FormatError;
use flowctl_core::validate::Finding;
use tower_lsp_server::jsonrpc::{Error, Result};
use tower_lsp_server::ls_types::*;
use tower_lsp_server::{Client, LanguageServer};

use super::convert::{self, Abilities};
use super::diagnostics::{Bell, keep_validating};
use super::position::Encoding;
use super::workspace::{Snapshot, Workspace, place_of, root_of};

/// How many names a search gives at most.
const MAX_SYMBOLS: usize = 256;
/// How long actions wait for validation to catch up with typing.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How often the client's process is looked for.
const PULSE: Duration = Duration::from_secs(2);

/// The server of one editor.
#[derive(Debug)]
pub struct Server {
    client: Client,
    workspace: Arc<Mutex<Workspace>>,
    bell: Arc<Bell>,
    abilities: OnceLock<Abilities>,
    was_shut_down: Arc<AtomicBool>,
    parent: Arc<OnceLock<u32>>,
}

impl Server {
    /// A server that nobody has spoken to.
    pub fn new(client: Client, was_shut_down: Arc<AtomicBool>) -> Self {
        Self {
            client,
            workspace: Arc::new(Mutex::new(Workspace::new())),
            bell: Arc::new(Bell::new()),
            abilities: OnceLock::new(),
            was_shut_down,
            parent: Arc::default(),
        }
    }

    /// Ends when the process that the client named has died. Never where none was named, or none can be seen: it may run
    /// on another machine, or outside of our container.
    pub fn parent_gone(&self) -> impl Future<Output = ()> + use<> {
        let parent = Arc::clone(&self.parent);
        async move {
            let mut pulse = tokio::time::interval(PULSE);
            loop {
                pulse.tick().await;
                if parent.get().is_some_and(|process| !is_alive(*process)) {
                    return;
                }
            }
        }
    }

    fn workspace(&self) -> MutexGuard<'_, Workspace> {
        self.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abilities(&self) -> Abilities {
        self.abilities.get().copied().unwrap_or_default()
    }

    /// Answers from the document as it is now; nothing for documents that are not ours.
    async fn about<T: Send + 'static>(
        &self,
        uri: &Uri,
        answer: impl FnOnce(&Snapshot) -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let Some(snapshot) = self.workspace().snapshot(uri) else { return Ok(None) };
        let answered = tokio::task::spawn_blocking(move || answer(&snapshot)).await;
        answered.map(Some).map_err(|_| Error::internal_error())
    }

    /// Takes note of folders: their repositories are read before anybody asks.
    fn look_into(&self, folders: Vec<PathBuf>) {
        let workspace = Arc::clone(&self.workspace);
        tokio::task::spawn_blocking(move || {
            for folder in folders {
                if let Some(root) = crate::repository::around(&folder) {
                    workspace.lock().unwrap_or_else(PoisonError::into_inner).hold(&root);
                }
            }
        });
    }

    /// The findings of a file as it is now: waits until validation has caught up.
    async fn findings(&self, uri: &Uri) -> Option<(Snapshot, Arc<Vec<Finding>>)> {
        let mut done = self.bell.listen();
        let wait = async {
            loop {
                {
                    let mut workspace = self.workspace();
                    let snapshot = workspace.snapshot(uri)?;
                    let held = workspace.hold(&snapshot.root);
                    if held.found_in == Some(held.generation) {
                        return Some((snapshot, Arc::clone(&held.findings)));
                    }
                }
                self.bell.ring();
                done.changed().await.ok()?;
            }
        };
        tokio::time::timeout(CATCH_UP, wait).await.ok().flatten()
    }
}

/// Whether a process can be seen. Where that cannot be said, it is taken to live.
fn is_alive(process: u32) -> bool {
    let processes = std::path::Path::new("/proc");
    !processes.join("self").exists() || processes.join(process.to_string()).exists()
}

fn view(snapshot: &Snapshot) -> View<'_> {
    View { repository: &snapshot.repository, workflow_files: snapshot.workflow_files.as_deref() }
}

fn offset(snapshot: &Snapshot, position: Position) -> u32 {
    snapshot.encoding.offset(&snapshot.file.source, position)
}

fn folders_of(params: &InitializeParams) -> Vec<PathBuf> {
    let named = params.workspace_folders.iter().flatten().map(|folder| &folder.uri);
    #[expect(deprecated, reason = "older clients name their only folder so")]
    let single = params.root_uri.iter().filter(|_| params.workspace_folders.is_none());
    named.chain(single).filter_map(|uri| Some(uri.to_file_path()?.into_owned())).collect()
}

fn abilities_of(capabilities: &ClientCapabilities) -> Abilities {
    let text = capabilities.text_document.as_ref();
    let workspace = capabilities.workspace.as_ref();
    let item = text.and_then(|text| text.completion.as_ref()?.completion_item.as_ref());
    let watching = workspace.and_then(|workspace| workspace.did_change_watched_files);
    Abilities {
        snippets: item.and_then(|item| item.snippet_support).unwrap_or(false),
        versioned_edits: workspace.and_then(|it| it.workspace_edit.as_ref()?.document_changes).unwrap_or(false),
        symbol_trees: text
            .and_then(|text| text.document_symbol.as_ref()?.hierarchical_document_symbol_support)
            .unwrap_or(false),
        watching: watching.and_then(|watching| watching.dynamic_registration).unwrap_or(false),
    }
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    let triggers = [".", ":", " ", "[", "{", ",", "|", "\""];
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::Supported(true)),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        workspace_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::SOURCE_FIX_ALL]),
            ..CodeActionOptions::default()
        })),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            ..WorkspaceServerCapabilities::default()
        }),
        ..ServerCapabilities::default()
    }
}

impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let offered = params.capabilities.general.as_ref().and_then(|general| general.position_encodings.as_deref());
        let encoding = Encoding::agreed(offered.unwrap_or_default());
        self.workspace().encoding = encoding;
        let _ = self.abilities.set(abilities_of(&params.capabilities));
        if let Some(process) = params.process_id.filter(|process| is_alive(*process)) {
            let _ = self.parent.set(process);
        }
        self.look_into(folders_of(&params));
        Ok(InitializeResult {
            capabilities: capabilities(encoding),
            server_info: Some(ServerInfo {
                name: "flowctl".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            ..InitializeResult::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        tokio::spawn(keep_validating(Arc::clone(&self.workspace), Arc::clone(&self.bell), self.client.clone()));
        if !self.abilities().watching {
            return;
        }
        let watch =
            |pattern: &str| FileSystemWatcher { glob_pattern: GlobPattern::String(pattern.to_owned()), kind: None };
        let options = DidChangeWatchedFilesRegistrationOptions {
            watchers: vec![watch("**/.flow/**"), watch("**/.github/workflows/*")],
        };
        let registration = Registration {
            id: "flowctl-files".to_owned(),
            method: "workspace/didChangeWatchedFiles".to_owned(),
            register_options: serde_json::to_value(options).ok(),
        };
        let client = self.client.clone();
        // The answer comes when the client gets to it; nothing here depends on it.
        tokio::spawn(async move { client.register_capability(vec![registration]).await });
    }

    async fn shutdown(&self) -> Result<()> {
        self.was_shut_down.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let document = params.text_document;
        if self.workspace().open(document.uri, document.version, &document.text) {
            self.bell.ring();
        }
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let document = params.text_document;
        if self.workspace().change(&document.uri, document.version, params.content_changes) {
            self.bell.ring();
        }
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        if let Some((root, _)) = place_of(&params.text_document.uri) {
            self.workspace().hold(&root).is_stale = true;
            self.bell.ring();
        }
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        if self.workspace().close(&params.text_document.uri).is_some() {
            self.bell.ring();
        }
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        let mut workspace = self.workspace();
        for root in params.changes.iter().filter_map(|change| root_of(&change.uri)) {
            if let Some(held) = workspace.repositories.get_mut(&root) {
                held.is_stale = true;
            }
        }
        drop(workspace);
        self.bell.ring();
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let path = |folder: &WorkspaceFolder| Some(folder.uri.to_file_path()?.into_owned());
        for folder in params.event.removed.iter().filter_map(path) {
            self.workspace().forget(&folder);
        }
        self.look_into(params.event.added.iter().filter_map(path).collect());
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position;
        let abilities = self.abilities();
        self.about(&text_document.uri, move |snapshot| {
            let found = completions(&view(snapshot), &snapshot.file, offset(snapshot, position));
            let items = found.into_iter().enumerate();
            let items = items.map(|(place, one)| convert::completion(snapshot, abilities, one, place)).collect();
            CompletionResponse::Array(items)
        })
        .await
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        let said = self.about(&text_document.uri, move |snapshot| {
            let said = hover(&view(snapshot), &snapshot.file, offset(snapshot, position))?;
            let range = snapshot.encoding.range(&snapshot.file.source, said.span);
            Some(Hover { contents: HoverContents::Markup(convert::markdown(said.text)), range: Some(range) })
        });
        said.await.map(Option::flatten)
    }

    async fn goto_definition(&self, params: GotoDefinitionParams) -> Result<Option<GotoDefinitionResponse>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        self.about(&text_document.uri, move |snapshot| {
            let places = definition(&snapshot.repository, &snapshot.file, offset(snapshot, position));
            let exists =
                |path: &str| snapshot.repository.files.contains_key(path) || snapshot.root.join(path).is_file();
            let places = places.into_iter().filter(|place| exists(&place.path));
            let places = places.filter_map(|place| convert::location(snapshot, &place.path, place.span));
            GotoDefinitionResponse::Array(places.collect())
        })
        .await
    }

    async fn references(&self, params: ReferenceParams) -> Result<Option<Vec<Location>>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position;
        let with_definition = params.context.include_declaration;
        self.about(&text_document.uri, move |snapshot| {
            let meant = occurrence_at(&snapshot.repository, &snapshot.file, offset(snapshot, position));
            let found = meant.map(|meant| references_of(&snapshot.repository, &meant.symbol)).unwrap_or_default();
            let found = found.into_iter().filter(|(_, one)| with_definition || !one.defines);
            found.filter_map(|(path, one)| convert::location(snapshot, &path, one.span)).collect()
        })
        .await
    }

    async fn document_highlight(&self, params: DocumentHighlightParams) -> Result<Option<Vec<DocumentHighlight>>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        self.about(&text_document.uri, move |snapshot| {
            let found = highlights(&snapshot.repository, &snapshot.file, offset(snapshot, position));
            let highlight = |one: flowctl_core::editor::Occurrence| DocumentHighlight {
                range: snapshot.encoding.range(&snapshot.file.source, one.span),
                kind: Some(if one.defines { DocumentHighlightKind::WRITE } else { DocumentHighlightKind::READ }),
            };
            found.into_iter().map(highlight).collect()
        })
        .await
    }

    async fn document_symbol(&self, params: DocumentSymbolParams) -> Result<Option<DocumentSymbolResponse>> {
        let trees = self.abilities().symbol_trees;
        let uri = params.text_document.uri;
        self.about(&uri, move |snapshot| {
            let found = symbols(&snapshot.file);
            if trees {
                let nested = found.into_iter().map(|symbol| convert::document_symbol(snapshot, symbol));
                return DocumentSymbolResponse::Nested(nested.collect());
            }
            let mut flat = Vec::new();
            let mut open: Vec<_> = found.into_iter().rev().map(|symbol| (symbol, String::new())).collect();
            while let Some((symbol, container)) = open.pop() {
                let inside = symbol.children.into_iter().rev().map(|child| (child, symbol.name.clone()));
                open.extend(inside);
                let location = convert::location(snapshot, snapshot.file.source.path(), symbol.selection);
                flat.extend(location.map(|it| convert::symbol_information(symbol.name, symbol.kind, container, it)));
            }
            DocumentSymbolResponse::Flat(flat)
        })
        .await
    }

    async fn symbol(&self, params: WorkspaceSymbolParams) -> Result<Option<WorkspaceSymbolResponse>> {
        let snapshots: Vec<Snapshot> = {
            let workspace = self.workspace();
            let held = workspace.repositories.iter();
            held.filter_map(|(root, held)| {
                let file = Arc::clone(held.repository.files.values().next()?);
                let (repository, workflow_files) = (Arc::clone(&held.repository), held.workflow_files.clone());
                let (encoding, open) = (workspace.encoding, workspace.open_in(root));
                Some(Snapshot { encoding, root: root.clone(), repository, workflow_files, file, open })
            })
            .collect()
        };
        let found = tokio::task::spawn_blocking(move || {
            let found = snapshots.iter().flat_map(|snapshot| {
                let found = search(&snapshot.repository, &params.query, MAX_SYMBOLS);
                found.into_iter().filter_map(|symbol| convert::repository_symbol(snapshot, symbol))
            });
            found.take(MAX_SYMBOLS).collect()
        });
        let found = found.await.map_err(|_| Error::internal_error())?;
        Ok(Some(WorkspaceSymbolResponse::Flat(found)))
    }

    async fn folding_range(&self, params: FoldingRangeParams) -> Result<Option<Vec<FoldingRange>>> {
        self.about(&params.text_document.uri, |snapshot| {
            let source = &snapshot.file.source;
            let fold = |span: flowctl_core::source::Span| FoldingRange {
                start_line: source.position(span.start).line.saturating_sub(1),
                end_line: source.position(span.end).line.saturating_sub(1),
                ..FoldingRange::default()
            };
            folds(&snapshot.file).into_iter().map(fold).collect()
        })
        .await
    }

    async fn formatting(&self, params: DocumentFormattingParams) -> Result<Option<Vec<TextEdit>>> {
        let formatted = self.about(&params.text_document.uri, |snapshot| match formatting(&snapshot.file) {
            Ok(changes) => {
                let edit = |(span, text)| convert::text_edit(snapshot, &snapshot.file.source, span, text);
                Ok(Some(changes.into_iter().map(edit).collect()))
            }
            // What cannot be read is told as a finding already: formatting on save should not say it again.
            Err(FormatError::Faulty(_)) => Ok(None),
            Err(error) => Err(Error { message: error.to_string().into(), ..Error::internal_error() }),
        });
        Ok(formatted.await?.transpose()?.flatten())
    }

    async fn prepare_rename(&self, params: TextDocumentPositionParams) -> Result<Option<PrepareRenameResponse>> {
        let position = params.position;
        let prepared = self.about(&params.text_document.uri, move |snapshot| {
            let (span, placeholder) = prepare(&snapshot.repository, &snapshot.file, offset(snapshot, position))?;
            let range = snapshot.encoding.range(&snapshot.file.source, span);
            Ok(PrepareRenameResponse::RangeWithPlaceholder { range, placeholder })
        });
        prepared.await?.transpose().map_err(refused)
    }

    async fn rename(&self, params: RenameParams) -> Result<Option<WorkspaceEdit>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position;
        let abilities = self.abilities();
        let renamed = self.about(&text_document.uri, move |snapshot| {
            let at = offset(snapshot, position);
            let changes = rename(&snapshot.repository, &snapshot.file, at, &params.new_name)?;
            let mut by_path: BTreeMap<String, Vec<_>> = BTreeMap::new();
            for change in changes {
                by_path.entry(change.path).or_default().push((change.span, change.text));
            }
            Ok(convert::workspace_edit(snapshot, abilities, by_path))
        });
        renamed.await?.transpose().map_err(refused)
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let Some((snapshot, findings)) = self.findings(&params.text_document.uri).await else { return Ok(None) };
        let abilities = self.abilities();
        let work = move || {
            let path = snapshot.file.source.path();
            let own: Vec<Finding> = findings.iter().filter(|finding| finding.path == path).cloned().collect();
            let range = snapshot.encoding.span(&snapshot.file.source, params.range);
            let wanted = |kind: ActionKind| match &params.context.only {
                None => kind != ActionKind::FixAll,
                Some(only) => only.iter().any(|only| asks_for(only, kind)),
            };
            let found = actions(&snapshot.file, &own, range).into_iter().filter(|one| wanted(one.kind));
            let found = found.map(|one| {
                let about = one.finding.and_then(|index| own.get(index));
                let about = about.map(|finding| convert::diagnostic(&snapshot, finding));
                CodeActionOrCommand::CodeAction(convert::action(&snapshot, abilities, one, about))
            });
            found.collect::<Vec<_>>()
        };
        tokio::task::spawn_blocking(work).await.map(Some).map_err(|_| Error::internal_error())
    }
}

/// Whether a kind of the protocol, or one above it (`source` of `source.fixAll`), asks for such actions.
fn asks_for(kind: &CodeActionKind, action: ActionKind) -> bool {
    let own = match action {
        ActionKind::Fix | ActionKind::Suppress => "quickfix",
        ActionKind::FixAll => "source.fixAll.flowctl",
    };
    let asked = kind.as_str();
    asked.is_empty() || own == asked || own.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
}

fn refused(error: flowctl_core::editor::rename::RenameError) -> Error {
    Error { message: error.to_string().into(), ..Error::invalid_params("") }
}
