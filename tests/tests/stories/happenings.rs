//! What starts processes beside pull requests: `repository_dispatch`, the merge queue, deployments that wait.

use flowctl_sandbox::state::{CheckRun, PendingDeployment};
use serde_json::json;

use crate::stage::{RELEASE, REPOSITORY, Stage};

const GATE: &str = "
name: gate
version: 1
triggers:
  - deployment: {environments: [production]}
steps:
  - {id: leads, type: human_approval, title: Deploy it?, approvers: {team: leads}}
";

const QUEUE: &str = "
name: queue
version: 1
triggers: [merge_group]
steps:
  - {id: look, type: set, values: {head: '{{ trigger.payload.merge_group.head_sha }}'}}
  - {id: leads, type: human_approval, depends_on: look, title: Merge it?, approvers: {team: leads}}
";

const HEARD: &str = "
name: heard
version: 1
triggers:
  - repository_dispatch: deployed
steps:
  - {id: look, type: set, values: {where: '{{ trigger.payload.client_payload.where }}'}}
outputs: {where: '{{ steps.look.output.where }}'}
";

/// The last check run of a process on a commit, once `fits`.
async fn on_commit(stage: &Stage, sha: &str, process: &str, fits: impl Fn(&CheckRun) -> bool) -> CheckRun {
    let name = format!("flowctl / {process}");
    stage
        .eventually(&format!("{name} on {sha}"), || {
            let runs = stage.hub.check_runs(REPOSITORY, sha).unwrap();
            runs.into_iter().rfind(|run| run.name == name).filter(&fits)
        })
        .await
}

fn asks(run: &CheckRun) -> bool {
    run.conclusion.as_deref() == Some("action_required")
}

