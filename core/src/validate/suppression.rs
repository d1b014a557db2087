//! Suppressions: comments `# flowctl: ignore[CODE] reason`, on the line of a finding or on the line above it; of a finding in a
//! text of several lines, above the text's key.
//! A suppression says why; one that lacks its reason, names no rule or hides nothing is a finding itself.

use std::collections::{BTreeMap, BTreeSet};

use super::edit;
use super::finding::{Applicability, Finding};
use super::rule::Findings;
use super::rules::{self, suppression_without_reason, unknown_code, unused_suppression};
use crate::definition::repository::{File, Repository};
use crate::source::{Comment, Span};

/// One code of one comment.
struct Suppression {
    code: String,
    code_span: Span,
    comment: Span,
    /// What to take out so that this code is gone, and where it is the only one, the whole comment.
    removal: Option<Span>,
    /// The lines that it speaks about.
    lines: Vec<u32>,
    has_reason: bool,
}

/// Findings about expressions that say nothing, since they cannot be read or name what is not there.
const NOT_UNDERSTOOD: [&str; 3] = ["FLOW201", "FLOW202", "FLOW203"];

/// Takes suppressed findings away and adds those about suppressions. Findings are sorted by path.
pub(super) fn apply(repository: &Repository, findings: &mut Vec<Finding>) {
    let mut about = Findings::new(rules::RULES[0]);
    let mut hidden: BTreeSet<usize> = BTreeSet::new();
    for file in repository.files.values() {
        let suppressions = suppressions(file);
        if suppressions.is_empty() {
            continue;
        }
        let path = file.source.path();
        let start = findings.partition_point(|finding| finding.path.as_str() < path);
        let end = findings.partition_point(|finding| finding.path.as_str() <= path);
        of_file(file, &suppressions, (start, &findings[start..end]), &mut hidden, &mut about);
    }
    let mut at = 0..;
    findings.retain(|_| at.next().is_none_or(|at| !hidden.contains(&at)));
    findings.extend(about.into_found());
}

/// What one file's suppressions hide of its findings, of which the first stands at `start`, and what is told of them.
fn of_file(
    file: &File,
    suppressions: &[Suppression],
    (start, own): (usize, &[Finding]),
    hidden: &mut BTreeSet<usize>,
    about: &mut Findings,
) {
    let mut speaking: BTreeMap<(u32, &str), usize> = BTreeMap::new();
    for (index, suppression) in suppressions.iter().enumerate() {
        for line in &suppression.lines {
            speaking.entry((*line, suppression.code.as_str())).or_insert(index);
        }
    }
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut not_understood: BTreeSet<u32> = BTreeSet::new();
    for (at, finding) in own.iter().enumerate() {
        let line = finding.range.start.line;
        let by = [finding.code, finding.name].into_iter().filter_map(|name| speaking.get(&(line, name)).copied()).min();
        match by {
            Some(by) => {
                used.insert(by);
                hidden.insert(start + at);
            }
            None if NOT_UNDERSTOOD.contains(&finding.code) => {
                not_understood.insert(line);
            }
            None => {}
        }
    }
    for (index, suppression) in suppressions.iter().enumerate() {
        // What it would hide cannot be said while what it speaks about was not understood.
        let follows_data = || rules::find(&suppression.code).is_some_and(|rule| rule.code.starts_with("FLOW5"));
        let is_unknown = || suppression.lines.iter().any(|line| not_understood.contains(line)) && follows_data();
        let is_understood = file.faults.is_empty() && file.structure.is_empty() && !is_unknown();
        tell(file, suppression, used.contains(&index), is_understood, about);
    }
}

/// Where a file suppresses what: the line and the code or name of a rule.
pub(super) fn silenced(file: &File) -> BTreeSet<(u32, String)> {
    let of_lines = |one: Suppression| one.lines.into_iter().map(move |line| (line, one.code.clone()));
    suppressions(file).into_iter().flat_map(of_lines).collect()
}

/// What a file suppresses: each code or name as written, with its place.
pub(crate) fn suppressed(file: &File) -> Vec<(String, Span)> {
    suppressions(file).into_iter().map(|one| (one.code, one.code_span)).collect()
}

/// One finding at most: a code that does not exist hides nothing, and what hides nothing needs no reason.
fn tell(file: &File, suppression: &Suppression, used: bool, is_understood: bool, about: &mut Findings) {
    let Suppression { code, code_span, comment, removal, has_reason, .. } = suppression;
    if rules::find(code).is_none() {
        let message = format!("there is no rule `{code}`");
        about.of(&unknown_code::RULE).add(file, *code_span, message).meant(file, *code_span, rules::closest_name(code));
    } else if !used {
        if !is_understood {
            return;
        }
        let message = format!("nothing here is found by `{code}`");
        let finding = about.of(&unused_suppression::RULE).add(file, *code_span, message);
        finding.help("remove the suppression").remove(file, Applicability::Safe, *removal);
    } else if !has_reason {
        let message = format!("`{code}` is suppressed without a reason");
        let help = format!("say why it is fine here: `# flowctl: ignore[{code}] because …`");
        about.of(&suppression_without_reason::RULE).add(file, *comment, message).help(help);
    }
}

