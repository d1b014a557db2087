//! Reviews that decide less than they seem to.

use flowctl_sandbox::state::ReviewState;
use flowctl_sandbox::{Fault, FaultRule};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::Stage;

/// Two questions that one person is asked.
const TWO: &str = "
name: two
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: code, type: human_approval, title: The code?, approvers: {users: [bob]}}
  - {id: prod, type: human_approval, title: Production?, approvers: {users: [bob]}}
";

/// How many approvals are waited for.
async fn waiting(stage: &Stage) -> usize {
    let (_, told) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
    told["items"].as_array().unwrap().len()
}

/// The reply to a review, without its marker.
async fn reply_to(stage: &Stage, number: u64, review: u64) -> String {
    let marker = format!("<!-- flowctl:reply:review:{review} -->");
    let reply = stage.eventually("a reply", || stage.app_comments(number, &marker).pop()).await;
    reply.replace(&marker, "").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_with_a_line_that_could_not_be_read_approved_everything() {
    let stage = Stage::raise(&[("two", TWO)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "two", "action_required").await;
    stage.seconds_pass();
    for text in
        ["/approve code looks good", "/aprove code", "/approve code, fine", "Fine.\n\n/reject prod because risky"]
    {
        let review = stage.review(number, "bob", ReviewState::Approved, text);
        let reply = reply_to(&stage, number, review).await;
        assert!(reply.contains("was not taken. It cannot be read") || reply.contains("Did you mean"), "{reply}");
        let told = "Your review was not taken. Its text has a line that could not be read";
        assert!(reply.contains(told) && reply.ends_with("in a comment or in a new review."), "{reply}");
        assert_eq!(waiting(&stage).await, 2, "{text}");
    }
    let refused = stage.until_told("command.refused").await;
    assert_eq!(refused["data"]["reason"], "text_unread", "{refused:#}");
    // Of another bot's word nothing is known to us, and a line that could be read decides as it says.
    stage.review(number, "bob", ReviewState::Approved, "/lgtm\n\n/approve code");
    stage.eventually("one approval", || stage.app_comments(number, "approved by [bob](").pop()).await;
    assert_eq!(waiting(&stage).await, 1);
    stage.review(number, "bob", ReviewState::Approved, "/lgtm");
    stage.concluded(number, "two", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_was_dismissed_before_it_was_read_approved_by_its_text() {
    let stage = Stage::raise(&[("two", TWO)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "two", "action_required").await;
    stage.seconds_pass();
    stage.eventually("the prompt", || stage.app_comments(number, "Production?").pop()).await;
    // It is told of after its dismissal.
    stage.hub.faults.add(FaultRule::new(Fault::ReorderDelivery).path("pull_request_review"));
    let review = stage.review(number, "bob", ReviewState::Approved, "/approve code -- fine\n/hold -- an incident");
    stage.hub.dismiss_review("gina", review, "too early").unwrap();
    let reply = reply_to(&stage, number, review).await;
    let told = "`/approve code -- fine` was not taken. The review was dismissed, so what it decides does not count.";
    assert!(reply.contains(told), "{reply}");
    // What decides nothing is done.
    assert!(reply.contains("`/hold -- an incident`\n\nDone."), "{reply}");
    assert_eq!(waiting(&stage).await, 2);
    let refused = stage.until_told("command.refused").await;
    assert_eq!(refused["data"]["reason"], "review_dismissed", "{refused:#}");
}

/// An approval, and a question after it.
const GATE: &str = "
name: gate
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: code, type: human_approval, title: The code?, approvers: {users: [bob]}}
  - {id: prod, type: human_approval, depends_on: code, title: Production?, approvers: {users: [dave]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_was_dismissed_after_the_step_went_on_let_the_check_pass() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "gate", "action_required").await;
    stage.seconds_pass();
    let review = stage.review(number, "bob", ReviewState::Approved, "Fine.");
    stage.eventually("the next question", || stage.app_comments(number, "Production?").pop()).await;
    stage.hub.dismiss_review("gina", review, "wrong").unwrap();
    let told =
        |reply: &String| reply.contains("@gina A review was dismissed.") && reply.contains("`code` is taken back");
    stage.eventually("an answer", || stage.app_comments(number, "").into_iter().find(told)).await;
    let outdated = stage.until_told("approval.outdated").await;
    assert_eq!((&outdated["step"], &outdated["data"]["people"]), (&json!("code"), &json!(["bob"])), "{outdated:#}");
    let shown = "approved by bob and taken back: the review was dismissed by gina";
    stage.eventually("the timeline", || stage.app_comments(number, shown).pop()).await;
    assert_eq!(stage.app_comments(number, "approved by [bob]("), Vec::<String>::new());
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve prod").by("dave").await, "🚀");
    let ended = stage
        .eventually("an end that is none", || {
            let run = stage.runs(number, "gate").pop()?;
            run.actions.iter().any(|action| action.label == "Ask again").then_some(run)
        })
        .await;
    assert_eq!(ended.conclusion.as_deref(), Some("action_required"));
    assert_eq!(ended.title.as_deref(), Some("completed on an approval that was taken back · 2 steps"));
    assert!(ended.summary.unwrap().contains("the approval was taken back after the process had gone on from it"));
    stage.hub.press("alice", ended.id, "retry").unwrap();
    stage.eventually("bob is asked anew", || stage.app_comments(number, "`code` waits").pop()).await;
}
