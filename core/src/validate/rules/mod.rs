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
pub mod budget_without_price;
pub mod budgets_over_quota;
pub mod bypassed_gate;
pub mod case_cannot_start;
pub mod check_name_taken;
pub mod choice_does_not_fit;
pub mod chosen_approver;
pub mod chosen_host;
pub mod chosen_receiver;
pub mod chosen_revision;
pub mod circular_dependency;
pub mod circular_policy;
pub mod comment_without_place;
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
pub mod escalation_without_effect;
pub mod excluded_approvers;
pub mod filter_does_not_fit;
pub mod foreach_without_budget;
pub mod front_matter_never_closed;
pub mod gateway_without_otherwise;
pub mod guarantee_does_not_hold;
pub mod guarantee_incomplete;
pub mod guarantee_names_nothing;
pub mod guarantee_not_provable;
pub mod guarantee_overridden;
pub mod guarantee_proves_nothing;
pub mod ignored_decision;
pub mod impossible_approval;
pub mod injection_by_tools;
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
pub mod owners_without_change;
pub mod policy_approvers_not_asked;
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
pub mod sub_processes_too_deep;
pub mod suppression_without_reason;
pub mod tag_in_value;
pub mod template_in_key;
pub mod template_in_literal;
pub mod test_of_other_step;
pub mod text_in_header;
pub mod text_not_expression;
pub mod timeout_approves;
pub mod timeout_of_zero;
pub mod too_large;
pub mod tool_keys;
pub mod tool_not_of_agent;
pub mod trigger_never_fires;
pub mod unasked_call;
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
pub mod workflow_inputs;
pub mod wrong_type;
pub mod wrong_value;

#[cfg(test)]
mod cascade_tests;
#[cfg(test)]
mod constants_tests;
#[cfg(test)]
mod deadline_tests;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod one_mistake_tests;
#[cfg(test)]
mod prices_tests;
#[cfg(test)]
mod tools_tests;
#[cfg(test)]
mod trigger_tests;

use super::faults::{tell_faults, tell_problems, tell_structure};
use super::rule::Rule;
use super::walk::{
    agents, constant, each_agent_task, each_case, each_field, each_graph, each_group_of_people, each_list,
    ids_of_bodies, steps_without_change, tests, tools, words,
};
use crate::source::closest;

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
    &check_name_taken::RULE,
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
    &comment_without_place::RULE,
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
    &text_not_expression::RULE,
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
    &policy_approvers_not_asked::RULE,
    &owners_without_change::RULE,
    &escalation_without_effect::RULE,
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
    &sub_processes_too_deep::RULE,
    &stub_without_effect::RULE,
    &contradicting_stub::RULE,
    &case_cannot_start::RULE,
    &workflow_inputs::RULE,
    &unasked_call::RULE,
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
    &injection_by_tools::RULE,
    &guarantee_does_not_hold::RULE,
    &guarantee_not_provable::RULE,
    &guarantee_names_nothing::RULE,
    &guarantee_proves_nothing::RULE,
    &guarantee_incomplete::RULE,
    &guarantee_overridden::RULE,
    &foreach_without_budget::RULE,
    &unlimited_agent::RULE,
    &repeated_write::RULE,
    &budget_above_agent::RULE,
    &budgets_over_quota::RULE,
    &mixed_currencies::RULE,
    &budget_of_zero::RULE,
    &endless_circle::RULE,
    &budget_without_price::RULE,
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
