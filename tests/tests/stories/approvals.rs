//! Who may approve what, from where, and for which commit.

use flowctl_sandbox::state::{CheckRun, ReviewState};

use crate::stage::{RELEASE, REPOSITORY, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn two_leads_approve_one_by_a_comment_one_by_a_button() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    let asks = stage.concluded(number, "release", "action_required").await;
    assert_eq!(asks.title.as_deref(), Some("1 of 3 steps · leads waits for people"));
    assert_eq!(stage.comment(number, "Reads well.\n\n/approve leads -- carts work").by("bob").await, "🚀");
    let asks = stage.concluded(number, "release", "action_required").await;
    stage.hub.press("dave", asks.id, "approve").unwrap();
    stage.concluded(number, "release", "success").await;
    insta::assert_snapshot!(stage.history(number, "release"), @r"
    action_required
    success
    ");
    assert_eq!(stage.app_comments(number, "<!-- flowctl:execution:").len(), 1);
    // Each decision says from where it came.
    let decided = stage.until_told_again("approval.decided", 2).await;
    let source = &decided["data"]["source"];
    assert_eq!(source["kind"], "button", "{decided:#}");
    let url = source["url"].as_str().unwrap_or_else(|| panic!("a button's place: {decided:#}"));
    assert!(url.contains(&asks.id.to_string()), "{url}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_word_does_not_count_is_told_why() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let mut told = Vec::new();
    for (body, login) in [
        ("/approve leads", "carol"),
        ("/approve leads", "alice"),
        ("/approve lead", "bob"),
        ("/reject leads", "bob"),
        ("/approve leads deadbeef1", "bob"),
        ("/aprove", "bob"),
        ("/approve leads and more", "bob"),
    ] {
        told.push(format!("{login} {body}\n{}", stage.comment(number, body).by(login).await));
    }
    let head = stage.hub.issue(crate::stage::REPOSITORY, number).unwrap().pull_request.unwrap().head_sha;
    let told = told.join("\n\n").replace(&head[..7], "HEAD");
    insta::assert_snapshot!(told, @r"
    carol /approve leads
    😕 @carol `/approve leads` was not taken. `leads` needs 2 of team `leads`.

    alice /approve leads
    😕 @alice `/approve leads` was not taken. The author of a change cannot approve it, unless the step says `allow_author`. `leads` needs 2 of team `leads`.

    bob /approve lead
    😕 @bob `/approve lead` was not taken. `lead` does not wait for that. Did you mean `leads`? `leads` does.

    bob /reject leads
    😕 @bob `/reject leads` was not taken. It needs a note that says why: `/reject leads -- why` or `/approve leads -- why`.

    bob /approve leads deadbeef1
    😕 @bob `/approve leads deadbeef1` was not taken. It was said about commit `deadbee`, and the question is about `HEAD`. Please look at what is there now, and say it again.

    bob /aprove
    😕 @bob `/aprove` was not taken. Did you mean `/approve`? `/help` lists the commands.

    bob /approve leads and more
    😕 @bob `/approve leads and more` was not taken. It cannot be read:

    ```text
    1 | /approve leads and more
      |                ^^^ `and` is not expected here
      = help: a note stands after two hyphens: `-- and more`
    ```

    `/help` lists the commands.

    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_dismisses_what_was_said_about_the_commit_before() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    let before = stage.concluded(number, "release", "action_required").await;
    let head = stage.push("release-1.4", "other\n");
    let after = stage.concluded(number, "release", "action_required").await;
    assert_eq!(after.head_sha, head);
    // The button of the run on the old commit is gone, and pressing it in time would not have counted either.
    stage
        .eventually("the old run is closed", || {
            let runs = stage.runs(number, "release");
            let old = runs.iter().find(|run| run.id == before.id)?;
            (old.conclusion.as_deref() == Some("cancelled") && old.actions.is_empty()).then_some(())
        })
        .await;
    stage.review(number, "bob", ReviewState::Approved, "Still fine.");
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_with_what_is_known_and_on_whom_it_waits() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let answer = stage.comment(number, "/ask why doesn't it go on?").by("carol").await;
    let lines: Vec<&str> = answer.lines().filter(|line| !line.starts_with("- `release` since")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    🚀 @carol `/ask why doesn't it go on?`

    No model reads questions here, so this is what the server knows:

      - `leads` waits for 2 of team `leads`: `/approve leads`

    `/help` lists what can be said.
    ");
}

/// Two approvals in a row.
pub const GATE: &str = "
name: gate
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: design, type: human_approval, title: The design?, approvers: {users: [bob]}}
  - {id: leads, type: human_approval, depends_on: design, title: Ship it?, approvers: {users: [dave]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_before_a_push_makes_no_check_of_the_new_head_pass() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "gate", "action_required").await;
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage.eventually("leads are asked", || stage.app_comments(number, "`leads` waits").pop()).await;
    let head = stage.push("release-1.4", "what nobody has seen\n");
    stage
        .eventually("it goes on at the new head", || {
            stage.runs(number, "gate").pop().filter(|run| run.head_sha == head)
        })
        .await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    let ended = stage
        .eventually("an end that is none", || {
            let run = stage.runs(number, "gate").pop()?;
            run.actions.iter().any(|action| action.label == "Ask again").then_some(run)
        })
        .await;
    assert_eq!((ended.head_sha.as_str(), ended.conclusion.as_deref()), (head.as_str(), Some("action_required")));
    let summary = ended.summary.unwrap();
    assert!(summary.contains("`design` was approved before the newest commit or base"), "{summary}");
    stage.hub.press("alice", ended.id, "retry").unwrap();
    stage.eventually("bob is asked anew", || stage.app_comments(number, "`design` waits").pop()).await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage.eventually("leads are asked anew", || stage.app_comments(number, "`leads` waits").pop()).await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "gate", "success").await;
}

/// An approval in a sub-process, and one after it.
const REVIEW: &str = "
name: review
version: 1
steps:
  - {id: design, type: human_approval, title: The design?, approvers: {users: [bob]}}
";
const SHIP: &str = "
name: ship
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: reviewed, type: process, process: review}
  - {id: leads, type: human_approval, depends_on: reviewed, title: Ship it?, approvers: {users: [dave]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_in_a_sub_process_before_a_push_makes_no_check_of_the_new_head_pass() {
    let stage = Stage::raise(&[("review", REVIEW), ("ship", SHIP)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "review", "action_required").await;
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage.eventually("leads are asked", || stage.app_comments(number, "`leads` waits").pop()).await;
    let head = stage.push("release-1.4", "what nobody has seen\n");
    stage
        .eventually("it goes on at the new head", || {
            stage.runs(number, "ship").pop().filter(|run| run.head_sha == head)
        })
        .await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    let ended = stage
        .eventually("an end that is none", || {
            let run = stage.runs(number, "ship").pop()?;
            run.actions.iter().any(|action| action.label == "Ask again").then_some(run)
        })
        .await;
    assert_eq!((ended.head_sha.as_str(), ended.conclusion.as_deref()), (head.as_str(), Some("action_required")));
    let summary = ended.summary.unwrap();
    assert!(summary.contains("`reviewed` was approved before the newest commit or base"), "{summary}");
    stage.hub.press("alice", ended.id, "retry").unwrap();
    // Another sub-process asks about what is there now.
    stage
        .eventually("bob is asked anew", || {
            stage
                .runs(number, "review")
                .into_iter()
                .find(|run| run.head_sha == head && run.conclusion.as_deref() == Some("action_required"))
        })
        .await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage
        .eventually("leads are asked anew", || {
            let run = stage.runs(number, "ship").pop()?;
            run.actions.iter().any(|action| action.label == "Approve").then_some(run)
        })
        .await;
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "ship", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_another_base_the_same_commit_is_another_change() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect_comments();
    stage.hub.create_branch(REPOSITORY, "gina", "next", "main").unwrap();
    let ended = stage.pull_request("release-1.4");
    stage.concluded(ended, "gate", "action_required").await;
    assert_eq!(stage.comment(ended, "/approve design").by("bob").await, "🚀");
    stage.eventually("leads are asked", || stage.app_comments(ended, "`leads` waits").pop()).await;
    assert_eq!(stage.comment(ended, "/approve leads").by("dave").await, "🚀");
    stage.concluded(ended, "gate", "success").await;
    let asking = stage.pull_request("release-1.5");
    stage.concluded(asking, "gate", "action_required").await;
    for number in [ended, asking] {
        stage.hub.retarget(REPOSITORY, "alice", number, "next").unwrap();
    }
    let run = stage.concluded(ended, "gate", "action_required").await;
    assert_eq!(run.title.as_deref(), Some("completed for what is there no more · 2 steps"));
    // A word that was written before, and is read after it, was said of the other change. What is said on one pull
    // request is heard in its order: once this is answered, the new base is known.
    stage.comment(asking, "/status").by("bob").await;
    stage.seconds_pass();
    assert_eq!(stage.comment(asking, "/approve design").by("bob").await, "🚀");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_the_base_changed_and_read_after_it_counted_for_the_new_one() {
    let mut stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect_comments();
    stage.hub.create_branch(REPOSITORY, "gina", "prod", "main").unwrap();
    let number = stage.pull_request("release-1.4");
    let before = stage.concluded(number, "gate", "action_required").await;
    assert!(before.summary.as_deref().is_some_and(|summary| summary.contains(", into `main`")), "{before:?}");
    stage.eventually("the prompt", || stage.app_comments(number, "The design?").pop()).await;
    stage.seconds_pass();
    // Each of these names the commit, and nobody reads them before the base is another one.
    stage.end().await;
    stage.review(number, "bob", ReviewState::Approved, "");
    stage.hub.press("bob", before.id, "approve").unwrap();
    let comment = stage.comment(number, &format!("/approve design {}", before.head_sha)).said_by("bob");
    stage.seconds_pass();
    stage.hub.retarget(REPOSITORY, "alice", number, "prod").unwrap();
    stage.start_again().await;
    let answer = stage.answer_to(number, comment).await;
    assert!(answer.contains("was written before that was shown"), "{answer}");
    stage.eventually("an answer to the button", || stage.app_comments(number, "no longer asked").pop()).await;
    let reply = stage.eventually("a reply", || stage.app_comments(number, "flowctl:reply:review:").pop()).await;
    let told = "Your review was not taken. It was written before that was shown";
    assert!(reply.contains(told), "{reply}");
    let asks_anew = |run: &CheckRun| run.id > before.id && run.conclusion.as_deref() == Some("action_required");
    let another = || stage.runs(number, "gate").into_iter().find(asks_anew);
    let after = stage.eventually("another run, which asks for the other base", another).await;
    let summary = after.summary.unwrap();
    assert!(summary.contains(", into `prod`") && summary.contains("The design?"), "{summary}");
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve design").by("bob").await, "🚀");
    stage.eventually("leads are asked", || stage.app_comments(number, "`leads` waits").pop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_written_before_a_push_and_read_after_it_does_not_count() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    // Nobody reads it: the server is down, and comes back after the push.
    stage.end().await;
    let comment = stage.comment(number, "/approve leads").said_by("bob");
    stage.push("release-1.4", "other\n");
    stage.start_again().await;
    let answer = stage.answer_to(number, comment).await;
    assert!(answer.contains("was written before that was shown"), "{answer}");
    stage.seconds_pass();
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_is_dismissed_is_taken_back_and_an_edit_is_nothing() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let review = stage.review(number, "bob", ReviewState::Approved, "");
    let approved = |by: &'static str| move |body: &String| body.contains(&format!("approved by [{by}]("));
    stage
        .eventually("bob counts", || stage.app_comments(number, "flowctl:execution").into_iter().find(approved("bob")))
        .await;
    stage.hub.dismiss_review("gina", review, "too early").unwrap();
    stage
        .eventually("bob no longer counts", || {
            stage
                .app_comments(number, "flowctl:execution")
                .into_iter()
                .find(|body| !body.contains("approved by [bob]("))
        })
        .await;
    let comment = stage.comment(number, "Looks fine.").said_by("bob");
    stage.hub.edit_comment(crate::stage::REPOSITORY, "bob", comment, "/approve leads").unwrap();
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    assert!(stage.hub.reactions(comment).is_empty());
    let asks = stage.concluded(number, "release", "action_required").await;
    stage.review(number, "bob", ReviewState::ChangesRequested, "The carts are empty.");
    let failed = stage.concluded(number, "release", "failure").await;
    assert!(failed.id > asks.id);
    let summary = failed.summary.unwrap();
    assert!(summary.contains("@\u{200b}bob rejected: The carts are empty."), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_look_after_their_own_commits() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let files = std::collections::BTreeMap::from([("more.md".to_owned(), Some("x\n".to_owned()))]);
    let head = stage.hub.push(crate::stage::REPOSITORY, "bob", "release-1.4", "Bob's", &files).unwrap();
    stage
        .eventually("the new head", || stage.runs(number, "release").into_iter().find(|run| run.head_sha == head))
        .await;
    stage.seconds_pass();
    let answer = stage.comment(number, "/approve leads").by("bob").await;
    assert!(answer.contains("Whoever wrote a commit of a change cannot approve it"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_says_what_it_said_when_it_was_submitted() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    // Its handling fails at first, and the text is another one when it is tried again.
    stage.disturb(flowctl_sandbox::Fault::ErrorBefore { status: 502 }, "GET", "/repos/octo-org/shop/pulls/*/reviews/*");
    let review = stage.review(number, "bob", ReviewState::Commented, "/approve leads -- reads well");
    stage.hub.edit_review("bob", review, "/reject leads -- not mine").unwrap();
    stage.eventually("bob's approval", || stage.app_comments(number, "reads well").pop()).await;
    assert_eq!(stage.app_comments(number, "not mine"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_review_that_was_obeyed_was_not_answered() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.seconds_pass();
    stage.review(number, "bob", ReviewState::Commented, "Not today.\n\n/hold -- an incident\n/aprove leads");
    let told = stage.eventually("an answer", || stage.app_comments(number, "flowctl:reply:review:").pop()).await;
    let told = told.split_once("-->").unwrap().1.trim();
    assert!(told.starts_with("@bob `/hold -- an incident`\n\nDone."), "{told}");
    assert!(told.contains("`/aprove"), "{told}");
    assert_eq!(stage.app_comments(number, "flowctl:reply:review:").len(), 1);
    // A review that decides by its state shows in the timeline, and is no command.
    stage.review(number, "dave", ReviewState::Approved, "Reads well.");
    stage.eventually("dave's approval", || stage.app_comments(number, "dave approved").pop()).await;
    assert_eq!(stage.app_comments(number, "flowctl:reply:review:").len(), 1);
}
