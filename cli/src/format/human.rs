//! Findings with the lines of the file, for people. Readable at 80 columns and without colour.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use flowctl_core::source::Range as Place;
use flowctl_core::validate::{Applicability, Finding, Fix, Related, Severity};

use super::{Counts, Outcome, Sources, plural, tame};
use crate::terminal::{self, BOLD, ERROR, GOOD, TYPE, WARNING};

/// Lines around what is shown that are given to the renderer; it shows those that it needs.
const AROUND: usize = 2;

/// Every finding, then a line that counts them.
pub fn human(outcome: &Outcome, quiet: bool) -> String {
    // Styles are always written: what prints them takes them away where they are not wanted.
    let width = terminal::width();
    let renderer = Renderer::styled().term_width(width);
    let mut text = String::new();
    for found in &outcome.found {
        text.push_str(&renderer.render(&report(&found.finding, &outcome.sources, width)));
        text.push_str("\n\n");
    }
    if !quiet {
        text.push_str(&summary(outcome));
    }
    text
}

fn report<'a>(finding: &'a Finding, sources: &'a Sources, width: usize) -> Vec<Group<'a>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let before = finding.severity.as_str().len() + finding.code.len() + "[]: ".len();
    let title = level.primary_title(wrapped(&finding.message, width.saturating_sub(before))).id(finding.code);
    let title = match finding.link() {
        Some(url) => title.id_url(url),
        None => title,
    };
    let mut group = Group::with_title(title);
    let (here, elsewhere): (Vec<&Related>, Vec<&Related>) =
        finding.related.iter().partition(|related| related.path == finding.path);
    let window =
        Window::of(sources.text(&finding.path), here.iter().map(|related| related.range).chain([finding.range]));
    let primary = AnnotationKind::Primary.span(window.span(finding.range));
    let related = here
        .iter()
        .map(|related| AnnotationKind::Context.span(window.span(related.range)).label(tame(&related.message)));
    group = group.element(window.snippet(&finding.path).annotation(primary).annotations(related));
    for related in elsewhere {
        let window = Window::of(sources.text(&related.path), [related.range]);
        let annotation = AnnotationKind::Context.span(window.span(related.range)).label(tame(&related.message));
        group = group.element(window.snippet(&related.path).annotation(annotation));
    }
    let room = width.saturating_sub("   = help: ".len());
    match finding.fix.as_ref().filter(|fix| !fix.edits.is_empty()) {
        Some(fix) if fits(fix, sources.text(&finding.path), width) => {
            vec![group, proposal(finding, fix, wrapped(&proposed(finding, fix), room), sources)]
        }
        Some(fix) => vec![group.element(Level::HELP.message(wrapped(&proposed(finding, fix), room)))],
        None => match &finding.help {
            Some(help) => vec![group.element(Level::HELP.message(wrapped(help, room)))],
            None => vec![group],
        },
    }
}

/// Whether the lines that a fix changes can be shown whole: unlike other lines they are not cut.
fn fits(fix: &Fix, text: &str, width: usize) -> bool {
    const GUTTER: usize = 10;
    let room = width.saturating_sub(GUTTER);
    fix.edits.iter().all(|edit| {
        let (start, end) = (edit.range.start.offset as usize, edit.range.end.offset as usize);
        let before = text.get(..start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
        let after = text.get(end..).and_then(|after| after.split('\n').next()).unwrap_or_default();
        let old = text.get(start..end).unwrap_or_default();
        [old, edit.text.as_str()]
            .iter()
            .all(|changed| format!("{before}{changed}{after}").lines().all(|line| line.chars().count() <= room))
    })
}

/// What would mend a finding, in words.
fn proposed(finding: &Finding, fix: &Fix) -> String {
    let how = match fix.applicability {
        Applicability::Safe => "`--fix` does this",
        Applicability::Unsafe => "`--fix --unsafe-fixes` does this",
    };
    match &finding.help {
        Some(help) => format!("{help} ({how})"),
        None => how.to_owned(),
    }
}

/// What a fix would make of the lines.
fn proposal<'a>(finding: &'a Finding, fix: &'a Fix, title: String, sources: &'a Sources) -> Group<'a> {
    let window = Window::of(sources.text(&finding.path), fix.edits.iter().map(|edit| edit.range));
    let patches = fix.edits.iter().map(|edit| Patch::new(window.span(edit.range), edit.text.as_str()));
    let snippet = Snippet::source(window.text).line_start(window.first_line).path(finding.path.as_str());
    Group::with_title(Level::HELP.secondary_title(title)).element(snippet.patches(patches))
}

