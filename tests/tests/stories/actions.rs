//! GitHub Actions: workflows that steps dispatch and wait for, and what they give.

use std::time::Duration;

use flowctl_sandbox::state::WorkflowRun;
use flowctl_sandbox::{Fault, RequestRecord};

use crate::stage::{REPOSITORY, Stage};

const SHIP: &str = "
name: ship
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: release
    type: workflow
    workflow: release.yml
    inputs: {tag: 'v{{ trigger.pull_request.number }}', count: 3, for: '{{ execution.id }}'}
    timeout: 1h
  - {id: note, type: set, depends_on: release, values: {page: '{{ steps.release.output.output.page }}'}}
outputs:
  page: '{{ steps.note.output.page }}'
  conclusion: '{{ steps.release.output.conclusion }}'
";

const WORKFLOW: (&str, &str) = (
    ".github/workflows/release.yml",
    "
name: Release
run-name: Release ${{ inputs.tag }} ${{ inputs.for }}
on:
  workflow_dispatch:
    inputs:
      tag: {required: true}
      count: {default: '1'}
      for: {}
jobs: {release: {runs-on: ubuntu-latest, steps: [{run: make release}]}}
",
);

/// The one run, once somebody waits for it.
async fn awaited(stage: &Stage, number: u64) -> WorkflowRun {
    let run = stage.eventually("a run", || stage.hub.workflow_runs(REPOSITORY).unwrap().pop()).await;
    stage
        .eventually("somebody waits for it", || {
            let summary = stage.runs(number, "ship").pop()?.summary?;
            summary.contains(&format!("workflow run {}", run.id)).then_some(())
        })
        .await;
    run
}

