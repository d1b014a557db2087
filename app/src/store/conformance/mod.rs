//! What every back end of the store must do, as functions over any store. A back end runs them all with
//! [`store_conformance`], each against a fresh database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

pub(crate) mod branches;
pub(crate) mod deliveries;
pub(crate) mod effects;
pub(crate) mod executions;
pub(crate) mod heard;
pub(crate) mod lists;
pub(crate) mod retention;
pub(crate) mod signals;
pub(crate) mod spending;
pub(crate) mod standing;
pub(crate) mod stream;
pub(crate) mod tenants;
pub(crate) mod transitions;
pub(crate) mod work;

mod given;

use flowctl_core::execution::{Event, Execution};

use crate::store::Transition;

/// Makes a test of each case of the suite, with these attributes beside. `$open` is an expression of a future that gives
/// a fresh store and whatever
/// must live as long as it.
macro_rules! store_conformance {
    (with $attributes:tt; $open:expr) => {
        $crate::store::conformance::store_conformance! { @each $attributes $open;
            deliveries: [
                a_delivery_is_stored_once
                a_failed_delivery_is_taken_up_when_it_is_redelivered
                a_redelivered_delivery_has_all_its_attempts_again
                deliveries_of_one_key_are_handled_one_after_the_other
                a_delivery_that_failed_and_comes_again_goes_before_younger_ones
                none_is_left_behind_that_comes_while_the_one_before_it_ends
                deliveries_come_back_as_they_came
                a_delivery_put_off_holds_back_those_behind_it
                a_delivery_whose_owner_died_is_taken_over
                a_delivery_whose_lease_is_renewed_stays_with_its_owner
                a_stale_owner_cannot_finish_a_delivery
                an_earlier_claim_of_the_same_owner_cannot_finish_a_delivery
                a_finished_delivery_is_never_claimed_again
                old_deliveries_are_forgotten_once_they_are_done_with
            ]
            transitions: [
                a_transition_is_stored_as_a_whole
                a_moved_version_is_a_conflict_and_stores_nothing
                an_id_is_created_once
                a_start_key_starts_once
                start_keys_of_tenants_are_apart
                a_word_is_recorded_once
                concurrent_transitions_of_one_version_let_one_through
                events_are_numbered_without_gaps
                folding_the_stored_events_gives_the_stored_state
                a_long_story_is_read_as_it_was_told
                large_values_come_back_as_they_went
                text_that_a_database_cannot_hold_is_no_obstacle
                many_transitions_at_once_are_each_stored_or_refused
                what_caused_a_transition_is_kept_with_its_events
            ]
            executions: [
                a_pending_execution_is_due_at_once
                an_execution_is_due_when_its_time_has_come
                an_ended_execution_is_never_due
                a_postponed_execution_is_due_later
                executions_are_found_by_pull_request
                a_list_comes_page_by_page
                a_list_is_filtered
                a_wrong_cursor_is_refused
                subscribers_learn_of_a_commit
                what_ended_long_ago_is_forgotten_with_everything_of_it
                what_ended_of_one_process_is_forgotten_by_itself
                a_process_is_known_to_be_archived_since_it_was_first_seen
                the_backlog_counts_what_is_to_be_done
                a_closed_store_refuses
            ]
            lists: [
                an_approval_is_kept_as_it_stands
                approvals_are_listed_page_by_page
                a_list_is_bounded_by_time
                whose_an_execution_is_and_how_far_it_got_is_known
                a_pause_holds_until_it_is_lifted
                a_key_is_made_once
                what_people_did_is_chained_for_each_tenant
                what_is_refused_leaves_no_trace_in_the_audit_log
                many_at_once_are_chained_one_behind_the_other
            ]
            work: [
                work_is_claimed_once
                work_may_be_stored_as_claimed
                of_several_attempts_only_the_first_are_stored_as_claimed
                work_of_executions_that_have_enough_is_left
                an_expired_lease_is_taken_over
                a_renewed_lease_is_not_taken_over
                a_stale_claim_can_neither_renew_nor_finish
                work_of_a_step_that_ended_is_dropped
                work_of_a_running_step_survives_other_transitions
                released_work_counts_as_never_claimed
                concurrent_claims_share_the_work
                a_result_of_a_claim_that_was_taken_over_is_not_stored
                a_claim_that_nobody_took_over_holds_beyond_its_lease
                who_has_an_older_claim_of_the_same_owner_is_fenced_off
                an_expired_claim_goes_before_what_came_later
            ]
            effects: [
                effects_of_one_key_coalesce
                a_newer_payload_goes_no_later
                an_effect_is_hastened
                one_effect_of_an_account_is_under_lease_though_it_installed_the_app_anew
                prompts_go_before_timelines
                a_newer_payload_keeps_an_effect_pending
                a_write_that_may_have_happened_is_remembered
                a_failed_effect_waits_for_a_newer_payload
                what_github_asked_for_is_honoured
                an_effect_whose_owner_died_is_taken_over
                an_effect_whose_lease_is_renewed_stays_with_its_owner
                a_stale_owner_cannot_finish_an_effect
                an_earlier_claim_of_the_same_owner_can_neither_write_nor_finish_an_effect
                what_stands_on_github_is_remembered
            ]
            signals: [
                a_signal_is_stored_with_what_caused_it_and_taken_with_what_follows
                a_signal_of_a_refused_transition_is_not_stored
                a_child_is_stored_with_its_parents_transition_or_not_at_all
                an_event_is_told_to_those_that_wait_for_it
                who_begins_to_wait_is_told_of_events_since_its_start
                one_of_a_group_goes_and_the_next_is_due_when_it_ends
                a_group_that_skips_stores_no_second_one
                a_newcomer_tells_the_others_of_its_group
                of_many_that_enter_a_group_at_once_one_goes
                no_event_is_missed_by_who_begins_to_wait_at_the_same_time
                an_occurrence_is_dealt_with_under_a_lease
                a_time_table_never_goes_back
                a_time_table_that_is_no_more_is_forgotten
                repositories_are_known_by_what_was_heard_of_them
            ]
            spending: [
                what_is_reserved_is_free_again_once_it_is_used
                a_call_that_a_budget_does_not_allow_stores_nothing
                calls_of_many_executions_at_once_cannot_overspend
                people_are_told_once_for_each_budget_and_month
                what_one_tenant_spends_is_no_other_ones
                what_no_execution_asked_counts_in_the_same_months
            ]
            standing: [
                a_change_is_noted_with_its_entry_or_not_at_all
                what_begins_so_is_found_in_order_and_nothing_else
                of_many_who_see_a_change_at_once_one_notes_it
            ]
            stream: [
                what_is_streamed_is_untold_until_somebody_tells_it
                a_refused_transition_is_told_to_no_stream
                a_lease_is_one_owners_until_it_ends
            ]
            branches: [
                a_branch_moves_once_from_where_it_stood
            ]
            heard: [
                what_was_dealt_with_is_known_by_who_told_first
                a_repository_is_known_by_every_name_it_had
                what_is_paused_stays_so_under_another_name
            ]
            tenants: [
                a_row_of_another_tenant_is_never_returned
                a_transition_cannot_touch_another_tenants_execution
                installations_are_kept_by_account
            ]
        }
    };
    (@each $attributes:tt $open:expr; $($room:ident: [$($case:ident)*])*) => {
        $($($crate::store::conformance::store_case! { $attributes $open; $room $case })*)*
    };
    ($open:expr) => {
        $crate::store::conformance::store_conformance! { with []; $open }
    };
}
pub(crate) use store_conformance;

/// An execution under way with the events that led to it, for tests of a single back end.
pub(crate) fn drafting_since(number: u128) -> (Execution, Vec<Event>) {
    let story = given::Story::new(given::acme(), number).drafting();
    (story.execution, story.events)
}

/// The transition that stores such an execution, with the attempt that is to be performed.
pub(crate) fn drafting(number: u128) -> Transition {
    let (execution, events) = drafting_since(number);
    Transition { work: vec![given::draft()], ..Transition::of(execution, 0, events) }
}

/// One case as a test.
macro_rules! store_case {
    ([$(#[$attribute:meta])*] $open:expr; $room:ident $case:ident) => {
        #[tokio::test]
        $(#[$attribute])*
        async fn $case() {
            let (store, _kept) = $open.await;
            $crate::store::conformance::$room::$case(&store).await;
        }
    };
}
pub(crate) use store_case;
