//! The rules, one file each, and the list of them. To add one: its file, its line in [`RULES`], its module here.

pub mod always_true;
pub mod always_without_dependencies;
pub mod answer_does_not_fit;
pub mod approval_outlives_push;
pub mod archived_process;
pub mod archived_with_triggers;
pub mod argument_does_not_fit;
pub mod budget_above_agent;
pub mod budget_of_zero;
pub mod budgets_over_quota;
pub mod bypassed_gate;
pub mod case_cannot_start;
pub mod choice_does_not_fit;
pub mod chosen_approver;
pub mod chosen_host;
pub mod chosen_receiver;
pub mod chosen_revision;
pub mod circular_dependency;
pub mod circular_policy;
pub mod comment_word_taken;
pub mod comparison_of_types;
pub mod compensation_in_the_way;
pub mod condition_not_boolean;
pub mod contradicting_expectation;
pub mod contradicting_limits;
pub mod contradicting_pauses;
pub mod contradicting_stub;
pub mod credentials_in_address;
pub mod default_does_not_fit;
pub mod default_of_required_field;
pub mod duplicate_case;
pub mod duplicate_key;
pub mod duplicate_process_name;
pub mod duplicate_step_id;
pub mod duplicate_trigger;
pub mod duplicate_value;
pub mod empty_file;
pub mod empty_period;
pub mod empty_text;
pub mod endless_circle;
pub mod escalation_adds_nobody;
pub mod escalation_order;
pub mod excluded_approvers;
pub mod filter_does_not_fit;
pub mod foreach_without_budget;
pub mod front_matter_never_closed;
pub mod gateway_without_otherwise;
pub mod guarantee_does_not_hold;
pub mod guarantee_incomplete;
pub mod guarantee_names_nothing;
pub mod guarantee_not_provable;
pub mod guarantee_proves_nothing;
pub mod ignored_decision;
pub mod impossible_approval;
pub mod inner_deadline;
pub mod input_never_given;
pub mod inputs_of_test;
pub mod invalid_expression;
pub mod invalid_json;
pub mod invalid_schema;
pub mod invalid_yaml;
pub mod items_not_a_list;
pub mod join_without_choice;
pub mod late_escalation;
pub mod late_reminder;
pub mod list_in_address;
pub mod malformed_pattern;
pub mod malformed_person;
pub mod malformed_receiver;
pub mod may_be_missing;
pub mod may_be_null;
pub mod misplaced_otherwise;
pub mod misplaced_secret;
pub mod missing_escalation;
pub mod missing_key;
pub mod mixed_currencies;
pub mod name_differs_from_file;
pub mod never_runs;
pub mod no_condition;
pub mod no_regular_file;
pub mod not_performed_yet;
pub mod not_utf_8;
pub mod one_of_keys;
pub mod operator_does_not_fit;
pub mod outcome_without_timeout;
pub mod private_address;
pub mod process_contains_itself;
pub mod process_inputs;
pub mod prompt_injection;
pub mod prompt_variables;
pub mod redundant_dependency;
pub mod repeated_write;
pub mod retry_outlasts_execution;
pub mod secret_in_message;
pub mod secret_in_plain_text;
pub mod secret_not_by_name;
pub mod secret_over_http;
pub mod secret_to_chosen_host;
pub mod self_approval;
pub mod shadowed_name;
pub mod step_not_before;
pub mod stub_does_not_fit;
pub mod stub_without_effect;
pub mod suppression_without_reason;
pub mod tag_in_value;
pub mod template_in_key;
pub mod template_in_literal;
pub mod test_of_other_step;
pub mod text_in_header;
pub mod timeout_approves;
pub mod timeout_of_zero;
pub mod too_large;
pub mod tool_keys;
pub mod tool_not_of_agent;
pub mod trigger_never_fires;
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
pub mod unknown_operation;
pub mod unknown_output_in_test;
pub mod unknown_person_in_test;
pub mod unknown_process;
pub mod unknown_setting;
pub mod unknown_step;
pub mod unknown_step_in_test;
pub mod unknown_workflow;
pub mod unlimited_agent;
pub mod unquoted_template;
pub mod unreachable_branch;
pub mod unreachable_timeout;
pub mod unsupported_yaml;
pub mod unused_compensation;
pub mod unused_constant;
pub mod unused_file;
pub mod unused_input;
pub mod unused_suppression;
pub mod unused_variable;
pub mod url_without_scheme;
pub mod useless_retry;
pub mod value_does_not_fit;
pub mod version_not_raised;
pub mod wait_beyond_deadline;
pub mod wrong_type;
pub mod wrong_value;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::edit;
use super::finding::Applicability;
use super::reference::ProblemKind;
use super::rule::{Findings, Rule};
use super::scope::{ProcessScope, Scope};
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::definition::test::ProcessTest;
use crate::definition::{Approvers, Field, Fields, Process, Step};
use crate::graph::Graph;
use crate::source::{FaultKind, Node, SchemaFault, SchemaFaultKind, Span, Spanned, closest};
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
    &duplicate_value::RULE,
    &default_of_required_field::RULE,
    &empty_text::RULE,
    &unused_constant::RULE,
    &unused_variable::RULE,
    &unused_file::RULE,
    &choice_does_not_fit::RULE,
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
    &trigger_never_fires::RULE,
    &duplicate_trigger::RULE,
    &input_never_given::RULE,
    &wait_beyond_deadline::RULE,
    &inner_deadline::RULE,
    &retry_outlasts_execution::RULE,
    &useless_retry::RULE,
    &redundant_dependency::RULE,
    &unreachable_branch::RULE,
    &always_true::RULE,
    &shadowed_name::RULE,
    &join_without_choice::RULE,
    &compensation_in_the_way::RULE,
    &always_without_dependencies::RULE,
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
    &bypassed_gate::RULE,
    &ignored_decision::RULE,
    &self_approval::RULE,
    &excluded_approvers::RULE,
    &malformed_person::RULE,
    &escalation_order::RULE,
    &escalation_adds_nobody::RULE,
    &approval_outlives_push::RULE,
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
    &process_inputs::RULE,
    &archived_process::RULE,
    &tool_keys::RULE,
    &unknown_operation::RULE,
    &tool_not_of_agent::RULE,
    &circular_policy::RULE,
    &empty_period::RULE,
    &unknown_setting::RULE,
    &malformed_receiver::RULE,
    &test_of_other_step::RULE,
    &unknown_person_in_test::RULE,
    &answer_does_not_fit::RULE,
    &stub_does_not_fit::RULE,
    &duplicate_case::RULE,
    &inputs_of_test::RULE,
    &unknown_output_in_test::RULE,
    &contradicting_expectation::RULE,
    &stub_without_effect::RULE,
    &contradicting_stub::RULE,
    &case_cannot_start::RULE,
    &secret_in_plain_text::RULE,
    &misplaced_secret::RULE,
    &secret_over_http::RULE,
    &private_address::RULE,
    &chosen_host::RULE,
    &secret_to_chosen_host::RULE,
    &chosen_approver::RULE,
    &chosen_revision::RULE,
    &chosen_receiver::RULE,
    &text_in_header::RULE,
    &secret_in_message::RULE,
    &prompt_injection::RULE,
    &credentials_in_address::RULE,
    &secret_not_by_name::RULE,
    &guarantee_does_not_hold::RULE,
    &guarantee_not_provable::RULE,
    &guarantee_names_nothing::RULE,
    &guarantee_proves_nothing::RULE,
    &guarantee_incomplete::RULE,
    &foreach_without_budget::RULE,
    &unlimited_agent::RULE,
    &repeated_write::RULE,
    &budget_above_agent::RULE,
    &budgets_over_quota::RULE,
    &mixed_currencies::RULE,
    &budget_of_zero::RULE,
    &endless_circle::RULE,
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

