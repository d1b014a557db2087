//! A word that names no step counts for what GitHub showed when it was written, whatever was asked by then.

use flowctl_sandbox::state::ReviewState;
use flowctl_sandbox::{Fault, FaultRule};

use crate::stage::Stage;

/// Two approvals in a row.
const GATE: &str = "
name: gate
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: design, type: human_approval, title: The design?, approvers: {users: [bob]}}
  - {id: leads, type: human_approval, depends_on: design, title: Ship it?, approvers: {users: [dave]}}
";

/// An approval, then a form.
const FORMS: &str = "
name: forms
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: design, type: human_approval, title: The design?, approvers: {users: [bob]}}
  - id: details
    type: form
    depends_on: design
    title: What exactly?
    assignees: {users: [bob]}
    fields: {amount: {type: integer, required: true}}
";

/// Asks once, as often as somebody starts it.
const SHIP: &str = "
name: ship
version: 1
triggers: [manual]
steps:
  - {id: leads, type: human_approval, title: Ship it?, approvers: {users: [bob]}}
";

const COMMENTS: &str = "/repos/octo-org/shop/issues/*/comments";
const OWN_COMMENT: &str = "/repos/octo-org/shop/issues/comments/*";
const CHECKS: &str = "/repos/octo-org/shop/check-runs*";

/// GitHub takes nothing from now on that could show a question.
fn hold_back(stage: &Stage) {
    for (method, path) in [("POST", COMMENTS), ("PATCH", OWN_COMMENT), ("POST", CHECKS), ("PATCH", CHECKS)] {
        let fault = FaultRule::new(Fault::ErrorBefore { status: 502 }).method(method).path(path);
        stage.hub.faults.add(fault.times(1_000));
    }
}

/// Waits until a comment has this reaction of ours.
async fn reacted(stage: &Stage, comment: u64, content: &str) {
    let has = || stage.hub.reactions(comment).into_iter().find(|reaction| reaction.content == content);
    stage.eventually(&format!("the reaction {content}"), has).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_counted_for_a_question_that_was_not_on_github_yet() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "gate", "action_required").await;
    hold_back(&stage);
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage.until_asked(&["leads"]).await;
    // What dave sees asks bob alone.
    stage.review(number, "dave", ReviewState::Approved, "Reads well.");
    let word = stage.comment(number, "/approve").said_by("dave");
    reacted(&stage, word, "confused").await;
    stage.until_asked(&["leads"]).await;
    stage.hub.faults.clear();
    let answer = stage.answer_to(number, word).await;
    assert!(answer.contains("was written before that was shown") && answer.contains("`leads`"), "{answer}");
    let shows_leads = |comment: &String| comment.contains("Ship it?");
    let comment = || stage.app_comments(number, "flowctl:execution").into_iter().find(shows_leads);
    stage.eventually("the question", comment).await;
    assert_eq!(stage.comment(number, "/approve").by("dave").await, "🚀");
    stage.concluded(number, "gate", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_names_its_step_counts_before_github_shows_it() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "gate", "action_required").await;
    hold_back(&stage);
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage.until_asked(&["leads"]).await;
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.hub.faults.clear();
    stage.concluded(number, "gate", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_shows_counts_also_where_nobody_could_note_that_it_does() {
    for (fault, method, path) in [
        (Fault::ErrorAfter { status: 502 }, "PATCH", OWN_COMMENT),
        (Fault::ResetAfter, "PATCH", OWN_COMMENT),
        (Fault::ErrorAfter { status: 502 }, "POST", CHECKS),
        (Fault::ErrorAfter { status: 502 }, "POST", COMMENTS),
    ] {
        let stage = Stage::raise(&[("gate", GATE)]).await;
        stage.expect_comments();
        let number = stage.pull_request("release-1.4");
        stage.concluded(number, "gate", "action_required").await;
        // One write shows the question and its answer is lost; no other one is taken.
        stage.disturb(fault.clone(), method, path);
        hold_back(&stage);
        assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
        let lost = || stage.hub.faults.pending().iter().all(|rule| rule.fault != fault).then_some(());
        stage.eventually("a write without an answer", lost).await;
        assert_eq!(stage.comment(number, "/approve").by("dave").await, "🚀", "{method} {path}");
        stage.hub.faults.clear();
        stage.concluded(number, "gate", "success").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_executions_a_word_counts_for_those_that_were_shown() {
    let stage = Stage::raise(&[("ship", SHIP)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    assert_eq!(stage.comment(number, "/run ship").by("alice").await, "🚀");
    stage.concluded(number, "ship", "action_required").await;
    hold_back(&stage);
    assert_eq!(stage.comment(number, "/run ship").by("alice").await, "🚀");
    stage.until_asked(&["leads", "leads"]).await;
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    stage.until_asked(&["leads"]).await;
    stage.hub.faults.clear();
    stage
        .eventually("the other one's question", || {
            let comments = stage.app_comments(number, "flowctl:execution");
            (comments.len() == 2 && comments[1].contains("Ship it?")).then_some(())
        })
        .await;
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    stage.until_asked(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_counted_for_a_form_that_was_not_on_github_yet() {
    let stage = Stage::raise(&[("forms", FORMS)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "forms", "action_required").await;
    hold_back(&stage);
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    let word = stage.comment(number, "/answer amount=1").said_by("bob");
    reacted(&stage, word, "confused").await;
    stage.hub.faults.clear();
    let answer = stage.answer_to(number, word).await;
    assert!(answer.contains("was written before that was shown"), "{answer}");
    let comment =
        || stage.app_comments(number, "flowctl:execution").into_iter().find(|it| it.contains("What exactly?"));
    stage.eventually("the form", comment).await;
    assert_eq!(stage.comment(number, "/answer amount=1").by("bob").await, "🚀");
    stage.concluded(number, "forms", "success").await;
}
