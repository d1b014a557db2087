//! What no delivery told of, because the server was away for longer than GitHub redelivers, and repositories that do not
//! stay what they were: nothing is missed, and nothing is heard twice.

use std::collections::BTreeMap;

use flowctl_sandbox::state::ReviewState;
use flowctl_sandbox::{Fault, FaultRule, FileContent, Files};
use reqwest::Method;
use serde_json::json;

use crate::stage::{ORDER, RELEASE, REPOSITORY, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_days_when_nobody_listened_are_found_by_looking() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    stage.end().await;
    stage.comment(number, "/approve leads").said_by("bob");
    stage.review(number, "dave", ReviewState::Approved, "");
    let late = stage.pull_request("release-1.5");
    stage.forget_deliveries().await;
    stage.start_again().await;
    stage.concluded(number, "release", "success").await;
    stage.concluded(late, "release", "action_required").await;
    assert_eq!(stage.runs(late, "release").len(), 1, "opened once, started once");
    assert_eq!(stage.app_comments(number, "<!-- flowctl:execution:").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_whose_delivery_was_lost_is_heard_after_all() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    let asks = stage.concluded(number, "release", "action_required").await;
    stage.forget_deliveries().await;
    stage.hub.faults.add(FaultRule::new(Fault::LoseDelivery).path("check_run"));
    stage.hub.press("bob", asks.id, "approve").unwrap();
    stage.end().await;
    stage.start_again().await;
    stage.eventually("bob's word", || stage.app_comments(number, "bob approved").pop()).await;
}

/// Two approvals at once; a review's text may be about one of them only.
const BOTH: &str = "
name: both
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: design, type: human_approval, title: The design?, approvers: {users: [bob]}}
  - {id: legal, type: human_approval, title: The terms?, approvers: {users: [bob]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_is_found_late_approves_nothing_that_its_text_did_not() {
    let stage = Stage::raise(&[("both", BOTH)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "both", "action_required").await;
    stage.seconds_pass();
    stage.hub.faults.add(FaultRule::new(Fault::LoseDelivery).path("pull_request_review"));
    stage.review(number, "bob", ReviewState::Approved, "/approve design -- legal is not ready");
    stage.forget_deliveries().await;
    assert_eq!(stage.comment(number, "/recheck").by("alice").await, "🚀");
    let told = stage.eventually("a word to bob", || stage.app_comments(number, "flowctl:reply:review:").pop()).await;
    insta::assert_snapshot!(told.split_once("-->").unwrap().1.trim(), @"@bob Your review was not taken. GitHub did not tell of it when it was submitted, and its text may have been changed since. Please say it again, in a comment or in a new review.");
    let comment = stage.app_comments(number, "<!-- flowctl:execution:").pop().unwrap();
    assert!(comment.contains("0 of 2 steps"), "{comment}");
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage.eventually("one of both", || stage.app_comments(number, "1 of 2 steps").pop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recheck_hears_what_was_lost_at_once() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    for event in ["issue_comment", "pull_request_review"] {
        stage.hub.faults.add(FaultRule::new(Fault::LoseDelivery).path(event));
    }
    let lost = stage.comment(number, "/approve leads").said_by("bob");
    stage.review(number, "dave", ReviewState::Approved, "");
    stage.forget_deliveries().await;
    assert_eq!(stage.comment(number, "/recheck").by("alice").await, "🚀");
    assert_eq!(stage.answer_to(number, lost).await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_recheck_looked_for_nothing_that_was_missed() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    let asks = stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    stage.hub.faults.add(FaultRule::new(Fault::LoseDelivery).path("pull_request_review"));
    stage.review(number, "dave", ReviewState::Approved, "");
    stage.forget_deliveries().await;
    stage.hub.press("bob", asks.id, "recheck").unwrap();
    stage.eventually("dave's approval", || stage.app_comments(number, "dave approved").pop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recheck_in_a_renamed_repository_looked_at_no_review() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    stage.hub.rename_repository(REPOSITORY, "store").unwrap();
    stage.plays_in("octo-org/store");
    let name = "octo-org/store";
    stage.hub.faults.add(FaultRule::new(Fault::LoseDelivery).path("pull_request_review"));
    stage.hub.review(name, "dave", number, ReviewState::Approved, "").unwrap();
    stage.forget_deliveries().await;
    stage.hub.comment(name, "alice", number, "/recheck").unwrap();
    stage
        .eventually("dave's approval", || {
            let comments = stage.hub.comments(name, number).unwrap();
            comments.into_iter().find(|comment| comment.app.is_some() && comment.body.contains("dave approved"))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_or_refused_is_not_heard_afterwards() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    let refused = stage.comment(number, "/approve leads").by("carol").await;
    assert!(refused.starts_with("😕"), "{refused}");
    // It would count now, if it were heard again.
    stage.hub.set_team("octo-org", "leads", &["alice", "bob", "carol", "dave"]).unwrap();
    stage.hub.faults.add(FaultRule::new(Fault::LoseDelivery).path("issue_comment"));
    let edited = stage.comment(number, "Nice work").said_by("bob");
    stage.seconds_pass();
    stage.hub.edit_comment(REPOSITORY, "gina", edited, "/approve leads").unwrap();
    stage.forget_deliveries().await;
    // Each shows the same once more, unless the second one is said before the first is done.
    stage.expect("POST", "check-runs");
    for _ in 0..2 {
        assert_eq!(stage.comment(number, "/recheck").by("alice").await, "🚀");
    }
    // Behind everything that was found: the deliveries of a pull request are handled in order.
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    one_more_is_needed(&stage, number).await;
    assert!(stage.hub.reactions(edited).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_repository_goes_on_under_its_new_name() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    stage.hub.rename_repository(REPOSITORY, "store").unwrap();
    stage.plays_in("octo-org/store");
    for lead in ["bob", "dave"] {
        stage.hub.comment("octo-org/store", lead, number, "/approve leads").unwrap();
    }
    let name = "octo-org/store";
    stage
        .eventually("the release under the new name", || {
            let runs = stage.hub.check_runs_of_pull_request(name, number).unwrap();
            runs.iter().any(|run| run.conclusion.as_deref() == Some("success")).then_some(())
        })
        .await;
    let comments = stage.hub.comments(name, number).unwrap();
    let ours = comments.iter().filter(|comment| comment.body.contains("<!-- flowctl:execution:")).count();
    assert_eq!(ours, 1, "it is the same comment still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_the_same_name_is_another_one() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    // Nobody hears of the deletion.
    stage.hub.faults.add(FaultRule::new(Fault::LoseDelivery).path("repository").times(9));
    stage.hub.delete_repository(REPOSITORY).unwrap();
    let text = |text: &str| Some(FileContent { bytes: text.as_bytes().to_vec(), executable: false });
    let files = Files::from([
        (".flow/processes/order.yaml".to_owned(), text(ORDER)),
        ("README.md".to_owned(), text("# Another shop\n")),
    ]);
    stage.hub.create_repository(REPOSITORY, &files).unwrap();
    stage.hub.grant(REPOSITORY, "alice", flowctl_sandbox::state::Permission::Write).unwrap();
    let again = stage.pull_request("other");
    assert_eq!(again, number, "the number is the same, the repository is not");
    let refused = stage.comment(again, "/approve leads").by("alice").await;
    assert!(refused.contains("approval"), "{refused}");
    assert_eq!(stage.statuses().await, ["cancelled"]);
    assert_eq!(stage.runs(again, "release").len(), 0, "nothing of the old one is shown on the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_of_a_deleted_or_transferred_repository_is_cancelled() {
    for act in ["delete", "transfer"] {
        let stage = Stage::raise(&[("release", RELEASE)]).await;
        let number = stage.pull_request("release-1.4");
        stage.concluded(number, "release", "action_required").await;
        if act == "delete" {
            stage.hub.delete_repository(REPOSITORY).unwrap();
        } else {
            stage.hub.create_organization("globex").unwrap();
            stage.hub.install("globex", None).unwrap();
            stage.hub.transfer_repository(REPOSITORY, "globex").unwrap();
        }
        stage.until_statuses(&["cancelled"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_app_leaves_executions_where_they_are_until_it_is_back() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    stage.hub.delete_installation(installation).unwrap();
    // Nobody is told of these: the App is not there.
    let unheard = stage.comment(number, "/approve leads").said_by("bob");
    assert_eq!(stage.statuses().await, ["waiting"]);
    stage.hub.install("octo-org", None).unwrap();
    assert_eq!(stage.comment(number, "/recheck").by("alice").await, "🚀");
    assert_eq!(stage.answer_to(number, unheard).await, "🚀");
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_taken_out_of_the_installation_goes_on_once_it_is_back() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let other = stage.pull_request("release-1.5");
    stage.concluded(other, "release", "action_required").await;
    stage.seconds_pass();
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    stage.hub.select_repositories(installation, Some(&[])).unwrap();
    let unheard = stage.comment(number, "/approve leads").said_by("bob");
    assert_eq!(stage.statuses().await, ["waiting"; 2]);
    let id = stage.execution_of(other);
    let (status, cancelled) = stage.api(Method::POST, &format!("/executions/{id}/cancel"), json!({})).await;
    assert_eq!(status, 200, "{cancelled:#}");
    stage.until_dealt_with(&format!("execution:{id}")).await;
    stage.concluded(other, "release", "action_required").await;
    stage.hub.select_repositories(installation, None).unwrap();
    assert_eq!(stage.answer_to(number, unheard).await, "🚀");
    stage.concluded(other, "release", "cancelled").await;
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_push_asks_again_and_a_deleted_branch_leaves_the_execution_alone() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    let before = stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    let files = BTreeMap::from([("other.md".to_owned(), Some("other\n".to_owned()))]);
    stage.hub.force_push(REPOSITORY, "alice", "release-1.4", "Anew", &files).unwrap();
    let after = stage.concluded(number, "release", "action_required").await;
    assert_ne!(after.head_sha, before.head_sha);
    stage.seconds_pass();
    stage.hub.delete_branch(REPOSITORY, "alice", "release-1.4").unwrap();
    // What was said about the commit before is gone.
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    one_more_is_needed(&stage, number).await;
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

/// The last word counted, and none before it.
async fn one_more_is_needed(stage: &Stage, number: u64) {
    let told = || stage.app_comments(number, "<!-- flowctl:execution:").pop();
    stage
        .eventually("one more lead", || {
            told().filter(|told| told.contains("**Still needed:** 1 more of team @octo-org/leads"))
        })
        .await;
}
