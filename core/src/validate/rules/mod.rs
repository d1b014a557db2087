//! The rules, one file each, and the list of them. To add one: its file, its line in [`RULES`], its module here.

pub mod archived_with_triggers;
pub mod argument_does_not_fit;
pub mod circular_dependency;
pub mod comment_word_taken;
pub mod comparison_of_types;
pub mod condition_not_boolean;
pub mod contradicting_limits;
pub mod contradicting_pauses;
pub mod default_does_not_fit;
pub mod duplicate_key;
pub mod duplicate_process_name;
pub mod duplicate_step_id;
pub mod empty_file;
pub mod filter_does_not_fit;
pub mod front_matter_never_closed;
pub mod gateway_without_otherwise;
pub mod impossible_approval;
pub mod invalid_expression;
pub mod invalid_json;
pub mod invalid_schema;
pub mod invalid_yaml;
pub mod items_not_a_list;
pub mod late_escalation;
pub mod late_reminder;
pub mod list_in_address;
pub mod malformed_pattern;
pub mod may_be_missing;
pub mod may_be_null;
pub mod misplaced_otherwise;
pub mod misplaced_secret;
pub mod missing_escalation;
pub mod missing_key;
pub mod name_differs_from_file;
pub mod never_runs;
pub mod no_condition;
pub mod no_regular_file;
pub mod not_performed_yet;
pub mod not_utf_8;
pub mod one_of_keys;
pub mod operator_does_not_fit;
pub mod outcome_without_timeout;
pub mod process_contains_itself;
pub mod prompt_variables;
pub mod secret_in_plain_text;
pub mod step_not_before;
pub mod suppression_without_reason;
pub mod tag_in_value;
pub mod template_in_key;
pub mod template_in_literal;
pub mod timeout_approves;
pub mod timeout_of_zero;
pub mod too_large;
pub mod unknown_anchor;
pub mod unknown_code;
pub mod unknown_command;
pub mod unknown_compensation;
pub mod unknown_dependency;
pub mod unknown_file;
pub mod unknown_folder;
pub mod unknown_gateway_target;
pub mod unknown_key;
pub mod unknown_model;
pub mod unknown_name;
pub mod unknown_process;
pub mod unknown_step;
pub mod unknown_step_in_test;
pub mod unknown_workflow;
pub mod unquoted_template;
pub mod unreachable_timeout;
pub mod unsupported_yaml;
pub mod unused_compensation;
pub mod unused_input;
pub mod unused_suppression;
pub mod url_without_scheme;
pub mod value_does_not_fit;
pub mod version_not_raised;
pub mod wrong_type;
pub mod wrong_value;

use std::collections::BTreeMap;

use super::finding::Applicability;
use super::reference::ProblemKind;
use super::rule::{Findings, Rule};
use super::scope::{ProcessScope, Scope};
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::definition::{Field, Process, Step};
use crate::source::{FaultKind, SchemaFaultKind, Span, closest};
use crate::value::Duration;

/// Every rule, by code.
pub const RULES: &[&Rule] = &[
    &invalid_yaml::RULE,
    &duplicate_key::RULE,
    &unsupported_yaml::RULE,
    &unquoted_template::RULE,
    &template_in_key::RULE,
    &unknown_anchor::RULE,
    &too_large::RULE,
    &empty_file::RULE,
    &not_utf_8::RULE,
    &unknown_key::RULE,
    &missing_key::RULE,
    &unknown_dependency::RULE,
    &wrong_type::RULE,
    &wrong_value::RULE,
    &duplicate_step_id::RULE,
    &duplicate_process_name::RULE,
    &name_differs_from_file::RULE,
    &one_of_keys::RULE,
    &version_not_raised::RULE,
    &default_does_not_fit::RULE,
    &contradicting_limits::RULE,
    &unknown_folder::RULE,
    &not_performed_yet::RULE,
    &malformed_pattern::RULE,
    &front_matter_never_closed::RULE,
    &no_regular_file::RULE,
    &circular_dependency::RULE,
    &never_runs::RULE,
    &gateway_without_otherwise::RULE,
    &misplaced_otherwise::RULE,
    &unknown_gateway_target::RULE,
    &unknown_compensation::RULE,
    &unused_compensation::RULE,
    &contradicting_pauses::RULE,
    &timeout_of_zero::RULE,
    &archived_with_triggers::RULE,
    &comment_word_taken::RULE,
    &unreachable_timeout::RULE,
    &invalid_expression::RULE,
    &unknown_name::RULE,
    &unknown_step::RULE,
    &step_not_before::RULE,
    &may_be_missing::RULE,
    &no_condition::RULE,
    &tag_in_value::RULE,
    &comparison_of_types::RULE,
    &unused_input::RULE,
    &template_in_literal::RULE,
    &prompt_variables::RULE,
    &condition_not_boolean::RULE,
    &filter_does_not_fit::RULE,
    &argument_does_not_fit::RULE,
    &operator_does_not_fit::RULE,
    &items_not_a_list::RULE,
    &may_be_null::RULE,
    &value_does_not_fit::RULE,
    &list_in_address::RULE,
    &impossible_approval::RULE,
    &missing_escalation::RULE,
    &late_escalation::RULE,
    &late_reminder::RULE,
    &outcome_without_timeout::RULE,
    &timeout_approves::RULE,
    &unknown_file::RULE,
    &unknown_model::RULE,
    &invalid_schema::RULE,
    &invalid_json::RULE,
    &unknown_workflow::RULE,
    &unknown_process::RULE,
    &process_contains_itself::RULE,
    &unknown_step_in_test::RULE,
    &url_without_scheme::RULE,
    &unknown_command::RULE,
    &secret_in_plain_text::RULE,
    &misplaced_secret::RULE,
    &unused_suppression::RULE,
    &suppression_without_reason::RULE,
    &unknown_code::RULE,
];