/// The part of a file around what is shown: a renderer given a whole file would walk through it for each finding.
struct Window<'t> {
    text: &'t str,
    /// Where it begins, in bytes of the file.
    start: usize,
    first_line: usize,
}

impl<'t> Window<'t> {
    fn of(text: &'t str, places: impl IntoIterator<Item = Place>) -> Self {
        let (mut first, mut last, mut line) = (text.len(), 0, usize::MAX);
        for place in places {
            first = first.min(place.start.offset as usize);
            last = last.max(place.end.offset as usize);
            line = line.min(place.start.line as usize);
        }
        let mut start = text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        for _ in 0..AROUND {
            if let Some(before) = start.checked_sub(1) {
                start = text.get(..before).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
                line = line.saturating_sub(1);
            }
        }
        let mut end = last.min(text.len());
        for _ in 0..=AROUND {
            end = text.get(end..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| end + at + 1);
        }
        Self { text: text.get(start..end).unwrap_or_default(), start, first_line: line.clamp(1, u32::MAX as usize) }
    }

    fn span(&self, place: Place) -> Range<usize> {
        let inside = |offset: u32| (offset as usize).saturating_sub(self.start).min(self.text.len());
        inside(place.start.offset)..inside(place.end.offset)
    }

    fn snippet(&self, path: &'t str) -> Snippet<'t, annotate_snippets::Annotation<'t>> {
        Snippet::source(self.text).line_start(self.first_line).path(path)
    }
}

/// A text on lines that are not too long, broken between words.
fn wrapped(text: &str, width: usize) -> String {
    let width = width.max(20);
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in tame(paragraph).split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn summary(outcome: &Outcome) -> String {
    let counts = Counts::of(&outcome.found);
    let files = plural(outcome.files, "file", "files");
    let known = match outcome.known {
        Some(known) if known > 0 => format!(", {known} known"),
        _ => String::new(),
    };
    let worst = outcome.found.iter().min_by_key(|found| found.finding.severity);
    let Some(worst) = worst else {
        let fixed = fixed(outcome);
        let none = if known.is_empty() { "no findings" } else { "no new findings" };
        return format!("{GOOD}sound{GOOD:#}: {files}, {none}{known}{fixed}");
    };
    let mut parts = Vec::new();
    if counts.errors > 0 {
        parts.push(format!("{ERROR}{}{ERROR:#}", plural(counts.errors, "error", "errors")));
    }
    if counts.warnings > 0 {
        parts.push(format!("{WARNING}{}{WARNING:#}", plural(counts.warnings, "warning", "warnings")));
    }
    if counts.infos > 0 {
        parts.push(plural(counts.infos, "note", "notes"));
    }
    let mut text = format!("{}{known} in {files}{}", parts.join(", "), fixed(outcome));
    let fixable = match (counts.safe, counts.guessed) {
        (0, 0) => String::new(),
        (safe, 0) => format!("; {TYPE}--fix{TYPE:#} mends {safe}"),
        (0, guessed) => format!("; {TYPE}--fix --unsafe-fixes{TYPE:#} mends {guessed}"),
        (safe, guessed) => {
            format!("; {TYPE}--fix{TYPE:#} mends {safe}, {TYPE}--unsafe-fixes{TYPE:#} {guessed} more")
        }
    };
    text.push_str(&fixable);
    text.push_str(&format!("\n{BOLD}flowctl explain {}{BOLD:#} says more", worst.finding.code));
    text
}

fn fixed(outcome: &Outcome) -> String {
    match &outcome.fixed {
        Some(fixed) => format!(", {} fixed", fixed.len()),
        None => String::new(),
    }
}
