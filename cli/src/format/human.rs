//! Findings with the lines of the file, for people. Readable at 80 columns and without colour.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use flowctl_core::validate::{Finding, Severity};

use super::{Counts, Sources, plural};
use crate::terminal::{BOLD, ERROR, GOOD, WARNING};

/// Every finding, then a line that counts them.
pub fn human(files: usize, findings: &[Finding], sources: &Sources, quiet: bool) -> String {
    // Styles are always written: what prints them takes them away where they are not wanted.
    let renderer = Renderer::styled();
    let mut text = String::new();
    for finding in findings {
        text.push_str(&renderer.render(&report(finding, sources)));
        text.push_str("\n\n");
    }
    if !quiet {
        text.push_str(&summary(files, findings));
    }
    text
}

fn report<'a>(finding: &'a Finding, sources: &'a Sources) -> Vec<Group<'a>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(&finding.message).id(finding.code);
    let mut group = Group::with_title(title).element(snippet(
        sources.text(&finding.path),
        &finding.path,
        span(finding.span.start, finding.span.end),
        AnnotationKind::Primary,
        "",
    ));
    for related in &finding.related {
        let (start, end) = (related.range.start.offset, related.range.end.offset);
        let text = sources.text(&related.path);
        group =
            group.element(snippet(text, &related.path, span(start, end), AnnotationKind::Context, &related.message));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help));
    }
    vec![group]
}

fn snippet<'a>(
    text: &'a str,
    path: &'a str,
    span: std::ops::Range<usize>,
    kind: AnnotationKind,
    label: &'a str,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let span = span.start.min(text.len())..span.end.min(text.len());
    let annotation = kind.span(span);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    Snippet::source(text).path(path).annotation(annotation)
}

fn span(start: u32, end: u32) -> std::ops::Range<usize> {
    start as usize..end as usize
}

fn summary(files: usize, findings: &[Finding]) -> String {
    let counts = Counts::of(findings);
    let files = plural(files, "file");
    if findings.is_empty() {
        return format!("{GOOD}sound{GOOD:#}: {files}, no findings");
    }
    let mut parts = Vec::new();
    if counts.errors > 0 {
        parts.push(format!("{ERROR}{}{ERROR:#}", plural(counts.errors, "error")));
    }
    if counts.warnings > 0 {
        parts.push(format!("{WARNING}{}{WARNING:#}", plural(counts.warnings, "warning")));
    }
    if counts.infos > 0 {
        parts.push(plural(counts.infos, "note"));
    }
    let first = findings.first().map_or("", |finding| finding.code);
    format!("{} in {files}; {BOLD}flowctl explain {first}{BOLD:#} says more", parts.join(", "))
}