fn suppressions(file: &File) -> Vec<Suppression> {
    let comments = file.document.comments();
    let alone: BTreeSet<u32> =
        comments.iter().filter(|comment| is_alone(file, comment)).map(|comment| line(file, comment)).collect();
    // Comments may stand above each other: they speak about the first line below them that is none.
    let mut below: BTreeMap<u32, u32> = BTreeMap::new();
    for line in alone.iter().rev().copied() {
        let next = below.get(&(line + 1)).copied().unwrap_or(line + 1);
        below.insert(line, next);
    }
    let mut found: Vec<Suppression> = comments.iter().flat_map(|comment| read(file, comment, &below)).collect();
    hold_for_texts(file, &mut found);
    found
}

/// In a text of several lines no comment can stand: what speaks about the line of its key speaks about all of it.
fn hold_for_texts(file: &File, suppressions: &mut [Suppression]) {
    if suppressions.is_empty() {
        return;
    }
    let line = |at: u32| file.source.position(at).line;
    let values = file.document.mappings().flat_map(|mapping| mapping.entries().collect::<Vec<_>>());
    let texts = values.filter(|(_, value)| value.as_scalar().is_some()).filter_map(|(key, value)| {
        let (first, whole) = (line(key.span().start), value.outer_span());
        // What an alias stands for is elsewhere.
        let is_here = (first..=first + 1).contains(&line(whole.start));
        is_here.then(|| (first, line(whole.end.saturating_sub(1).max(whole.start))))
    });
    let long: BTreeMap<u32, u32> = texts.filter(|(first, last)| first < last).collect();
    for suppression in suppressions {
        let more: Vec<u32> =
            suppression.lines.iter().filter_map(|first| Some(first + 1..=*long.get(first)?)).flatten().collect();
        suppression.lines.extend(more);
    }
}

fn line(file: &File, comment: &Comment) -> u32 {
    file.source.position(comment.span.start).line
}

fn is_alone(file: &File, comment: &Comment) -> bool {
    let line = file.source.line_span(line(file, comment));
    file.source.slice(Span { start: line.start, end: comment.span.start }).trim().is_empty()
}

fn read(file: &File, comment: &Comment, below: &BTreeMap<u32, u32>) -> Vec<Suppression> {
    let written = file.source.slice(comment.span);
    let Some(at) = written.find("ignore[") else { return Vec::new() };
    if written.get(..at).map(|before| before.trim_start_matches('#').trim()) != Some("flowctl:") {
        return Vec::new();
    }
    let list_start = at + "ignore[".len();
    let Some(length) = written.get(list_start..).and_then(|rest| rest.find(']')) else { return Vec::new() };
    let list = written.get(list_start..list_start + length).unwrap_or_default();
    let reason = written.get(list_start + length + 1..).unwrap_or_default();
    let own = line(file, comment);
    let lines: Vec<u32> = [own].into_iter().chain(below.get(&own).copied()).collect();
    let mut found = Vec::new();
    let mut offset = list_start;
    for code in list.split(',') {
        let start = comment.span.start as usize + offset + (code.len() - code.trim_start().len());
        let is_first = found.is_empty();
        offset += code.len() + 1;
        let code = code.trim();
        let code_span = Span::new(start, start + code.len());
        found.push(Suppression {
            code: code.to_owned(),
            code_span,
            comment: comment.span,
            removal: match list.contains(',') {
                true if is_first => {
                    edit::past_comma(file.source.text(), start + code.len()).map(|end| Span::new(start, end))
                }
                true => edit::of_item(&file.source, code_span),
                false => Some(edit::of_comment(&file.source, comment)),
            },
            lines: lines.clone(),
            has_reason: reason.trim().chars().any(char::is_alphanumeric),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::definition::repository::Repository;
    use crate::validate::{Options, validate};

    fn codes(steps: &str) -> Vec<&'static str> {
        let text = format!("name: a\nversion: 1\nsteps:\n{steps}");
        let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text)]);
        validate(&repository, &Options::default()).findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_comment_above_a_key_speaks_about_all_of_its_text() {
        let comment = "# flowctl: ignore[FLOW203] it comes later";
        let step = "  - id: s\n    type: set\n    values:\n";
        let text = "line\n        {{ steps.b.output }}\n\n        {{ steps.b.output }}\n";
        for style in ["|", ">-"] {
            assert_eq!(codes(&format!("{step}      v: {style}\n        {text}")), ["FLOW203"], "{style}");
            assert_eq!(codes(&format!("{step}      {comment}\n      v: {style}\n        {text}")), [""; 0], "{style}");
            assert_eq!(codes(&format!("{step}      v: {style}  {comment}\n        {text}")), [""; 0], "{style}");
        }
        let behind = format!("{step}      {comment}\n      u: |\n        line\n      v: |\n        {text}");
        assert_eq!(codes(&behind), ["FLOW901", "FLOW203"]);
    }
}