/// Calls `look` with the graph of each list of steps: the process's own, then those of bodies of `foreach`.
fn each_graph(process: &ProcessScope<'_>, look: &mut dyn FnMut(&Graph<'_>)) {
    look(&process.graph);
    each_body(&process.process.steps, &mut |steps, _| look(&Graph::of_steps(steps)));
}

/// The ids of steps inside bodies of `foreach`, with the `foreach` around them.
fn ids_of_bodies<'p>(process: &'p ProcessScope<'_>) -> BTreeMap<&'p str, &'p str> {
    let inside = |owner: &'p Step| owner.with_body().skip(1).map(|step| (step.id.as_str(), owner.id.as_str()));
    process.process.steps.iter().flat_map(inside).collect()
}

/// Calls `look` with every field and its mapping: inputs, questions of forms, variables of prompts, and what lists hold.
fn each_field<'r>(scope: &Scope<'r>, look: &mut dyn FnMut(&'r File, &'r Field, Node<'r>)) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                let root = file.document.node(process.node);
                fields_of(file, &process.header.inputs, root.get("inputs"), look);
                for step in process.all_steps() {
                    if let StepKind::Form(form) = &step.kind {
                        fields_of(file, &form.fields, file.document.node(step.node).get("fields"), look);
                    }
                }
            }
            Some(Definition::Prompt(prompt)) => {
                let root = file.document.root().map(|root| file.document.node(root));
                fields_of(file, &prompt.header.variables, root.and_then(|root| root.get("variables")), look);
            }
            _ => {}
        }
    }
}

