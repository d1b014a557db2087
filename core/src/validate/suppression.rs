//! Suppressions: comments `# flowctl: ignore[CODE] reason`, on the line of a finding or on the line above it.
//! A suppression says why; one that lacks its reason, names no rule or hides nothing is a finding itself.

use std::collections::BTreeSet;

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

/// Takes suppressed findings away and adds those about suppressions.
pub(super) fn apply(repository: &Repository, findings: &mut Vec<Finding>) {
    let mut about = Findings::new(rules::RULES[0]);
    for file in repository.files.values() {
        let suppressions = suppressions(file);
        if suppressions.is_empty() {
            continue;
        }
        let mut used: BTreeSet<usize> = BTreeSet::new();
        let path = file.source.path();
        findings.retain(|finding| {
            let hides = |(index, one): (usize, &Suppression)| {
                let line = finding.range.start.line;
                let meant = one.code == finding.code || one.code == finding.name;
                (meant && one.lines.contains(&line)).then_some(index)
            };
            let by = if finding.path == path { suppressions.iter().enumerate().find_map(hides) } else { None };
            used.extend(by);
            by.is_none()
        });
        for (index, suppression) in suppressions.iter().enumerate() {
            // What it would hide cannot be said while what it speaks about was not understood.
            let follows_data = rules::find(&suppression.code).is_some_and(|rule| rule.code.starts_with("FLOW5"));
            let unknown = |finding: &Finding| {
                let here = finding.path == path && suppression.lines.contains(&finding.range.start.line);
                here && follows_data && NOT_UNDERSTOOD.contains(&finding.code)
            };
            let is_understood = file.faults.is_empty() && file.structure.is_empty() && !findings.iter().any(unknown);
            tell(file, suppression, used.contains(&index), is_understood, &mut about);
        }
    }
    findings.extend(about.into_found());
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
    comments.iter().flat_map(|comment| read(file, comment, &alone)).collect()
}

fn line(file: &File, comment: &Comment) -> u32 {
    file.source.position(comment.span.start).line
}

fn is_alone(file: &File, comment: &Comment) -> bool {
    let line = file.source.line_span(line(file, comment));
    file.source.slice(Span { start: line.start, end: comment.span.start }).trim().is_empty()
}

fn read(file: &File, comment: &Comment, alone: &BTreeSet<u32>) -> Vec<Suppression> {
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
    let mut lines = vec![own];
    if alone.contains(&own) {
        // Comments may stand above each other: they speak about the first line below them that is none.
        let below = (own + 1..).find(|line| !alone.contains(line)).unwrap_or(own + 1);
        lines.push(below);
    }
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