/// What the App said of the one deployment of a run, once it said something.
async fn judged(stage: &Stage, run: u64) -> PendingDeployment {
    stage
        .eventually("a word about the deployment", || {
            let runs = stage.hub.workflow_runs(REPOSITORY).unwrap();
            let deployment = runs.into_iter().find(|other| other.id == run)?.deployments.pop()?;
            deployment.state.is_some().then_some(deployment)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_on_once_its_process_completed() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect("POST", "actions/runs/*/deployment_protection_rule");
    let head = stage.hub.branch(REPOSITORY, "main").unwrap();
    let elsewhere = stage.hub.request_deployment(REPOSITORY, "alice", "staging", "main").unwrap();
    let run = stage.hub.request_deployment(REPOSITORY, "alice", "Production", "main").unwrap();
    let asking = on_commit(&stage, &head, "gate", asks).await;
    stage.hub.press("bob", asking.id, "approve").unwrap();
    let deployment = judged(&stage, run).await;
    assert_eq!(deployment.state.as_deref(), Some("approved"));
    assert_eq!(deployment.comments, ["`gate` completed."]);
    on_commit(&stage, &head, "gate", |run| run.conclusion.as_deref() == Some("success")).await;
    // An environment that no trigger names is left alone.
    let runs = stage.hub.workflow_runs(REPOSITORY).unwrap();
    let left = runs.iter().find(|run| run.id == elsewhere).unwrap();
    assert_eq!((left.status.as_str(), left.deployments[0].state.as_deref()), ("waiting", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_rejected_with_the_reason() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect("POST", "actions/runs/*/deployment_protection_rule");
    let head = stage.hub.branch(REPOSITORY, "main").unwrap();
    let run = stage.hub.request_deployment(REPOSITORY, "alice", "production", "main").unwrap();
    let asking = on_commit(&stage, &head, "gate", asks).await;
    stage.hub.press("dave", asking.id, "reject").unwrap();
    let deployment = judged(&stage, run).await;
    assert_eq!(deployment.state.as_deref(), Some("rejected"));
    assert!(deployment.comments[0].starts_with("`gate` failed:"), "{:?}", deployment.comments);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_that_guards_an_environment_must_complete() {
    let other = GATE.replace("name: gate", "name: other");
    let stage = Stage::raise(&[("gate", GATE), ("other", &other)]).await;
    stage.expect("POST", "actions/runs/*/deployment_protection_rule");
    let head = stage.hub.branch(REPOSITORY, "main").unwrap();
    let run = stage.hub.request_deployment(REPOSITORY, "alice", "production", "main").unwrap();
    let first = on_commit(&stage, &head, "gate", asks).await;
    let second = on_commit(&stage, &head, "other", asks).await;
    stage.hub.press("bob", first.id, "approve").unwrap();
    on_commit(&stage, &head, "gate", |run| run.conclusion.as_deref() == Some("success")).await;
    let waits = stage.hub.workflow_runs(REPOSITORY).unwrap().pop().unwrap();
    assert_eq!(waits.deployments[0].state, None, "one of two is not enough");
    stage.hub.press("bob", second.id, "approve").unwrap();
    assert_eq!(judged(&stage, run).await.state.as_deref(), Some("approved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_waits_for_a_guard_that_could_not_start() {
    let automatic = "
name: automatic
version: 1
triggers:
  - deployment: {environments: [production]}
steps:
  - {id: look, type: set, values: {at: '{{ trigger.payload.environment }}'}}
";
    for broken in [GATE.replace("type: human_approval", "type: human_aproval"), "name: gate\nversion: [\n".to_owned()] {
        let stage = Stage::raise(&[("automatic", automatic), ("gate", &broken)]).await;
        stage.expect("POST", "actions/runs/*/deployment_protection_rule");
        let head = stage.hub.branch(REPOSITORY, "main").unwrap();
        let run = stage.hub.request_deployment(REPOSITORY, "alice", "production", "main").unwrap();
        on_commit(&stage, &head, "automatic", |run| run.conclusion.as_deref() == Some("success")).await;
        let waits = stage
            .eventually("why it waits", || {
                let runs = stage.hub.workflow_runs(REPOSITORY).unwrap();
                let waits = runs.into_iter().find(|other| other.id == run)?.deployments.pop()?;
                (!waits.comments.is_empty()).then_some(waits)
            })
            .await;
        assert!(waits.comments[0].starts_with("`gate` should decide about this deployment and could not start"));
        // Whatever the server had to say about it has been said once this is answered.
        let number = stage.pull_request("feature");
        stage.comment(number, "/status").by("bob").await;
        let runs = stage.hub.workflow_runs(REPOSITORY).unwrap();
        let waits = runs.into_iter().find(|other| other.id == run).unwrap().deployments.pop().unwrap();
        assert_eq!(waits.state, None, "{:?}", waits.comments);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_deployment_does_not_approve_it() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect("POST", "actions/runs/*/deployment_protection_rule");
    let head = stage.hub.branch(REPOSITORY, "main").unwrap();
    let run = stage.hub.request_deployment(REPOSITORY, "bob", "production", "main").unwrap();
    let asking = on_commit(&stage, &head, "gate", asks).await;
    let summary = asking.summary.unwrap();
    assert!(
        summary
            .contains("**Who:** one of team `leads`. bob, who asked for it, and whoever wrote the commit do not count")
    );
    assert!(summary.contains("**Deployment:** to `production`") && !summary.contains("a comment with"), "{summary}");
    stage.hub.press("bob", asking.id, "approve").unwrap();
    stage.hub.press("dave", asking.id, "approve").unwrap();
    assert_eq!(judged(&stage, run).await.state.as_deref(), Some("approved"));
    let decided: Vec<String> =
        stage.audit().await.into_iter().filter(|entry| entry.starts_with("approval.decided")).collect();
    assert_eq!(decided, ["approval.decided by dave"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wrote_what_a_merge_brought_approved_its_deployment() {
    let stage = Stage::raise(&[("gate", &GATE.replace("{team: leads}", "{users: [alice, dave]}"))]).await;
    stage.expect("POST", "actions/runs/*/deployment_protection_rule");
    let number = stage.pull_request("feature");
    let head = stage.hub.merge(REPOSITORY, "bob", number).unwrap();
    let run = stage.hub.request_deployment(REPOSITORY, "bob", "production", "main").unwrap();
    let asking = on_commit(&stage, &head, "gate", asks).await;
    stage.hub.press("alice", asking.id, "approve").unwrap();
    stage.hub.press("dave", asking.id, "approve").unwrap();
    assert_eq!(judged(&stage, run).await.state.as_deref(), Some("approved"));
    let decided: Vec<String> =
        stage.audit().await.into_iter().filter(|entry| entry.starts_with("approval.decided")).collect();
    assert_eq!(decided, ["approval.decided by dave"], "alice wrote what bob merged");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_any_more_about_a_run_that_was_cancelled() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    let head = stage.hub.branch(REPOSITORY, "main").unwrap();
    let run = stage.hub.request_deployment(REPOSITORY, "alice", "production", "main").unwrap();
    on_commit(&stage, &head, "gate", asks).await;
    stage.hub.end_workflow_run(run, "cancelled").unwrap();
    let cancelled = on_commit(&stage, &head, "gate", |run| run.conclusion.as_deref() == Some("cancelled")).await;
    assert!(cancelled.summary.unwrap().contains("its workflow run was cancelled on GitHub"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_merge_queue_hears_on_the_head_of_its_group() {
    let stage = Stage::raise(&[("queue", QUEUE)]).await;
    let number = stage.pull_request("feature");
    let group = stage.hub.queue_pull_request(REPOSITORY, "alice", number).unwrap();
    let asking = on_commit(&stage, &group, "queue", asks).await;
    // A required check that never came would hold up the queue for ever.
    on_commit(&stage, &group, "validate", |run| run.conclusion.as_deref() == Some("success")).await;
    stage.hub.press("bob", asking.id, "approve").unwrap();
    on_commit(&stage, &group, "queue", |run| run.conclusion.as_deref() == Some("success")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_shows_why_the_check_that_it_waits_for_did_not_start() {
    let stage = Stage::raise(&[("queue", &QUEUE.replace("depends_on: look", "depends_on: looks"))]).await;
    let number = stage.pull_request("feature");
    let group = stage.hub.queue_pull_request(REPOSITORY, "alice", number).unwrap();
    let failed = on_commit(&stage, &group, "queue", |run| run.conclusion.as_deref() == Some("failure")).await;
    assert_eq!(failed.title.as_deref(), Some("did not start"));
    let summary = failed.summary.unwrap();
    assert!(summary.contains("step `look`") || summary.contains("`looks`"), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_queue_drops_is_forgotten() {
    let stage = Stage::raise(&[("queue", QUEUE)]).await;
    let number = stage.pull_request("feature");
    let group = stage.hub.queue_pull_request(REPOSITORY, "alice", number).unwrap();
    on_commit(&stage, &group, "queue", asks).await;
    stage.hub.destroy_merge_group(REPOSITORY, &group, "dequeued").unwrap();
    on_commit(&stage, &group, "queue", |run| run.conclusion.as_deref() == Some("cancelled")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_dispatch_starts_those_that_name_its_type() {
    let stage = Stage::raise(&[("heard", HEARD)]).await;
    let head = stage.hub.branch(REPOSITORY, "main").unwrap();
    stage.hub.dispatch_repository(REPOSITORY, "alice", "other", &json!({"where": "nowhere"})).unwrap();
    stage.hub.dispatch_repository(REPOSITORY, "alice", "deployed", &json!({"where": "production"})).unwrap();
    let done = on_commit(&stage, &head, "heard", |run| run.conclusion.as_deref() == Some("success")).await;
    assert!(done.summary.unwrap().contains("\"where\": \"production\""));
    assert_eq!(stage.hub.check_runs(REPOSITORY, &head).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_touches_no_definition_has_the_check_unless_the_repository_says_no() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    let check = stage.concluded(number, "validate", "success").await;
    assert_eq!(check.title.as_deref(), Some("no definition is touched"));

    let quiet = "validate: {every_pull_request: false}\n";
    let stage = Stage::raise_with(&[("release", RELEASE)], &[(".flow/flow.yaml", quiet)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.comment(number, "/cancel").by("bob").await;
    stage.concluded(number, "release", "cancelled").await;
    assert!(stage.runs(number, "validate").is_empty());
}
