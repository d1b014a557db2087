//! From what `core::editor` says to what the protocol calls it. Nothing is decided here.

use std::collections::BTreeMap;

use flowctl_core::editor::actions::{Action, ActionKind};
use flowctl_core::editor::completion::{Completion, CompletionKind};
use flowctl_core::editor::is_unnecessary;
use flowctl_core::editor::symbols::{FileSymbol, RepositorySymbol, SymbolKind};
use flowctl_core::source::{SourceFile, Span};
use flowctl_core::validate::{Finding, Related, Severity};
use tower_lsp_server::ls_types::{
    self as lsp, CodeAction, CodeActionKind, CodeDescription, CompletionItem, CompletionItemKind, CompletionTextEdit,
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, DocumentChanges, Documentation,
    InsertTextFormat, InsertTextMode, Location, MarkupContent, MarkupKind, NumberOrString, OneOf,
    OptionalVersionedTextDocumentIdentifier, TextDocumentEdit, TextEdit, WorkspaceEdit,
};

use super::workspace::Snapshot;

/// What the client can take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Abilities {
    /// Places to fill in.
    pub snippets: bool,
    /// Edits that name the version of their document.
    pub versioned_edits: bool,
    /// Documents as trees of symbols.
    pub symbol_trees: bool,
    /// Watching files for us.
    pub watching: bool,
}

/// A finding.
pub fn diagnostic(snapshot: &Snapshot, finding: &Finding) -> Diagnostic {
    let severity = match finding.severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Info => DiagnosticSeverity::INFORMATION,
    };
    let message = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let related: Vec<DiagnosticRelatedInformation> =
        finding.related.iter().filter_map(|related| related_information(snapshot, related)).collect();
    Diagnostic {
        range: snapshot.encoding.range(&snapshot.file.source, finding.span),
        severity: Some(severity),
        code: Some(NumberOrString::String(finding.code.to_owned())),
        code_description: finding.link().and_then(|url| url.parse().ok()).map(|href| CodeDescription { href }),
        source: Some("flowctl".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        tags: is_unnecessary(finding).then(|| vec![DiagnosticTag::UNNECESSARY]),
        data: None,
    }
}

fn related_information(snapshot: &Snapshot, related: &Related) -> Option<DiagnosticRelatedInformation> {
    let span = Span { start: related.range.start.offset, end: related.range.end.offset };
    let location = location(snapshot, &related.path, span)?;
    Some(DiagnosticRelatedInformation { location, message: related.message.clone() })
}

/// A place in a file of the repository; the start of a file that is not among its definitions.
pub fn location(snapshot: &Snapshot, path: &str, span: Span) -> Option<Location> {
    let uri = snapshot.uri(path)?;
    let file = snapshot.repository.files.get(path);
    let range = file.map(|file| snapshot.encoding.range(&file.source, span)).unwrap_or_default();
    Some(Location { uri, range })
}

/// Text in Markdown.
pub fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

/// Something that may be written.
pub fn completion(snapshot: &Snapshot, abilities: Abilities, one: Completion, place: usize) -> CompletionItem {
    let kind = match one.kind {
        CompletionKind::Key => CompletionItemKind::PROPERTY,
        CompletionKind::Choice => CompletionItemKind::ENUM_MEMBER,
        CompletionKind::Example => CompletionItemKind::VALUE,
        CompletionKind::Part => CompletionItemKind::SNIPPET,
        CompletionKind::Name => CompletionItemKind::REFERENCE,
        CompletionKind::Field => CompletionItemKind::FIELD,
        CompletionKind::File => CompletionItemKind::FILE,
        CompletionKind::Function => CompletionItemKind::FUNCTION,
        CompletionKind::Word => CompletionItemKind::KEYWORD,
        CompletionKind::Code => CompletionItemKind::CONSTANT,
    };
    let snippet = one.snippet.filter(|_| abilities.snippets);
    let format = if snippet.is_some() { InsertTextFormat::SNIPPET } else { InsertTextFormat::PLAIN_TEXT };
    let range = snapshot.encoding.range(&snapshot.file.source, one.replace);
    CompletionItem {
        sort_text: Some(format!("{:02}{place:04}", one.rank)),
        filter_text: Some(one.label.clone()),
        label: one.label,
        kind: Some(kind),
        detail: one.detail,
        documentation: one.documentation.map(|text| Documentation::MarkupContent(markdown(text))),
        insert_text_format: Some(format),
        insert_text_mode: Some(InsertTextMode::ADJUST_INDENTATION),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: snippet.unwrap_or(one.text) })),
        ..CompletionItem::default()
    }
}

