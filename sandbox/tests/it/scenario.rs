//! Scenarios played against a small App that listens and answers.

use std::sync::{Arc, Mutex};

use flowctl_sandbox::scenario::{Moment, Scenario, ScenarioError};
use flowctl_sandbox::{FileContent, Files, RateLimits, Sandbox};
use reqwest::Method;
use serde_json::json;

use crate::stage::{REPOSITORY, Stage, receiver};

const PLAY: &str = r#"
description: An approval by comment and by button.
people: {users: {alice: write, bob: write, carol: read}, teams: {leads: [alice, bob]}, organization: octo-org}
repository: octo-org/shop
play:
  - pull_request: {by: alice, title: Release, head: release, labels: [release], files: {CHANGELOG.md: "1.4"}}
  - wait_for: {check: gate, status: completed, conclusion: action_required}
  - comment: {by: carol, body: /approve}
  - wait_for: {reaction: confused, on: last_comment}
  - wait_for: {comment_contains: may not}
  - press: {by: bob, check: gate, button: approve}
  - wait_for: {check: gate, conclusion: success, fresh: true}
  - expect: {check: gate, conclusion: success, sticky_comments: 1, app_comments: 1, merged: false}
"#;

/// An App in a few lines: a gate that only the button opens.
async fn app(stage: Arc<tokio::sync::Mutex<Stage>>) {
    let mut stage = stage.lock().await;
    let token = stage.token().await;
    loop {
        let arrived = stage.webhook().await;
        let payload = arrived.payload();
        match arrived.name().as_str() {
            "pull_request.opened" => {
                let run = json!({"name": "gate", "head_sha": payload["pull_request"]["head"]["sha"], "conclusion": "action_required",
                    "actions": [{"label": "Approve", "identifier": "approve", "description": "Open"}]});
                stage.repo(Method::POST, "/check-runs", &token, run).await;
            }
            "issue_comment.created" if payload["sender"]["type"] == "User" => {
                let reactions = format!("/issues/comments/{}/reactions", payload["comment"]["id"]);
                stage.repo(Method::POST, &reactions, &token, json!({"content": "confused"})).await;
                let comments = format!("/issues/{}/comments", payload["issue"]["number"]);
                stage
                    .repo(
                        Method::POST,
                        &comments,
                        &token,
                        json!({"body": "<!-- gate:execution:1 -->\n@carol may not approve"}),
                    )
                    .await;
            }
            "check_run.requested_action" => {
                let run =
                    json!({"name": "gate", "head_sha": payload["check_run"]["head_sha"], "conclusion": "success"});
                stage.repo(Method::POST, "/check-runs", &token, run).await;
            }
            _ => {}
        }
    }
}

async fn staged(scenario: &Scenario) -> (Arc<flowctl_sandbox::Hub>, Stage) {
    let sandbox = Sandbox::builder().rate_limits(RateLimits::off()).start().unwrap();
    let files = Files::from([("README.md".to_owned(), Some(FileContent::from("# Shop\n")))]);
    scenario.set_up(&sandbox, &files).unwrap();
    let (url, webhooks) = receiver().await;
    sandbox.set_webhook_url(&url).unwrap();
    let installation = sandbox.read(|view| *view.world.installations.keys().next().unwrap());
    let client = reqwest::Client::builder().user_agent("stage").no_proxy().build().unwrap();
    (sandbox.hub(), Stage { sandbox, installation, client, webhooks })
}

#[tokio::test]
async fn people_play_and_the_app_answers() {
    let scenario = Scenario::parse(PLAY).unwrap();
    let (hub, stage) = staged(&scenario).await;
    let listening = tokio::spawn(app(Arc::new(tokio::sync::Mutex::new(stage))));
    let told = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&told);
    let mut observer = move |moment: Moment| watch.lock().unwrap().push(moment);
    let report = scenario.play(&hub, &mut observer).await.unwrap();
    listening.abort();
    assert_eq!(report.pull_request, Some(1));
    assert!(report.url.unwrap().ends_with(&format!("/{REPOSITORY}/pull/1")));
    assert_eq!(report.seen.len(), 8);
    assert!(report.seen[1].starts_with("gate is action_required"), "{:?}", report.seen);
    assert_eq!(told.lock().unwrap().len(), 16);
    // Setting the same scenario up again changes nothing.
    scenario.set_up(&hub, &Files::new()).unwrap();
    assert_eq!(hub.read(|view| view.world.repositories.len()), 1);
}

#[tokio::test]
async fn what_does_not_come_is_told_with_what_is_there() {
    let play = "people: {users: {alice: write, carol: read}}\nrepository: octo-org/shop\nplay:\n  \
                - pull_request: {by: alice, title: Release, head: release, files: {a: b}}\n  \
                - comment: {by: alice, body: hello}\n  \
                - wait_for: {check: gate, within: 10ms}\n";
    let scenario = Scenario::parse(play).unwrap();
    let (hub, _stage) = staged(&scenario).await;
    let error = scenario.play(&hub, &mut |_| {}).await.unwrap_err();
    let ScenarioError::Unmet { number: 3, state, .. } = &error else { panic!("{error}") };
    assert!(state.contains("alice: hello"), "{state}");
    let forbidden = play.replace("by: alice, title", "by: carol, title");
    let scenario = Scenario::parse(&forbidden).unwrap();
    let error = scenario.play(&hub, &mut |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("play 1") && error.contains("write access"), "{error}");
}

#[test]
fn every_scenario_of_the_sample_repositories_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = files.map(|path| {
        Scenario::parse(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    assert!(read.count() >= 5);
}
