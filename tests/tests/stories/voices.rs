//! Giving one's word away, going on without an approval, holding; and what the audit log says of it.

use flowctl_sandbox::state::ReviewState;
use reqwest::Method;
use serde_json::json;

use crate::stage::{RELEASE, Stage};

const SETTINGS: (&str, &str) = (".flow/flow.yaml", "commands:\n  override: {role: admin}\n");

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_on_leave_has_somebody_speak_in_their_place() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    for (body, login, why) in [
        ("/delegate @gina", "carol", "`leads` needs 2 of team `leads`"),
        ("/delegate @carol", "bob", "`carol` is none"),
        ("/delegate @nobody-here", "bob", "`nobody-here` is none"),
        ("/delegate gina", "bob", "`gina` is no person"),
        ("/delegate @gina until yesterday", "bob", "`yesterday` is no moment"),
        ("/delegate @gina until 2020-01-01", "bob", "That moment is over"),
    ] {
        let answer = stage.comment(number, body).by(login).await;
        assert!(answer.starts_with("😕") && answer.contains(why), "{body}: {answer}");
    }
    let answer = stage.comment(number, "/delegate @gina until 3d -- on leave").by("bob").await;
    assert!(answer.starts_with("🚀") && answer.contains("gina may speak in your place"), "{answer}");
    assert_eq!(stage.comment(number, "/approve leads").by("gina").await, "🚀");
    // bob's voice is one, whoever raises it.
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    stage.eventually("whose voice it is", || stage.app_comments(number, "(in place of bob)").pop()).await;
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
    insta::assert_snapshot!(stage.audit().await.join("\n"), @r"
    definition.pinned by -
    command.refused by carol
    command.refused by bob
    command.refused by bob
    approval.delegated by bob
    approval.decided by gina
    approval.decided by bob
    approval.decided by dave
    approval.ended by -
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_made_the_change_is_given_nobodys_word() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let answer = stage.comment(number, "/delegate @alice").by("bob").await;
    assert!(answer.starts_with("😕") && answer.contains("alice made the change"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_is_for_whom_the_repository_names_and_is_shown_as_one() {
    let stage = Stage::raise_with(&[("release", RELEASE)], &[SETTINGS]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    for (body, login, why) in [
        ("/override leads reason=\"it burns\"", "bob", "needs admin permission"),
        ("/override leads", "gina", "needs more than this"),
        ("/override leads reason=\"\"", "gina", "the reason is empty"),
        ("/override leads because", "gina", "reason=\"…\""),
    ] {
        let answer = stage.comment(number, body).by(login).await;
        assert!(answer.starts_with("😕") && answer.contains(why), "{body}: {answer}");
    }
    assert_eq!(stage.comment(number, "/override leads reason=\"the shop is down\"").by("gina").await, "🚀");
    let done = stage.concluded(number, "release", "success").await;
    assert_eq!(done.title.as_deref(), Some("overridden by gina · completed · 3 steps"));
    let text = done.text.unwrap_or_default();
    assert!(text.contains("**overridden** by [gina](") && !text.contains("approved by"), "{text}");
    insta::assert_snapshot!(stage.audit().await.join("\n"), @r"
    definition.pinned by -
    command.refused by bob
    approval.overridden by gina
    approval.ended by -
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_overrides_where_the_repository_names_nobody() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let answer = stage.comment(number, "/override leads reason=\"it burns\"").by("gina").await;
    assert!(answer.contains("names nobody who may"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_execution_hears_people_and_goes_on_when_it_is_let() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let answer = stage.comment(number, "/hold").by("carol").await;
    assert!(answer.contains("needs write permission"), "{answer}");
    assert_eq!(stage.comment(number, "/hold -- an incident").by("bob").await, "🚀");
    let held = |body: &String| body.contains("⏸️ **Held** by bob since") && body.contains("an incident");
    stage.eventually("it is held", || stage.app_comments(number, "flowctl:execution").into_iter().find(held)).await;
    let answer = stage.comment(number, "/hold").by("dave").await;
    assert!(answer.contains("It is held already"), "{answer}");
    for login in ["bob", "dave"] {
        assert_eq!(stage.comment(number, "/approve leads").by(login).await, "🚀");
    }
    let answer = stage.comment(number, "/status").by("carol").await;
    assert!(answer.contains("Held"), "{answer}");
    assert_eq!(stage.comment(number, "/unhold").by("alice").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_pushed_a_commit_in_another_name_cannot_approve_it() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let head = stage.push_in_another_name("release-1.4", "bob");
    stage
        .eventually("the new head", || stage.runs(number, "release").into_iter().find(|run| run.head_sha == head))
        .await;
    stage.seconds_pass();
    let answer = stage.comment(number, "/approve leads").by("bob").await;
    assert!(answer.contains("Whoever wrote a commit of a change cannot approve it"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_who_rewrites_a_command_that_was_taken_is_recorded() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let comment = stage.comment(number, "/approve leads").said_by("bob");
    assert_eq!(stage.answer_to(number, comment).await, "🚀");
    stage.hub.edit_comment(crate::stage::REPOSITORY, "gina", comment, "/reject leads -- never").unwrap();
    // Deliveries of one pull request are handled in order.
    assert!(stage.comment(number, "/status").by("carol").await.contains("leads"));
    insta::assert_snapshot!(stage.audit().await.join("\n"), @r"
    definition.pinned by -
    approval.decided by bob
    comment.edited by gina
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_who_rewrites_a_review_that_decided_is_recorded() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let decided = stage.review(number, "bob", ReviewState::Approved, "Reads well.");
    stage.eventually("bob counts", || stage.app_comments(number, "approved by [bob](").pop()).await;
    let other = stage.review(number, "carol", ReviewState::Commented, "And the notes?");
    stage.hub.edit_review("bob", decided, "Reads very well.").unwrap();
    stage.hub.edit_review("gina", other, "Nothing.").unwrap();
    stage.hub.edit_review("gina", decided, "I have not read it.").unwrap();
    assert!(stage.comment(number, "/status").by("carol").await.contains("leads"));
    insta::assert_snapshot!(stage.audit().await.join("\n"), @r"
    definition.pinned by -
    approval.decided by bob
    comment.edited by gina
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_asks_could_be_rewritten_by_whoever_may_write() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let ours = || {
        let mut comments = stage.hub.comments(crate::stage::REPOSITORY, number).unwrap().into_iter();
        comments.find(|comment| comment.body.starts_with("<!-- flowctl:execution:"))
    };
    let asked = stage.eventually("the question", ours).await;
    let harmless = asked.body.replace("release", "harmless");
    assert_ne!(harmless, asked.body);
    stage.hub.edit_comment(crate::stage::REPOSITORY, "gina", asked.id, &harmless).unwrap();
    let is_back = || ours().filter(|comment| !comment.body.contains("harmless"));
    stage.eventually("the question as it was asked", is_back).await;
    let told = stage.audit().await;
    assert!(told.contains(&"comment.edited by gina".to_owned()), "{told:?}");
}

/// Asks the leads by a word.
const GATE: &str = "
name: gate
version: 1
triggers: [{comment: /gate}]
steps:
  - {id: leads, type: human_approval, approvers: {team: leads, count: 2}}
";

#[tokio::test(flavor = "multi_thread")]
async fn who_pushed_in_another_name_before_the_execution_started_cannot_approve_it() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.push_in_another_name("release-1.4", "bob");
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/gate").by("alice").await, "🚀");
    stage.concluded(number, "gate", "action_required").await;
    stage.seconds_pass();
    let answer = stage.comment(number, "/approve leads").by("bob").await;
    assert!(answer.contains("Whoever wrote a commit of a change cannot approve it"), "{answer}");
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_by_the_api_is_not_about_a_commit_that_nobody_saw() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.allow_acting().await;
    let (_, list) = stage.api(Method::GET, "/approvals?status=pending", json!(null)).await;
    let (id, shown) = (list["items"][0]["id"].as_str().unwrap(), list["items"][0]["commit"].clone());
    stage.cut_off();
    stage.push("release-1.4", "other\n");
    let path = format!("/approvals/{id}/decisions");
    let said = json!({"decision": "approve", "as": "bob", "commit": shown});
    let (status, answer) = stage.api(Method::POST, &path, said).await;
    let kind = answer["type"].as_str().unwrap_or_default().rsplit(['/', '#', ':']).next();
    assert_eq!((status, kind), (409, Some("other-commit")), "{answer}");
    let (status, now) = stage.api(Method::GET, &format!("/approvals/{id}"), json!(null)).await;
    assert!(status == 200 && now["commit"] != shown, "the question is about the new commit: {now}");
}