/// Changes of files, by path.
pub fn workspace_edit(
    snapshot: &Snapshot,
    abilities: Abilities,
    changes: BTreeMap<String, Vec<(Span, String)>>,
) -> WorkspaceEdit {
    let mut documents = Vec::new();
    for (path, changes) in changes {
        let (Some(file), Some(uri)) = (snapshot.repository.files.get(path.as_str()), snapshot.uri(&path)) else {
            continue;
        };
        let edits: Vec<TextEdit> =
            changes.into_iter().map(|(span, text)| text_edit(snapshot, &file.source, span, text)).collect();
        documents.push((uri, snapshot.open.get(&path).map(|(_, version)| *version), edits));
    }
    if !abilities.versioned_edits {
        return WorkspaceEdit::new(documents.into_iter().map(|(uri, _, edits)| (uri, edits)).collect());
    }
    let documents = documents.into_iter().map(|(uri, version, edits)| TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
        edits: edits.into_iter().map(OneOf::Left).collect(),
    });
    WorkspaceEdit { document_changes: Some(DocumentChanges::Edits(documents.collect())), ..WorkspaceEdit::default() }
}

/// One change of a text.
pub fn text_edit(snapshot: &Snapshot, source: &SourceFile, span: Span, new_text: String) -> TextEdit {
    TextEdit { range: snapshot.encoding.range(source, span), new_text }
}

/// Something that can be done.
pub fn action(snapshot: &Snapshot, abilities: Abilities, one: Action, about: Option<Diagnostic>) -> CodeAction {
    let kind = match one.kind {
        ActionKind::Fix | ActionKind::Suppress => CodeActionKind::QUICKFIX,
        ActionKind::FixAll => CodeActionKind::SOURCE_FIX_ALL,
    };
    let path = snapshot.file.source.path().to_owned();
    CodeAction {
        title: one.title,
        kind: Some(kind),
        diagnostics: about.map(|diagnostic| vec![diagnostic]),
        edit: Some(workspace_edit(snapshot, abilities, BTreeMap::from([(path, one.edits)]))),
        is_preferred: one.preferred.then_some(true),
        ..CodeAction::default()
    }
}

fn symbol_kind(kind: SymbolKind) -> lsp::SymbolKind {
    match kind {
        SymbolKind::File => lsp::SymbolKind::FILE,
        SymbolKind::Section => lsp::SymbolKind::PROPERTY,
        SymbolKind::Step => lsp::SymbolKind::METHOD,
        SymbolKind::Field => lsp::SymbolKind::FIELD,
        SymbolKind::Case => lsp::SymbolKind::EVENT,
    }
}

/// What a file is made of.
pub fn document_symbol(snapshot: &Snapshot, symbol: FileSymbol) -> lsp::DocumentSymbol {
    let source = &snapshot.file.source;
    let children: Vec<_> = symbol.children.into_iter().map(|child| document_symbol(snapshot, child)).collect();
    #[expect(deprecated, reason = "the field must be written to make the value")]
    lsp::DocumentSymbol {
        name: symbol.name,
        detail: (!symbol.detail.is_empty()).then_some(symbol.detail),
        kind: symbol_kind(symbol.kind),
        tags: None,
        deprecated: None,
        range: snapshot.encoding.range(source, symbol.span),
        selection_range: snapshot.encoding.range(source, symbol.selection),
        children: (!children.is_empty()).then_some(children),
    }
}

/// A name with its place, for lists.
pub fn symbol_information(
    name: String,
    kind: SymbolKind,
    container: String,
    location: Location,
) -> lsp::SymbolInformation {
    #[expect(deprecated, reason = "the field must be written to make the value")]
    lsp::SymbolInformation {
        name,
        kind: symbol_kind(kind),
        tags: None,
        deprecated: None,
        location,
        container_name: (!container.is_empty()).then_some(container),
    }
}

/// A name somewhere in the repository.
pub fn repository_symbol(snapshot: &Snapshot, symbol: RepositorySymbol) -> Option<lsp::SymbolInformation> {
    let location = location(snapshot, &symbol.path, symbol.span)?;
    Some(symbol_information(symbol.name, symbol.kind, symbol.container, location))
}
