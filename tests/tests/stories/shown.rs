//! A word that names no step counts for what GitHub showed when it was written, whatever was asked by then.

use std::time::Duration;

use flowctl_sandbox::state::{CheckRun, ReviewState};
use flowctl_sandbox::{Fault, FaultRule};
use reqwest::Method;
use serde_json::Value;

use crate::approvals::GATE;
use crate::stage::{PATIENCE, Stage};

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

const LOOK: &str = "
name: look
version: 1
triggers: [manual]
steps:
  - {id: ops, type: human_approval, title: Will it run?, approvers: {users: [bob]}}
";

const COMMENTS: &str = "/repos/octo-org/shop/issues/*/comments";
const OWN_COMMENT: &str = "/repos/octo-org/shop/issues/comments/*";
const CHECKS: &str = "/repos/octo-org/shop/check-runs*";

/// What can show a question.
const WRITES: [(&str, &str); 4] = [("POST", COMMENTS), ("PATCH", OWN_COMMENT), ("POST", CHECKS), ("PATCH", CHECKS)];

/// GitHub takes nothing from now on that could show a question, however often it is told.
fn hold_back(stage: &Stage) {
    hold_back_all_but(stage, &[]);
}

/// The same, but these writes are made, and their answers are lost.
fn hold_back_all_but(stage: &Stage, lost: &[(&str, &str)]) {
    stage.expect("PATCH", "issues/comments/*");
    stage.expect("PATCH", "check-runs/*");
    for write @ (method, path) in WRITES {
        let is_lost = lost.contains(&write);
        let fault = if is_lost { Fault::ErrorAfter { status: 502 } } else { Fault::ErrorBefore { status: 502 } };
        stage.hub.faults.add(FaultRule::new(fault).method(method).path(path).times(1_000));
    }
}

