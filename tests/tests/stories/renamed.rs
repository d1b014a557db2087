//! A repository is renamed while its executions are open, and its old name is given to another one: everything goes on in the
//! repository that it began in, and nothing of it reaches the other.

use std::collections::BTreeMap;

use flowctl_sandbox::state::{CheckRun, Permission};
use flowctl_sandbox::{Fault, FaultRule, FileContent, Files, OpenPullRequest, RequestRecord};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{ORDER, REPOSITORY, Stage};

/// How the repository is called after it was renamed.
const STORE: &str = "octo-org/store";

/// The reminder is due once the name is another repository's and the server has heard of that.
const SHIP: &str = "
name: ship
version: 1
triggers:
  - pull_request: {actions: [opened]}
notify:
  - {on: [failed], channel: comment}
steps:
  - {id: ask, type: human_approval, title: Ship it?, approvers: {users: [bob]}, timeout: 1h, reminders: [12s]}
  - {id: release, type: workflow, depends_on: ask, workflow: release.yml, timeout: 1h}
";

const AFTER: &str = "
name: after
version: 1
triggers:
  - process: {name: ship, on: failed}
steps:
  - {id: clean, type: workflow, workflow: release.yml, timeout: 1h}
";

const WORKFLOW: (&str, &str) = (
    ".github/workflows/release.yml",
    "
name: Release
on: {workflow_dispatch: {}}
jobs: {release: {runs-on: ubuntu-latest, steps: [{run: make release}]}}
",
);

/// Renames the repository and gives its name to another one, in which carol administrates. Its first pull request has the
/// number of the first one, and the server has heard of it.
async fn renamed(stage: &Stage) {
    stage.hub.rename_repository(REPOSITORY, "store").unwrap();
    stage.plays_in(STORE);
    let text = |text: &str| Some(FileContent { bytes: text.as_bytes().to_vec(), executable: false });
    let files = Files::from([
        (WORKFLOW.0.to_owned(), text(WORKFLOW.1)),
        (".flow/processes/order.yaml".to_owned(), text(ORDER)),
    ]);
    stage.hub.create_repository(REPOSITORY, &files).unwrap();
    for (login, permission) in [("alice", Permission::Write), ("bob", Permission::Write), ("carol", Permission::Admin)]
    {
        stage.hub.grant(REPOSITORY, login, permission).unwrap();
    }
    let other = stage.pull_request("other");
    assert_eq!(other, 1, "the number is the same, the repository is not");
    assert!(stage.comment(other, "/help").by("alice").await.starts_with('🚀'));
    stage.seconds_pass();
}

/// What the App has written under this name: comments that contain this.
fn told(stage: &Stage, name: &str, containing: &str) -> usize {
    let comments = stage.hub.comments(name, 1).unwrap();
    comments.iter().filter(|comment| comment.app.is_some() && comment.body.contains(containing)).count()
}