fn count(stage: &Stage) -> usize {
    stage.hub.workflow_runs(REPOSITORY).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_dispatched_awaited_and_read() {
    let stage = Stage::raise_with(&[("ship", SHIP)], &[WORKFLOW]).await;
    stage.expect_dispatches();
    let number = stage.pull_request("feature");
    let run = awaited(&stage, number).await;
    assert_eq!((run.event.as_str(), run.head_branch.as_str()), ("workflow_dispatch", "main"));
    assert_eq!((run.inputs["tag"].as_str(), run.inputs["count"].as_str()), ("v1", "3"));
    stage.hub.start_workflow_run(run.id).unwrap();
    stage.hub.keep_artifact(run.id, "logs", &[("log.txt", "no JSON")]).unwrap();
    stage.hub.keep_artifact(run.id, "flowctl-output", &[("output.json", r#"{"page": "v1.html"}"#)]).unwrap();
    stage.hub.end_workflow_run(run.id, "success").unwrap();
    let done = stage.concluded(number, "ship", "success").await;
    assert!(done.summary.unwrap().contains("\"page\": \"v1.html\""));
    assert_eq!(count(&stage), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_fails_fails_its_step() {
    let stage = Stage::raise_with(&[("ship", SHIP)], &[WORKFLOW]).await;
    stage.expect_dispatches();
    let number = stage.pull_request("feature");
    let run = awaited(&stage, number).await;
    stage.hub.end_workflow_run(run.id, "failure").unwrap();
    let failed = stage.concluded(number, "ship", "failure").await;
    assert!(failed.summary.unwrap().contains("the workflow failed"));
    assert_eq!(stage.hub.workflow_runs(REPOSITORY).unwrap()[0].conclusion.as_deref(), Some("failure"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_workflow_gives_that_is_no_json_is_an_error_and_not_believed() {
    let stage = Stage::raise_with(&[("ship", SHIP)], &[WORKFLOW]).await;
    stage.expect_dispatches();
    let number = stage.pull_request("feature");
    let run = awaited(&stage, number).await;
    stage.hub.keep_artifact(run.id, "flowctl-output", &[("a.json", "1"), ("b.json", "2")]).unwrap();
    stage.hub.end_workflow_run(run.id, "success").unwrap();
    let failed = stage.concluded(number, "ship", "failure").await;
    assert!(failed.summary.unwrap().contains("must hold exactly one file, and holds 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_does_not_dispatch_is_told_in_its_words() {
    for (process, words) in [
        (SHIP.replace("release.yml", "nowhere.yml"), "does not know this workflow"),
        (SHIP.replace("count: 3", "cuont: 3"), "Unexpected inputs provided"),
        (SHIP.replace("    timeout: 1h", "    ref: nowhere\n    timeout: 1h"), "No ref found for: nowhere"),
    ] {
        let stage = Stage::raise_with(&[("ship", &process)], &[WORKFLOW]).await;
        let number = stage.pull_request("feature");
        let failed = stage.concluded(number, "ship", "failure").await;
        let summary = failed.summary.unwrap();
        assert!(summary.contains(words), "{words}: {summary}");
        assert_eq!(count(&stage), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cancels_cancels_the_run_too() {
    let stage = Stage::raise_with(&[("ship", SHIP)], &[WORKFLOW]).await;
    stage.expect("POST", "actions/runs/*/cancel");
    stage.expect_dispatches();
    let number = stage.pull_request("feature");
    let run = awaited(&stage, number).await;
    assert!(stage.comment(number, "/cancel").by("bob").await.starts_with("🚀"));
    stage.concluded(number, "ship", "cancelled").await;
    stage
        .eventually("the run is cancelled", || {
            let now = stage.hub.workflow_runs(REPOSITORY).unwrap().into_iter().find(|other| other.id == run.id)?;
            (now.conclusion.as_deref() == Some("cancelled")).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_whose_answer_is_lost_is_not_made_twice() {
    for fault in [Fault::ErrorAfter { status: 502 }, Fault::ResetAfter] {
        let stage = Stage::raise_with(&[("ship", SHIP)], &[WORKFLOW]).await;
        stage.expect_dispatches();
        stage.disturb(fault, "POST", "/repos/octo-org/shop/actions/workflows/release.yml/dispatches");
        let number = stage.pull_request("feature");
        let run = awaited(&stage, number).await;
        stage.hub.end_workflow_run(run.id, "success").unwrap();
        // Without an artifact there is no output, and `page` cannot be read of it.
        stage.concluded(number, "ship", "failure").await;
        assert_eq!(count(&stage), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_while_nobody_listened_is_seen() {
    let mut stage = Stage::raise_with(&[("ship", SHIP)], &[WORKFLOW]).await;
    stage.expect_dispatches();
    let number = stage.pull_request("feature");
    let run = awaited(&stage, number).await;
    stage.end().await;
    stage.hub.faults.add(flowctl_sandbox::FaultRule::new(Fault::LoseDelivery).path("workflow_run").times(9));
    stage.hub.keep_artifact(run.id, "flowctl-output", &[("output.json", r#"{"page": "v1.html"}"#)]).unwrap();
    stage.hub.end_workflow_run(run.id, "success").unwrap();
    stage.start_again().await;
    stage.concluded(number, "ship", "success").await;
    assert_eq!(count(&stage), 1);
}

/// Time to take the repository out of the installation before the dispatch.
const LATER: &str = "
name: later
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: pause, type: wait, for: 8s}
  - {id: release, type: workflow, depends_on: pause, workflow: release.yml, inputs: {tag: v1}, timeout: 1h}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_step_failed_because_the_app_could_not_see_its_workflow_for_a_while() {
    let stage = Stage::raise_with(&[("later", LATER)], &[WORKFLOW]).await;
    stage.expect_dispatches();
    let number = stage.pull_request("feature");
    stage.eventually("it is shown", || stage.app_comments(number, "flowctl:execution:").pop()).await;
    let dispatch = format!("workflow:{}/release/1", stage.execution_of(number));
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    stage.hub.select_repositories(installation, Some(&[])).unwrap();
    stage.until_given_up(&dispatch).await;
    assert_eq!((stage.statuses().await, count(&stage)), (vec!["waiting".to_owned()], 0));
    stage.hub.select_repositories(installation, None).unwrap();
    let run = stage.eventually("its run", || stage.hub.workflow_runs(REPOSITORY).unwrap().pop()).await;
    stage.hub.start_workflow_run(run.id).unwrap();
    stage.hub.end_workflow_run(run.id, "success").unwrap();
    stage.concluded(number, "later", "success").await;
    assert_eq!(count(&stage), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_name_it_is_was_asked_long_before_a_dispatch_that_waited_for_its_turn() {
    let mut stage = Stage::raise_with(&[("ship", SHIP)], &[WORKFLOW]).await;
    stage.expect_dispatches();
    let pause = Duration::from_secs(2);
    stage.pause_between_writes(pause).await;
    let number = stage.pull_request("feature");
    awaited(&stage, number).await;
    let requests = stage.hub.requests.all();
    let is_dispatch = |request: &RequestRecord| request.is_write() && request.path.ends_with("/dispatches");
    let (before, dispatch) = match requests.iter().position(is_dispatch) {
        Some(place) => (&requests[..place], &requests[place]),
        None => panic!("no dispatch: {requests:#?}"),
    };
    let is_write = |request: &&RequestRecord| request.is_write() && request.caller.starts_with("installation:");
    let asks = |request: &&RequestRecord| request.method == "GET" && request.path == format!("/repos/{REPOSITORY}");
    let written = before.iter().rfind(is_write).expect("the execution is shown first").at;
    let asked = before.iter().rfind(asks).expect("it is asked").at;
    assert!(dispatch.at.duration_since(written) >= pause.try_into().unwrap(), "it waited for its turn");
    assert!(asked > written && dispatch.at.duration_since(asked) < pause.try_into().unwrap(), "asked at {asked}");
}
