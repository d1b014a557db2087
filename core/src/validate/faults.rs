//! How rules tell what was found before them: faults of parsing and of structure, and problems with what expressions
//! read. Knows no rule; which kinds are whose is said by the rule.

use std::collections::BTreeSet;

use super::edit;
use super::finding::Applicability;
use super::reference::ProblemKind;
use super::rule::{Findings, Rule};
use super::rules::{invalid_json, not_utf_8, unknown_key};
use super::scope::{ProcessScope, Scope};
use super::suppression::silenced;
use crate::definition::missing_instead;
use crate::definition::repository::File;
use crate::definition::schema::MAX_STEPS;
use crate::definition::settings::Level;
use crate::definition::step::RunOn;
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
            if is_told_by_another_key(scope, file, fault) {
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

/// Whether a mapping has a key of which nobody can say what was meant, and that is told as an error: what the mapping lacks
/// may be said by that.
pub(super) fn has_foreign_key(scope: &Scope<'_>, file: &File, mapping: Node<'_>) -> bool {
    foreign_key(file, mapping).is_some_and(|fault| is_told_as_error(scope, file, &unknown_key::RULE, fault.span))
}

fn foreign_key<'f>(file: &'f File, mapping: Node<'_>) -> Option<&'f SchemaFault> {
    // They are in the order of the text.
    let at = |span: Span| &file.structure[file.structure.partition_point(|fault| fault.span < span)..];
    mapping.entries().find_map(|(key, _)| {
        let (id, span) = (key.id(), key.pointing_span());
        let mut faults = at(span).iter().take_while(|fault| fault.span == span);
        faults.find(|fault| fault.node == id && fault.is_foreign_key())
    })
}

/// Whether somebody hears of a rule at a place as of an error: it is not suppressed there, nor of another level.
fn is_told_as_error(scope: &Scope<'_>, file: &File, rule: &Rule, place: Span) -> bool {
    let levels = scope.repository.settings().into_iter().flat_map(|settings| &settings.validate.levels);
    let mut own = levels.filter(|(name, _)| [rule.code, rule.name].contains(&name.as_str()));
    own.all(|(_, level)| *level == Level::Error) && !is_silenced(file, &silenced(file), rule, place)
}

/// Whether a rule is among what a file suppresses at a place.
fn is_silenced(file: &File, silenced: &BTreeSet<(u32, String)>, rule: &Rule, place: Span) -> bool {
    let line = file.source.range(place).start.line;
    [rule.code, rule.name].iter().any(|name| silenced.contains(&(line, (*name).to_owned())))
}

/// Whether a key that a mapping lacks is told with one that nobody knows.
fn is_told_by_another_key(scope: &Scope<'_>, file: &File, fault: &SchemaFault) -> bool {
    let SchemaFaultKind::MissingKey { key } = &fault.kind else { return false };
    let by_another = foreign_key(file, file.document.node(fault.node));
    by_another.is_some_and(|other| {
        other.help.as_ref() == Some(&missing_instead(key))
            && is_told_as_error(scope, file, &unknown_key::RULE, other.span)
    })
}

/// Something that must be given and that several places of one file leave out. It is told once: whoever made it necessary did
/// it to all of them.
pub(super) struct LeftOut<'r> {
    pub(super) file: &'r File,
    pub(super) help: String,
    /// Where it is said that it must be given.
    pub(super) declared: Vec<(&'r File, Span)>,
    pub(super) places: Vec<Span>,
}

/// Most places that are shown beside the first.
const MAX_PLACES: usize = 10;

impl LeftOut<'_> {
    /// Tells it at its first place. What nobody hears of at its place is told for itself, and nothing with it.
    pub(super) fn tell(&self, rule: &Rule, message: &str, findings: &mut Findings) {
        let silenced = if self.places.len() > 1 { silenced(self.file) } else { BTreeSet::new() };
        let is_heard = |place: &Span| !is_silenced(self.file, &silenced, rule, *place);
        let (heard, others): (Vec<Span>, Vec<Span>) = self.places.iter().partition(|place| is_heard(place));
        others.iter().for_each(|place| self.tell_at(&[*place], message, findings));
        self.tell_at(&heard, message, findings);
    }

    fn tell_at(&self, places: &[Span], message: &str, findings: &mut Findings) {
        let Some((first, others)) = places.split_first() else { return };
        let finding = findings.add(self.file, *first, message);
        finding.help(self.help.as_str());
        for (file, span) in &self.declared {
            finding.also(file, *span, "declared here");
        }
        for place in others.iter().take(MAX_PLACES) {
            finding.also(self.file, *place, "it is missing here too");
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

/// The steps that others name as their compensation and that do not say that they are one, which is told of those: what they
/// read they may read as compensations.
fn told_as_compensations(process: &ProcessScope<'_>) -> Vec<Span> {
    let named = process.steps().filter_map(|step| process.process.step(step.compensate_with.as_ref()?.as_str()));
    let unmarked = named.filter(|step| step.run_on != RunOn::Compensation).take(MAX_STEPS);
    unmarked.map(|step| process.node(step).outer_span()).collect()
}

/// Tells the problems of one kind with what expressions read and do.
pub(super) fn tell_problems(scope: &Scope<'_>, findings: &mut Findings, kind: ProblemKind) {
    let of_processes = scope.processes.iter().map(|process| (process.file, &process.problems, Some(process)));
    let of_prompts = scope.prompts.iter().map(|(file, problems)| (&**file, problems, None));
    for (file, problems, process) in of_processes.chain(of_prompts) {
        let is_read_early = kind == ProblemKind::NotBefore && problems.iter().any(|problem| problem.kind == kind);
        let told = process.filter(|_| is_read_early).map(told_as_compensations).unwrap_or_default();
        let is_told = |span: Span| told.iter().any(|step| step.contains(span));
        for problem in problems.iter().filter(|problem| problem.kind == kind && !is_told(problem.span)) {
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
