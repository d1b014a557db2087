//! Reviews that decide less than they seem to.

use flowctl_sandbox::state::ReviewState;
use flowctl_sandbox::{Fault, FaultRule};
use reqwest::Method;
use serde_json::Value;

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