fn fields_of<'r>(
    file: &'r File,
    fields: &'r Fields,
    mapping: Option<Node<'r>>,
    look: &mut dyn FnMut(&'r File, &'r Field, Node<'r>),
) {
    for (name, field) in fields {
        let node = mapping.and_then(|mapping| mapping.get(name.as_str()));
        node.into_iter().for_each(|node| with_items(file, field, node, look));
    }
}

fn with_items<'r>(
    file: &'r File,
    field: &'r Field,
    node: Node<'r>,
    look: &mut dyn FnMut(&'r File, &'r Field, Node<'r>),
) {
    look(file, field, node);
    if let (Some(items), Some(node)) = (&field.items, node.get("items")) {
        with_items(file, items, node, look);
    }
}

/// Calls `look` with every group of people that is named somewhere, groups inside groups after their owner.
fn each_group_of_people<'r>(scope: &Scope<'r>, look: &mut dyn FnMut(&'r File, &'r Spanned<Approvers>)) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                for step in process.all_steps() {
                    let (people, levels) = match &step.kind {
                        StepKind::HumanApproval(approval) => (&approval.approvers, &approval.escalate),
                        StepKind::Form(form) => (&form.assignees, &form.escalate),
                        _ => continue,
                    };
                    people
                        .iter()
                        .chain(levels.iter().map(|level| &level.to))
                        .for_each(|one| with_groups(file, one, look));
                }
            }
            Some(Definition::Policy(policy)) => {
                let levels = policy.escalate.iter().map(|level| &level.to);
                policy.approvers.iter().chain(levels).for_each(|one| with_groups(file, one, look));
            }
            _ => {}
        }
    }
}

fn with_groups<'r>(
    file: &'r File,
    people: &'r Spanned<Approvers>,
    look: &mut dyn FnMut(&'r File, &'r Spanned<Approvers>),
) {
    look(file, people);
    if let Approvers::Any { any: groups, .. } | Approvers::All { all: groups } = &people.value {
        groups.iter().for_each(|group| with_groups(file, group, look));
    }
}

/// The process of a case, with what cases ask about it.
struct Tested<'s, 'r> {
    scope: &'s ProcessScope<'r>,
    /// Its steps by id.
    steps: BTreeMap<&'s str, &'s Step>,
}

/// Calls `look` with every case of every test of a process that could be read: the test's file, the process, the case.
fn each_case<'s, 'r>(scope: &'s Scope<'r>, look: &mut dyn FnMut(&'r File, &Tested<'s, 'r>, Node<'r>)) {
    for file in scope.files(FileKind::Test) {
        let Some(Definition::Test(test)) = &file.definition else { continue };
        let Some(process) = scope.process(test.process.as_str()) else { continue };
        let steps = process.process.all_steps().map(|step| (step.id.as_str(), step));
        let tested = Tested { scope: process, steps: steps.collect() };
        test.cases.iter().for_each(|case| look(file, &tested, file.document.node(case.node)));
    }
}

/// What people say in a case, under one key. What is expected to be refused is wrong on purpose.
fn words<'n>(case: Node<'n>, key: &str) -> impl Iterator<Item = Node<'n>> + use<'n> {
    let all = case.get(key).and_then(Node::items).into_iter().flatten();
    all.filter(|word| word.get("refused").is_none_or(|refused| refused.as_str() == Some("false")))
}

/// What a condition always says, where that can be read from it alone.
fn constant(when: &Value) -> Option<bool> {
    match when {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => match text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
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

/// Every test that could be read, with its process where that could be read.
fn tests<'s, 'r>(scope: &'s Scope<'r>) -> impl Iterator<Item = (&'r File, &'r ProcessTest, &'s ProcessScope<'r>)> + 's {
    scope.files(FileKind::Test).filter_map(|file| {
        let Some(Definition::Test(test)) = &file.definition else { return None };
        Some((file, &**test, scope.process(test.process.as_str())?))
    })
}
