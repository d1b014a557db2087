//! Findings with the lines of the file, for people. Readable at 80 columns and without colour.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use flowctl_core::source::Range as Place;
use flowctl_core::validate::{Applicability, Finding, Fix, Related, Severity};

use super::{Counts, Outcome, Sources, plural, tame};
use crate::terminal::{self, BOLD, ERROR, GOOD, TYPE, WARNING};

/// Lines around what is shown that are given to the renderer; it shows those that it needs.
const AROUND: usize = 2;
/// Furthest that the ends of lines may be from what is shown, in bytes. Of longer lines only the place is told.
const FURTHEST: usize = 16 * 1024;
/// Most that is given to the renderer at once, in bytes: it walks through all of it for each finding.
const MOST: usize = 512 * 1024;

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
    let places = here.iter().map(|related| related.range).chain([finding.range]);
    group = match Window::of(sources.text(&finding.path), places) {
        Some(window) => {
            let primary = AnnotationKind::Primary.span(window.span(finding.range));
            let related = here
                .iter()
                .map(|related| AnnotationKind::Context.span(window.span(related.range)).label(tame(&related.message)));
            group.element(window.snippet(&finding.path).annotation(primary).annotations(related))
        }
        None => {
            let group = group.element(origin(&finding.path, finding.range));
            here.iter().fold(group, |group, related| untold(group, related))
        }
    };
    for related in elsewhere {
        group = match Window::of(sources.text(&related.path), [related.range]) {
            Some(window) => {
                let annotation = AnnotationKind::Context.span(window.span(related.range)).label(tame(&related.message));
                group.element(window.snippet(&related.path).annotation(annotation))
            }
            None => untold(group, related),
        };
    }
    let room = width.saturating_sub("   = help: ".len());
    match finding.fix.as_ref().filter(|fix| !fix.edits.is_empty()) {
        Some(fix) => {
            let title = wrapped(&proposed(finding, fix), room);
            match proposal(finding, fix, &title, (sources, width)) {
                Some(proposal) => vec![group, proposal],
                None => vec![group.element(Level::HELP.message(title))],
            }
        }
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
        let (Some(first), Some(last)) = (line_start(text, start), line_end(text, end)) else { return false };
        let before = text.get(first..start).unwrap_or_default();
        let after = text.get(end..last).unwrap_or_default().trim_end_matches('\n');
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

/// What a fix would make of the lines; nothing where they cannot be shown.
fn proposal<'a>(
    finding: &'a Finding,
    fix: &'a Fix,
    title: &str,
    (sources, width): (&'a Sources, usize),
) -> Option<Group<'a>> {
    let text = sources.text(&finding.path);
    if !fits(fix, text, width) {
        return None;
    }
    let window = Window::of(text, fix.edits.iter().map(|edit| edit.range))?;
    let patches = fix.edits.iter().map(|edit| Patch::new(window.span(edit.range), edit.text.as_str()));
    let snippet = Snippet::source(window.text).line_start(window.first_line).path(finding.path.as_str());
    Some(Group::with_title(Level::HELP.secondary_title(title.to_owned())).element(snippet.patches(patches)))
}

/// What is said of another place whose line cannot be shown.
fn untold<'a>(group: Group<'a>, related: &'a Related) -> Group<'a> {
    group.element(Level::NOTE.message(tame(&related.message))).element(origin(&related.path, related.range))
}

/// A place without its line.
fn origin(path: &str, place: Place) -> Origin<'_> {
    Origin::path(path).line(place.start.line as usize).char_column(place.start.column as usize)
}

/// Where the line of a place begins; nothing where that is too far.
fn line_start(text: &str, at: usize) -> Option<usize> {
    let at = at.min(text.len());
    let from = at.saturating_sub(FURTHEST);
    let ends = text.as_bytes()[from..at].iter().rposition(|byte| *byte == b'\n');
    ends.map(|ends| from + ends + 1).or((from == 0).then_some(0))
}

/// Where the line behind that of a place begins, or the text ends; nothing where that is too far.
fn line_end(text: &str, at: usize) -> Option<usize> {
    let at = at.min(text.len());
    let to = text.len().min(at + FURTHEST);
    let ends = text.as_bytes()[at..to].iter().position(|byte| *byte == b'\n');
    ends.map(|ends| at + ends + 1).or((to == text.len()).then_some(to))
}

/// The part of a file around what is shown: a renderer given a whole file would walk through it for each finding.
struct Window<'t> {
    text: &'t str,
    /// Where it begins, in bytes of the file.
    start: usize,
    first_line: usize,
}

impl<'t> Window<'t> {
    /// Nothing where the lines are too long, or what belongs together too far apart.
    fn of(text: &'t str, places: impl IntoIterator<Item = Place>) -> Option<Self> {
        let (mut first, mut last, mut line) = (text.len(), 0, usize::MAX);
        for place in places {
            first = first.min(place.start.offset as usize);
            last = last.max(place.end.offset as usize);
            line = line.min(place.start.line as usize);
        }
        let (mut start, mut end) = (line_start(text, first)?, line_end(text, last)?);
        for _ in 0..AROUND {
            if let Some(before) = start.checked_sub(1).and_then(|before| line_start(text, before)) {
                start = before;
                line = line.saturating_sub(1);
            }
            end = line_end(text, end).unwrap_or(end);
        }
        let shown = text.get(start..end).filter(|shown| shown.len() <= MOST)?;
        Some(Self { text: shown, start, first_line: line.clamp(1, u32::MAX as usize) })
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
