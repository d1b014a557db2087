//! A word decides one question, and where several fit it is asked which one.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::stage::{PATIENCE, Stage};

/// Asks these people once, under a step's id that others have too.
fn asks(name: &str, title: &str, login: &str) -> String {
    format!(
        "
name: {name}
version: 1
triggers: [manual]
steps:
  - {{id: leads, type: human_approval, title: {title}, approvers: {{users: [{login}]}}}}
"
    )
}

/// Asks about an input.
const DEPLOY: &str = "
name: deploy
version: 1
triggers: [manual]
inputs:
  region: {type: string, required: true}
steps:
  - {id: leads, type: human_approval, title: 'Deploy to {{ inputs.region }}?', approvers: {users: [bob]}}
";

const OVERRIDE: (&str, &str) = (".flow/flow.yaml", "commands:\n  override: {role: admin}\n");

/// Waits until approvals of these titles are waited for, and no others.
async fn until_waiting(stage: &Stage, expected: &[&str]) {
    let reached = tokio::time::timeout(PATIENCE, async {
        loop {
            let (_, told) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
            let items = told["items"].as_array().unwrap();
            let mut titles: Vec<&str> = items.iter().map(|item| item["title"].as_str().unwrap()).collect();
            titles.sort_unstable();
            if titles == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(reached.await.is_ok(), "{expected:?} should be waited for, and nothing else");
}

/// Waits until a comment of an execution asks this, and until what is said is said after that.
async fn shown(stage: &Stage, number: u64, title: &str) {
    let look = || stage.app_comments(number, "flowctl:execution").into_iter().find(|body| body.contains(title));
    stage.eventually(title, look).await;
    stage.seconds_pass();
}

/// The commands that a reply suggests.
fn suggested(answer: &str) -> Vec<&str> {
    assert!(answer.starts_with("😕") && answer.contains("Which one?"), "{answer}");
    answer.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_word_decided_the_steps_of_the_same_id_in_two_processes() {
    let (alpha, beta) = (asks("alpha", "Alpha?", "bob"), asks("beta", "Beta?", "bob"));
    let stage = Stage::raise_with(&[("alpha", &alpha), ("beta", &beta)], &[OVERRIDE]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    for (process, title) in [("alpha", "Alpha?"), ("beta", "Beta?")] {
        assert_eq!(stage.comment(number, &format!("/run {process}")).by("alice").await, "🚀");
        shown(&stage, number, title).await;
    }
    for (said, rest) in [("/approve", ""), ("/approve leads", ""), ("/reject leads -- why", " -- why")] {
        let answer = stage.comment(number, said).by("bob").await;
        let verb = said.split(' ').next().unwrap();
        let lines = ["alpha", "beta"].map(|process| format!("{verb} {process}/leads{rest}"));
        assert_eq!(suggested(&answer), lines, "{answer}");
    }
    let answer = stage.comment(number, "/override leads reason=\"it burns\"").by("gina").await;
    assert_eq!(suggested(&answer)[1], "/override beta/leads reason=\"it burns\"");
    let answer = stage.comment(number, "/approve gamma/leads").by("bob").await;
    assert!(answer.contains("`alpha/leads` and `beta/leads` do."), "{answer}");
    until_waiting(&stage, &["Alpha?", "Beta?"]).await;
    assert_eq!(stage.comment(number, "/approve alpha/leads").by("bob").await, "🚀");
    until_waiting(&stage, &["Beta?"]).await;
    assert_eq!(stage.comment(number, "/override beta/leads reason=\"it burns\"").by("gina").await, "🚀");
    until_waiting(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_word_decided_executions_of_one_process_that_ask_about_other_inputs() {
    let stage = Stage::raise(&[("deploy", DEPLOY)]).await;
    stage.expect_comments();
    // Of a word that counts in two executions the sign may be given with each: GitHub shows one.
    stage.expect("POST", "issues/comments/*/reactions");
    let number = stage.pull_request("release-1.4");
    for region in ["sandbox", "production"] {
        assert_eq!(stage.comment(number, &format!("/run deploy region={region}")).by("alice").await, "🚀");
        shown(&stage, number, &format!("Deploy to {region}?")).await;
    }
    for said in ["/approve", "/approve leads", "/approve deploy/leads"] {
        let answer = stage.comment(number, said).by("bob").await;
        assert_eq!(suggested(&answer).len(), 2, "{answer}");
    }
    let answer = stage.comment(number, "/approve").by("bob").await;
    let production = answer.lines().find(|line| line.contains("production")).unwrap();
    let command = production.split('`').nth(1).unwrap();
    assert_eq!(stage.comment(number, command).by("bob").await, "🚀", "{answer}");
    until_waiting(&stage, &["Deploy to sandbox?"]).await;
    // Started once more for the same, it is the same question.
    assert_eq!(stage.comment(number, "/run deploy region=sandbox").by("alice").await, "🚀");
    let asking = || {
        let comments = stage.app_comments(number, "flowctl:execution").into_iter();
        (comments.filter(|body| body.contains("Deploy to sandbox?")).count() == 2).then_some(())
    };
    stage.eventually("the same question again", asking).await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    until_waiting(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_decide_one_of_two_questions_could_not_or_was_answered_twice() {
    let (alpha, beta) = (asks("alpha", "Alpha?", "dave"), asks("beta", "Beta?", "bob"));
    for said in ["/approve", "/approve leads"] {
        let stage = Stage::raise(&[("alpha", &alpha), ("beta", &beta)]).await;
        stage.expect_comments();
        let number = stage.pull_request("release-1.4");
        for (process, title) in [("alpha", "Alpha?"), ("beta", "Beta?")] {
            assert_eq!(stage.comment(number, &format!("/run {process}")).by("alice").await, "🚀");
            shown(&stage, number, title).await;
        }
        let answer = stage.comment(number, said).by("carol").await;
        assert!(answer.starts_with("😕") && answer.contains("`leads` needs dave"), "{answer}");
        assert_eq!(stage.comment(number, said).by("bob").await, "🚀");
        until_waiting(&stage, &["Alpha?"]).await;
        assert_eq!(stage.comment(number, said).by("dave").await, "🚀");
        until_waiting(&stage, &[]).await;
    }
}