fn last_run(stage: &Stage, process: &str) -> Option<CheckRun> {
    let runs = stage.hub.check_runs_of_pull_request(STORE, 1).unwrap();
    runs.into_iter().rfind(|run| run.name == format!("flowctl / {process}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_under_a_name_that_is_used_again_wrote_into_the_other_repository() {
    let stage = Stage::raise_with(&[("ship", SHIP), ("after", AFTER)], &[WORKFLOW]).await;
    stage.expect_dispatches();
    stage.expect_in("octo-org/store", "POST", "actions/workflows/*/dispatches");
    stage.expect_in("octo-org/store", "POST", "issues/*/comments");
    let number = stage.pull_request("feature");
    stage.concluded(number, "ship", "action_required").await;
    stage.seconds_pass();
    renamed(&stage).await;
    stage.eventually("a reminder", || (told(&stage, STORE, "flowctl:reply:reminder:") == 1).then_some(())).await;
    let word = stage.hub.comment(STORE, "bob", number, "/approve ask").unwrap();
    let run = stage.eventually("the workflow", || stage.hub.workflow_runs(STORE).unwrap().pop()).await;
    stage
        .eventually("an answer", || {
            stage.hub.reactions(word).iter().any(|reaction| reaction.content == "rocket").then_some(())
        })
        .await;
    stage
        .eventually("somebody waits for the run", || {
            last_run(&stage, "ship")?.summary?.contains(&format!("workflow run {}", run.id)).then_some(())
        })
        .await;
    stage.hub.start_workflow_run(run.id).unwrap();
    stage.hub.end_workflow_run(run.id, "failure").unwrap();
    stage
        .eventually("its end", || (last_run(&stage, "ship")?.conclusion.as_deref() == Some("failure")).then_some(()))
        .await;
    stage.eventually("what is told of it", || (told(&stage, STORE, "ship failed") == 1).then_some(())).await;
    // What follows on its end is the repository's own, too.
    stage.eventually("what follows", || (stage.hub.workflow_runs(STORE).unwrap().len() == 2).then_some(())).await;
    assert_eq!(stage.hub.workflow_runs(REPOSITORY).unwrap().len(), 0);
    let told: Vec<String> = stage.app_comments(number, "").iter().map(|body| body[..32].to_owned()).collect();
    assert!(told.len() == 1 && told[0].starts_with("<!-- flowctl:reply:comment:"), "the answer alone: {told:?}");
}

const ASK: &str = "
name: ask
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: ask, type: human_approval, title: Ship it?, approvers: {role: write}}
";

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_under_the_old_name_decided_about_the_renamed_repository() {
    let mut stage = Stage::raise(&[("ask", ASK)]).await;
    let number = stage.pull_request("feature");
    stage.concluded(number, "ask", "action_required").await;
    stage.allow_acting().await;
    renamed(&stage).await;
    let (_, list) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
    let path = format!("/approvals/{}/decisions", list["items"][0]["id"].as_str().unwrap());
    let decided = |login: &str| stage.api(Method::POST, &path, json!({"decision": "approve", "as": login}));
    let (_, problem) = decided("carol").await;
    assert_eq!(problem["type"], "urn:flowctl:problem:ineligible", "{problem:#}");
    let (status, after) = decided("dave").await;
    assert_eq!((status, &after["status"]), (200, &json!("approved")), "{after:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_was_cancelled_as_deleted_when_nobody_had_told_that_its_repository_was_renamed() {
    let mut stage = Stage::raise(&[("ask", ASK)]).await;
    let number = stage.pull_request("feature");
    stage.concluded(number, "ask", "action_required").await;
    stage.end().await;
    stage.hub.rename_repository(REPOSITORY, "store").unwrap();
    stage.plays_in(STORE);
    let process = FileContent { bytes: ASK.as_bytes().to_vec(), executable: false };
    let files = Files::from([(".flow/processes/ask.yaml".to_owned(), Some(process))]);
    stage.hub.create_repository(REPOSITORY, &files).unwrap();
    stage.hub.grant(REPOSITORY, "alice", Permission::Write).unwrap();
    stage.forget_deliveries().await;
    stage.start_again().await;
    // What comes first is about the other one.
    let other = stage.pull_request("other");
    stage.concluded(other, "ask", "action_required").await;
    stage.hub.comment(STORE, "dave", number, "/approve ask").unwrap();
    stage.eventually("its end", || last_run(&stage, "ask")?.conclusion.filter(|end| end != "action_required")).await;
    assert_eq!(last_run(&stage, "ask").unwrap().conclusion.as_deref(), Some("success"));
}

const ONE_BY_ONE: &str = "
name: ask
version: 1
triggers:
  - pull_request: {actions: [opened]}
concurrency: {group: release, on_conflict: queue}
steps:
  - {id: ask, type: human_approval, title: Ship it?, approvers: {role: write}}
";

#[tokio::test(flavor = "multi_thread")]
async fn two_of_a_group_ran_side_by_side_once_their_repository_was_renamed() {
    let stage = Stage::raise(&[("ask", ONE_BY_ONE)]).await;
    let number = stage.pull_request("feature");
    stage.concluded(number, "ask", "action_required").await;
    stage.hub.rename_repository(REPOSITORY, "store").unwrap();
    stage.plays_in(STORE);
    let files = BTreeMap::from([("new.md".to_owned(), Some("new\n".to_owned()))]);
    let new =
        OpenPullRequest { title: "other".to_owned(), head: "other".to_owned(), files, ..OpenPullRequest::default() };
    stage.hub.open_pull_request(STORE, "alice", &new).unwrap();
    stage.until_statuses(&["waiting", "pending"]).await;
    stage.hub.comment(STORE, "dave", number, "/approve ask").unwrap();
    stage.until_statuses(&["completed", "waiting"]).await;
}

const QUEUE: &str = "
name: queue
version: 1
triggers: [merge_group]
steps:
  - {id: leads, type: human_approval, title: Merge it?, approvers: {team: leads}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_queue_of_a_renamed_repository_dropped_stayed_open() {
    let stage = Stage::raise(&[("queue", QUEUE)]).await;
    let number = stage.pull_request("feature");
    let group = stage.hub.queue_pull_request(REPOSITORY, "alice", number).unwrap();
    let concluded = |name: &str, conclusion: &str| {
        let runs = stage.hub.check_runs(name, &group).unwrap();
        runs.iter().any(|run| run.conclusion.as_deref() == Some(conclusion)).then_some(())
    };
    stage.eventually("the question", || concluded(REPOSITORY, "action_required")).await;
    stage.hub.rename_repository(REPOSITORY, "store").unwrap();
    stage.plays_in(STORE);
    stage.hub.destroy_merge_group(STORE, &group, "dequeued").unwrap();
    stage.eventually("its end", || concluded(STORE, "cancelled")).await;
}

/// While no server runs, the repository is deleted or renamed, and its name given to another one with a pull request of the
/// same number; the end of the first one's execution is still to be told. Under which key.
async fn name_changes_hands_while_nobody_looks(stage: &mut Stage, act: &str) -> String {
    let number = stage.pull_request("feature");
    stage.concluded(number, "ask", "action_required").await;
    stage.seconds_pass();
    stage.hub.faults.add(FaultRule::new(Fault::ErrorBefore { status: 502 }).path("*/issues/comments/*").times(99));
    stage.comment(number, "/approve ask").said_by("dave");
    let key = format!("execution:{}", stage.execution_of(number));
    stage.until_statuses(&["completed"]).await;
    stage.until_queued(&key, 1).await;
    stage.end().await;
    stage.hub.faults.clear();
    stage.cut_off();
    match act {
        "rename" => stage.hub.rename_repository(REPOSITORY, "store").unwrap(),
        _ => stage.hub.delete_repository(REPOSITORY).unwrap(),
    }
    let readme = FileContent { bytes: b"# Another shop\n".to_vec(), executable: false };
    stage.hub.create_repository(REPOSITORY, &Files::from([("README.md".to_owned(), Some(readme))])).unwrap();
    stage.hub.grant(REPOSITORY, "alice", Permission::Write).unwrap();
    assert_eq!(stage.pull_request("other"), number, "the number is the same, the repository is not");
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_queued_before_an_outage_was_written_into_another_repository_of_the_same_name() {
    for act in ["delete", "rename"] {
        let mut stage = Stage::raise(&[("ask", ASK)]).await;
        stage.plays_in(STORE);
        let key = name_changes_hands_while_nobody_looks(&mut stage, act).await;
        let asked = stage.hub.requests.all().len();
        stage.start_again().await;
        stage.until_dealt_with(&key).await;
        let requests = stage.hub.requests.all();
        let here = format!("/repos/{REPOSITORY}/");
        let is_written = |request: &&RequestRecord| request.is_write() && request.path.starts_with(&here);
        let written: Vec<_> = requests[asked..].iter().filter(is_written).collect();
        assert!(written.is_empty(), "{act}: {written:#?}");
        assert_eq!(stage.statuses().await, ["completed"]);
        if act == "rename" {
            assert_eq!(told(&stage, STORE, "approved by [dave]("), 1, "its end is told where it began");
        }
    }
}

const COPIED: (&str, &str) = (".flow/flow.yaml", "audit: {ref: refs/flowctl/audit}\n");

/// Starts by hand or with a pull request, and asks.
const BY_HAND: &str = "
name: ask
version: 1
triggers: [manual, {pull_request: {actions: [opened]}}]
steps:
  - {id: ask, type: human_approval, title: Ship it?, approvers: {role: write}}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_began_by_itself_was_in_no_copy_of_the_audit_log_under_a_name_that_is_used_again() {
    const REFERENCE: &str = "refs/flowctl/audit";
    let mut stage = Stage::raise_granting(&[("ask", BY_HAND)], &[COPIED], &[("contents", "write")]).await;
    stage.expect_commits();
    let number = stage.pull_request("feature");
    stage.concluded(number, "ask", "action_required").await;
    assert_eq!(stage.comment(number, "/approve ask").by("dave").await, "🚀");
    stage.concluded(number, "ask", "success").await;
    stage.until_committed(REFERENCE, &["approval.decided"]).await;
    stage.hub.delete_repository(REPOSITORY).unwrap();
    let text = |text: &str| Some(FileContent { bytes: text.as_bytes().to_vec(), executable: false });
    let files =
        Files::from([(COPIED.0.to_owned(), text(COPIED.1)), (".flow/processes/ask.yaml".to_owned(), text(BY_HAND))]);
    stage.hub.create_repository(REPOSITORY, &files).unwrap();
    for login in ["alice", "dave"] {
        stage.hub.grant(REPOSITORY, login, Permission::Write).unwrap();
    }
    let number = stage.pull_request("other");
    stage.concluded(number, "ask", "action_required").await;
    assert_eq!(stage.comment(number, "/approve ask").by("dave").await, "🚀");
    stage.concluded(number, "ask", "success").await;
    stage.allow_acting().await;
    let (status, started) = stage.api(Method::POST, "/executions", json!({"process": "octo-org/shop:ask"})).await;
    assert_eq!(status, 202, "{started:#}");
    let list = loop {
        let (_, list) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
        if list["items"].as_array().is_some_and(|items| !items.is_empty()) {
            break list;
        }
    };
    let path = format!("/approvals/{}/decisions", list["items"][0]["id"].as_str().unwrap());
    let (status, after) = stage.api(Method::POST, &path, json!({"decision": "approve", "as": "dave"})).await;
    assert_eq!((status, &after["status"]), (200, &json!("approved")), "{after:#}");
    let copied = stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
    let decided = copied.kinds.iter().filter(|kind| *kind == "approval.decided").count();
    assert_eq!(decided, 2, "its own, and not what was decided in the one before: {:?}", copied.kinds);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_the_audit_log_went_into_another_repository_before_anything_told_of_that_one() {
    const REFERENCE: &str = "refs/flowctl/audit";
    let mut stage = Stage::raise_granting(&[("ask", BY_HAND)], &[COPIED], &[("contents", "write")]).await;
    stage.expect_commits();
    let number = stage.pull_request("feature");
    stage.concluded(number, "ask", "action_required").await;
    assert_eq!(stage.comment(number, "/approve ask").by("dave").await, "🚀");
    stage.concluded(number, "ask", "success").await;
    stage.until_committed(REFERENCE, &["approval.decided"]).await;
    // An entry that is still to be copied when the server ends.
    let (status, paused) = stage.api(Method::POST, "/processes/octo-org/shop:ask/pause", json!({})).await;
    assert_eq!(status, 200, "{paused:#}");
    stage.end().await;
    stage.time_for_what_was_put_off().await;
    stage.hub.delete_repository(REPOSITORY).unwrap();
    let readme = FileContent { bytes: b"# Another shop\n".to_vec(), executable: false };
    stage.hub.create_repository(REPOSITORY, &Files::from([("README.md".to_owned(), Some(readme))])).unwrap();
    stage.cut_off();
    let asked = stage.hub.requests.all().len();
    stage.start_again().await;
    stage.until_dealt_with("audit:octo-org/shop").await;
    let requests = stage.hub.requests.all();
    let written: Vec<_> = requests[asked..].iter().filter(|request| request.path.contains("/git/")).collect();
    assert!(written.iter().all(|request| request.method == "GET"), "{written:#?}");
    assert_eq!(stage.hub.reference(REPOSITORY, REFERENCE).unwrap(), None);
}