/// The rule with this code or name.
pub fn find(code_or_name: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.is(code_or_name))
}

/// The name of a rule that somebody may have meant; of numbers nobody can say which was meant.
pub(super) fn closest_name(written: &str) -> Option<&'static str> {
    closest(written, RULES.iter().map(|rule| rule.name))
}

/// Tells the faults of parsing that are of a rule's kind.
fn tell_faults(scope: &Scope<'_>, findings: &mut Findings, is_ours: impl Fn(FaultKind) -> bool) {
    for file in scope.all_files().filter(|file| !invalid_json::is_broken(file)) {
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
fn tell_structure(scope: &Scope<'_>, findings: &mut Findings, is_ours: impl Fn(&SchemaFaultKind) -> bool) {
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
            }
        }
    }
}

/// Calls `look` with each list of steps: the process's own, then bodies of `foreach`.
fn each_list<'p>(process: &'p Process, look: &mut dyn FnMut(&'p [Step], bool)) {
    look(&process.steps, false);
    each_body(&process.steps, look);
}

fn each_body<'p>(steps: &'p [Step], look: &mut dyn FnMut(&'p [Step], bool)) {
    for step in steps {
        if let StepKind::Foreach(foreach) = &step.kind {
            look(&foreach.steps, true);
            each_body(&foreach.steps, look);
        }
    }
}

/// The ids of steps inside bodies of `foreach`, with the `foreach` around them.
fn ids_of_bodies<'p>(process: &'p ProcessScope<'_>) -> BTreeMap<&'p str, &'p str> {
    let inside = |owner: &'p Step| owner.with_body().skip(1).map(|step| (step.id.as_str(), owner.id.as_str()));
    process.process.steps.iter().flat_map(inside).collect()
}

/// Calls `look` with every field: inputs, questions of forms, variables of prompts, and what lists hold.
fn each_field<'r>(scope: &Scope<'r>, look: &mut dyn FnMut(&'r File, &'r Field)) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                process.header.inputs.values().for_each(|field| with_items(file, field, look));
                for step in process.all_steps() {
                    if let StepKind::Form(form) = &step.kind {
                        form.fields.values().for_each(|field| with_items(file, field, look));
                    }
                }
            }
            Some(Definition::Prompt(prompt)) => {
                prompt.header.variables.values().for_each(|field| with_items(file, field, look));
            }
            _ => {}
        }
    }
}

fn with_items<'r>(file: &'r File, field: &'r Field, look: &mut dyn FnMut(&'r File, &'r Field)) {
    look(file, field);
    if let Some(items) = &field.items {
        with_items(file, items, look);
    }
}

/// Tells the problems of one kind with what expressions read and do.
fn tell_problems(scope: &Scope<'_>, findings: &mut Findings, kind: ProblemKind) {
    let of_processes = scope.processes.iter().map(|process| (process.file, &process.problems));
    let of_prompts = scope.prompts.iter().map(|(file, problems)| (&**file, problems));
    for (file, problems) in of_processes.chain(of_prompts) {
        for problem in problems.iter().filter(|problem| problem.kind == kind) {
            let finding = findings.add(file, problem.span, problem.message.clone());
            finding.maybe_help(problem.help.clone());
            if let Some(meant) = &problem.meant {
                finding.fix(file, Applicability::Unsafe, problem.span, meant.clone());
            }
        }
    }
}

/// When a step's deadline is, and where that is written; nothing where it is computed or there is none.
fn deadline(process: &ProcessScope<'_>, step: &Step) -> Option<(Duration, Span)> {
    match &step.timeout {
        Some(timeout) => timeout.literal().map(|literal| (literal, timeout.span)),
        None => process.process.header.defaults.timeout.as_ref().map(|timeout| (timeout.value, timeout.span)),
    }
}