/// Waits until approvals of these steps are asked for, and of no others.
async fn until_asked(stage: &Stage, steps: &[&str]) {
    let reached = tokio::time::timeout(PATIENCE, async {
        loop {
            let (_, told) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
            let asked = told["items"].as_array().unwrap().iter().map(|approval| approval["step"].as_str().unwrap());
            let mut asked: Vec<&str> = asked.collect();
            asked.sort_unstable();
            if asked == steps {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(reached.await.is_ok(), "approvals of {steps:?} should be asked for");
}

/// A pull request whose second approval is asked for, which GitHub does not show.
async fn asking_out_of_sight() -> (Stage, u64) {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "gate", "action_required").await;
    hold_back(&stage);
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    until_asked(&stage, &["leads"]).await;
    (stage, number)
}

/// Waits until a comment has this reaction of ours.
async fn reacted(stage: &Stage, comment: u64, content: &str) {
    let has = || stage.hub.reactions(comment).into_iter().find(|reaction| reaction.content == content);
    stage.eventually(&format!("the reaction {content}"), has).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_counted_for_a_question_that_was_not_on_github_yet() {
    let (stage, number) = asking_out_of_sight().await;
    // What dave sees asks bob alone.
    let review = stage.review(number, "dave", ReviewState::Approved, "Reads well.");
    // Nothing asks her, now or later.
    stage.review(number, "carol", ReviewState::Approved, "");
    let word = stage.comment(number, "/approve").said_by("dave");
    reacted(&stage, word, "confused").await;
    until_asked(&stage, &["leads"]).await;
    stage.hub.faults.clear();
    let answer = stage.answer_to(number, word).await;
    assert!(answer.contains("was written before that was shown") && answer.contains("`leads`"), "{answer}");
    let marker = format!("flowctl:reply:review:{review} ");
    let told = stage.eventually("a word to dave", || stage.app_comments(number, &marker).pop()).await;
    let (words, _) = told.split_once(" is asked since ").unwrap();
    let words = words.split_once("-->").unwrap().1.trim();
    insta::assert_snapshot!(words, @"@dave Your review was not taken. It was written before that was shown which it would count for: `leads`");
    let shows_leads = |comment: &String| comment.contains("Ship it?");
    let comment = || stage.app_comments(number, "flowctl:execution").into_iter().find(shows_leads);
    stage.eventually("the question", comment).await;
    assert_eq!(stage.comment(number, "/approve").by("dave").await, "🚀");
    stage.concluded(number, "gate", "success").await;
    assert_eq!(stage.app_comments(number, "flowctl:reply:review:").len(), 1, "carol was not answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_names_its_step_counts_before_github_shows_it() {
    let (stage, number) = asking_out_of_sight().await;
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.hub.faults.clear();
    stage.concluded(number, "gate", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_names_a_step_of_several_counts_only_for_the_one_that_github_shows() {
    let other = SHIP.replace("name: ship", "name: wipe").replace("Ship it?", "Delete production?");
    let stage = Stage::raise(&[("ship", SHIP), ("wipe", &other)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    assert_eq!(stage.comment(number, "/run ship").by("alice").await, "🚀");
    stage.concluded(number, "ship", "action_required").await;
    hold_back(&stage);
    assert_eq!(stage.comment(number, "/run wipe").by("alice").await, "🚀");
    until_asked(&stage, &["leads", "leads"]).await;
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    until_asked(&stage, &["leads"]).await;
    let (_, told) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
    assert_eq!(told["items"][0]["title"], "Delete production?");
    stage.hub.faults.clear();
    stage.concluded(number, "wipe", "action_required").await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve wipe/leads").by("bob").await, "🚀");
    until_asked(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_shows_counts_also_where_nobody_could_note_that_it_does() {
    for write in [("PATCH", OWN_COMMENT), ("POST", CHECKS), ("POST", COMMENTS)] {
        let stage = Stage::raise(&[("gate", GATE)]).await;
        stage.expect_comments();
        let number = stage.pull_request("release-1.4");
        stage.concluded(number, "gate", "action_required").await;
        hold_back_all_but(&stage, &[write]);
        assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
        let asks_leads = |run: &CheckRun| run.summary.as_deref().is_some_and(|summary| summary.contains("Ship it?"));
        let is_shown = || {
            let in_run = stage.runs(number, "gate").iter().any(asks_leads);
            (in_run || !stage.app_comments(number, "Ship it?").is_empty()).then_some(())
        };
        stage.eventually(&format!("the question by {write:?}"), is_shown).await;
        assert_eq!(stage.comment(number, "/approve").by("dave").await, "🚀", "{write:?}");
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
    until_asked(&stage, &["leads", "leads"]).await;
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    until_asked(&stage, &["leads"]).await;
    stage.hub.faults.clear();
    stage
        .eventually("the other one's question", || {
            let comments = stage.app_comments(number, "flowctl:execution");
            (comments.len() == 2 && comments[1].contains("Ship it?")).then_some(())
        })
        .await;
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    until_asked(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_questions_the_one_that_was_shown_alone_is_meant() {
    let stage = Stage::raise(&[("ship", SHIP), ("look", LOOK)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    assert_eq!(stage.comment(number, "/run ship").by("alice").await, "🚀");
    stage.concluded(number, "ship", "action_required").await;
    hold_back(&stage);
    assert_eq!(stage.comment(number, "/run look").by("alice").await, "🚀");
    until_asked(&stage, &["leads", "ops"]).await;
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    until_asked(&stage, &["ops"]).await;
    assert_eq!(stage.comment(number, "/run ship").by("alice").await, "🚀");
    until_asked(&stage, &["leads", "ops"]).await;
    let unsure = stage.comment(number, "/approve").said_by("bob");
    reacted(&stage, unsure, "confused").await;
    until_asked(&stage, &["leads", "ops"]).await;
    stage.hub.faults.clear();
    let answer = stage.answer_to(number, unsure).await;
    assert!(answer.contains("Which one?"), "{answer}");
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
