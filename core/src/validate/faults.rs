//! How rules tell what was found before them: faults of parsing and of structure, and problems with what expressions
//! read. Knows no rule; which kinds are whose is said by the rule.

use std::collections::BTreeSet;

use super::edit;
use super::finding::Applicability;
use super::reference::ProblemKind;
use super::rule::Findings;
use super::rules::{invalid_json, not_utf_8};
use super::scope::Scope;
use crate::definition::repository::File;
use crate::source::{FaultKind, Node, SchemaFault, SchemaFaultKind, Span};

/// Tells the faults of parsing that are of a rule's kind.
pub(super) fn tell_faults(scope: &Scope<'_>, findings: &mut Findings, is_ours: impl Fn(FaultKind) -> bool) {
    // What is UTF-16 is told as no UTF-8, and not for each character.
    let is_text =
        |file: &&File| !(file.source.text().contains('\0') && file.source.text().contains(not_utf_8::REPLACEMENT));
    let has_ours = |file: &&File| file.faults.iter().any(|fault| is_ours(fault.kind));
    for file in scope.all_files().filter(has_ours).filter(|file| !invalid_json::is_broken(file)).filter(is_text) {
        for fault in file.faults.iter().filter(|fault| is_ours(fault.kind)) {
            let finding = findings.add(file, fault.span, fault.message.clone());
            finding.maybe_help(fault.help.clone());
            if fault.kind == FaultKind::UnquotedTemplate
                && let Some(quoted) = fault.help.as_deref().and_then(|help| help.strip_prefix("write "))
            {
                finding.fix(file, Applicability::Safe, fault.span, quoted);
            }
            for (span, message) in &fault.related {
                finding.also(file, *span, message.clone());
            }
        }
    }
}

/// Tells the faults of structure that are of a rule's kind. What other rules say more precisely is left to them.
pub(super) fn tell_structure(scope: &Scope<'_>, findings: &mut Findings, is_ours: impl Fn(&SchemaFaultKind) -> bool) {
    for file in scope.all_files() {
        for fault in file.structure.iter().filter(|fault| is_ours(&fault.kind)) {
            let node = file.document.node(fault.node);
            if node.as_text().is_some_and(|text| text.contains("{%")) {
                continue;
            }
            // Entries that a fault of parsing speaks about are not counted.
            let counts = matches!(fault.kind, SchemaFaultKind::Minimum | SchemaFaultKind::MissingKey { .. });
            if counts && file.faults.iter().any(|other| node.outer_span().contains(other.span)) {
                continue;
            }
            let finding = findings.add(file, fault.span, fault.message.clone());
            finding.maybe_help(fault.help.clone());
            let meant = fault.help.as_deref().and_then(|help| help.strip_prefix("did you mean `")?.strip_suffix("`?"));
            if let Some(meant) = meant {
                finding.fix(file, Applicability::Unsafe, fault.span, meant);
            } else if let Some((span, text)) =
                without_quotes(fault, node).or_else(|| without_repetition(file, node, fault))
            {
                finding.fix(file, Applicability::Safe, span, text);
            }
        }
    }
}

/// A number or a boolean that quotes make a text of, where one of those is wanted.
fn without_quotes(fault: &SchemaFault, node: Node<'_>) -> Option<(Span, String)> {
    let SchemaFaultKind::WrongType { expected, .. } = &fault.kind else { return None };
    let text = node.as_scalar().filter(|scalar| scalar.is_quoted()).and(node.as_text())?;
    let fits = match expected.as_str() {
        "true or false" => matches!(text, "true" | "false"),
        "a whole number" => text.parse::<u32>().is_ok_and(|number| number.to_string() == text),
        _ => false,
    };
    let whole = node.outer_span();
    (fits && whole.len() == text.len() + 2).then(|| (whole, text.to_owned()))
}

/// A list of different values that holds one twice.
fn without_repetition(file: &File, list: Node<'_>, fault: &SchemaFault) -> Option<(Span, String)> {
    if fault.kind != SchemaFaultKind::Other {
        return None;
    }
    let mut seen = BTreeSet::new();
    let again = list.items()?.find(|item| item.as_str().is_some_and(|text| !seen.insert(text)))?;
    edit::of_item(&file.source, again.outer_span()).map(|span| (span, String::new()))
}

/// Tells the problems of one kind with what expressions read and do.
pub(super) fn tell_problems(scope: &Scope<'_>, findings: &mut Findings, kind: ProblemKind) {
    let of_processes = scope.processes.iter().map(|process| (process.file, &process.problems, Some(process)));
    let of_prompts = scope.prompts.iter().map(|(file, problems)| (&**file, problems, None));
    for (file, problems, process) in of_processes.chain(of_prompts) {
        for problem in problems.iter().filter(|problem| problem.kind == kind) {
            let places = match process.filter(|_| kind == ProblemKind::UnknownStep) {
                Some(process) => process.other_places(file.source.slice(problem.span), problem.span),
                None => Some(problem.also.as_slice()),
            };
            let Some(places) = places else { continue };
            let finding = findings.add(file, problem.span, problem.message.clone());
            finding.maybe_help(problem.help.clone());
            if let Some(meant) = &problem.meant {
                finding.fix(file, Applicability::Unsafe, problem.span, meant.clone());
            }
            if kind == ProblemKind::UnknownStep {
                finding.same_name(file, places);
                continue;
            }
            for span in places {
                finding.also(file, *span, "it is read here too");
            }
        }
    }
}
